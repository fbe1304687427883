"""What every message store promises: when messages change their state, and what is told then."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import gatherResults

from reward_push.rewards.interfaces import Agenda, Level, Reason
from reward_push.rewards.message import State

from .posted import DUE, END, device, kept, note, record, scheduled

Store = Any


async def _live(store: Store, **changes) -> None:
    await store.accept([scheduled("m", once=True, **changes)])
    [due] = await store.claim(DUE, DUE, 0, 10)
    assert due.record.state is State.LIVE


async def _endless(store: Store) -> None:
    await store.accept([scheduled("m", once=True, expires_at_ms=None)])


async def _made_scheduled(store: Store) -> None:
    await store.accept([scheduled("m", once=True)])


async def _made_done(store: Store) -> None:
    await _endless(store)
    [due] = await store.claim(DUE, DUE, 0, 10)
    assert due.record.state is State.DONE


async def _made_taken(store: Store) -> None:
    await _live(store)
    assert await store.take("m", await device(store), DUE)


async def _made_expired(store: Store) -> None:
    await _live(store)
    assert await store.expire(END, 10)


async def _made_missed(store: Store) -> None:
    await _endless(store)
    [due] = await store.claim(DUE, DUE, DUE + 1, 10)
    assert due.record.state is State.EXPIRED


async def _made_cancelled(store: Store) -> None:
    await _live(store)
    assert await store.cancel("m", DUE)


MADE: dict[str, Callable[[Store], Awaitable[None]]] = {
    "scheduled": _made_scheduled,
    "scheduled without an end": _endless,
    "live": _live,
    "done": _made_done,
    "taken": _made_taken,
    "expired": _made_expired,
    "missed": _made_missed,
    "cancelled": _made_cancelled,
}
"""Ways to come to each state."""


async def _claim(store: Store, now_ms: int, missed_before_ms: int = 0):
    dues = await store.claim(now_ms, now_ms, missed_before_ms, 10)
    assert all(due.superseded == () for due in dues)
    return [due.record for due in dues]


async def _expire(store: Store, now_ms: int):
    return [(each.record, each.reason) for each in await store.expire(now_ms, 10)]


async def _cancel(store: Store, now_ms: int):
    record, ended = await store.cancel("m", now_ms)
    assert [record] == await kept(store, "m")
    return [] if ended is None else [(ended.record, ended.reason)]


async def _take(store: Store, now_ms: int):
    ended = await store.take("m", await device(store), now_ms)
    return [] if ended is None else [(ended.record, ended.reason)]


async def _accept(store: Store, _now_ms: int):
    answers = await store.accept([record("m")])
    assert [each.record for each in answers] == await kept(store, "m")
    return []


async def _settle(store: Store, _now_ms: int):
    await store.settle("m", 0)
    return []


async def _note(store: Store, _now_ms: int):
    await note(store, "m", Level.DELIVERED, await device(store))
    return []


OPERATIONS: dict[str, Callable[[Store], Awaitable[list[Any]]]] = {
    "claim before it is due": lambda store: _claim(store, DUE - 1),
    "claim when it is due": lambda store: _claim(store, DUE),
    "claim when it was missed": lambda store: _claim(store, DUE + 1, DUE + 1),
    "claim just before its end": lambda store: _claim(store, END - 1),
    "claim at its end": lambda store: _claim(store, END),
    "expire before its end": lambda store: _expire(store, END - 1),
    "expire at its end": lambda store: _expire(store, END),
    "cancel": lambda store: _cancel(store, DUE + 100),
    "take": lambda store: _take(store, DUE + 100),
    "accept again": lambda store: _accept(store, 0),
    "settle": lambda store: _settle(store, 0),
    "note": lambda store: _note(store, 0),
}

S = State
CANCELLED = (S.CANCELLED, Reason.CANCELLED, DUE + 100)
CHANGES: dict[tuple[str, str], tuple[State, Reason | None, int | None]] = {
    ("scheduled", "claim when it is due"): (S.LIVE, None, None),
    ("scheduled", "claim when it was missed"): (S.LIVE, None, None),
    ("scheduled", "claim just before its end"): (S.LIVE, None, None),
    ("scheduled", "claim at its end"): (S.EXPIRED, None, END),
    ("scheduled", "cancel"): CANCELLED,
    ("scheduled without an end", "claim when it is due"): (S.DONE, None, DUE),
    ("scheduled without an end", "claim when it was missed"): (S.EXPIRED, None, DUE + 1),
    ("scheduled without an end", "claim just before its end"): (S.DONE, None, END - 1),
    ("scheduled without an end", "claim at its end"): (S.DONE, None, END),
    ("scheduled without an end", "cancel"): CANCELLED,
    ("live", "expire at its end"): (S.EXPIRED, Reason.EXPIRED, END),
    ("live", "cancel"): CANCELLED,
    ("live", "take"): (S.DONE, Reason.TAKEN, DUE + 100),
    # It was sent once, and is done since; who acknowledges first has it all the same.
    ("done", "take"): (S.DONE, Reason.TAKEN, DUE),
}
"""(how it was made, operation) → new state, the reason that is told if it was taken back, and its end.
All that is not here changes nothing and tells nothing."""


def test_table_has_no_misspelt_row():
    assert {made for made, _ in CHANGES} <= set(MADE)
    assert {operation for _, operation in CHANGES} <= set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("made", MADE)
@ensureDeferred
async def test_every_operation_in_every_state(store, made, operation):
    await MADE[made](store)
    [before] = await kept(store, "m")
    told = await OPERATIONS[operation](store)
    [after] = await kept(store, "m")
    if (made, operation) in CHANGES:
        state, reason, ended_at_ms = CHANGES[made, operation]
        assert (after.state, after.ended_at_ms) == (state, ended_at_ms)
        assert told == [after if reason is None else (after, reason)]
    else:
        assert (after.state, after.ended_at_ms) == (before.state, before.ended_at_ms)
        assert told == []
    # What it did, it did once.
    assert [each for each in await OPERATIONS[operation](store) if isinstance(each, tuple)] == []


# Cancelling


@ensureDeferred
async def test_unknown_message_cannot_be_cancelled_or_taken(store):
    assert await store.cancel("ghost", 0) is None
    assert await store.take("ghost", await device(store), 0) is None


@ensureDeferred
async def test_cancelling_again_gives_the_same_record(store):
    await store.accept([record("m")])
    first, ended = await store.cancel("m", 1_100)
    assert ended.record == first
    again, nothing = await store.cancel("m", 1_200)
    assert again == first
    assert nothing is None


@ensureDeferred
async def test_of_two_that_cancel_at_once_one_ends_it(store):
    await store.accept([record("m")])
    first, second = await gatherResults([store.cancel("m", 1_100), store.cancel("m", 1_200)])
    assert first[0] == second[0] == first[1].record
    assert first[0].ended_at_ms == 1_100
    assert second[1] is None


@ensureDeferred
async def test_what_is_cancelled_is_never_due(store):
    await store.accept([scheduled("m")])
    _, ended = await store.cancel("m", 1_100)
    assert ended.devices == ()
    assert await store.claim(DUE, DUE, 0, 10) == []
    assert await store.agenda() == Agenda(None, None)


# Taking


@ensureDeferred
async def test_of_two_that_take_at_once_the_first_has_it(store):
    await store.accept([record("m", once=True)])
    one, two, three = [await device(store) for _ in range(3)]
    await note(store, "m", Level.SENT, one, two, three)
    first, second = await gatherResults([store.take("m", two, 1_600), store.take("m", one, 1_601)])
    assert second is None
    assert first.reason is Reason.TAKEN
    assert first.devices == (one, three)
    assert first.record.receipts == attrs.evolve(
        first.record.receipts, sent=3, delivered=1, acked=1
    )
    record_now, receipts = await store.get("m")
    assert record_now == first.record
    assert [(each.level, each.at_ms) for each in receipts] == [
        (Level.SENT, 1_500),
        (Level.ACKED, 1_600),
        (Level.SENT, 1_500),
    ]


@ensureDeferred
async def test_device_can_take_what_is_not_noted_as_sent_yet(store):
    await store.accept([record("m", once=True)])
    number = await device(store)
    ended = await store.take("m", number, 1_600)
    assert ended.devices == ()
    await note(store, "m", Level.SENT, number)
    [(_, [receipt])] = [await store.get("m")]
    assert (receipt.level, receipt.at_ms) == (Level.ACKED, 1_600)


@ensureDeferred
async def test_message_that_is_for_all_cannot_be_taken(store):
    await store.accept([record("m")])
    assert await store.take("m", await device(store), 1_600) is None
    assert (await store.get("m"))[1] == []
    assert (await kept(store, "m"))[0].state is State.LIVE


# When they are due, and over


@ensureDeferred
async def test_messages_are_claimed_in_the_order_in_which_they_are_due(store):
    times = [2_003, 2_001, 2_002, 2_001, 2_009]
    await store.accept([scheduled(f"m{n}", deliver_at_ms=at) for n, at in enumerate(times)])
    assert (await store.agenda()).next_due_ms == 2_001
    dues = await store.claim(2_000, 2_003, 0, 3)
    assert [due.record.message.id for due in dues] == ["m1", "m3", "m2"]
    assert (await store.agenda()).next_due_ms == 2_003
    dues = await store.claim(2_000, 2_003, 0, 3)
    assert [due.record.message.id for due in dues] == ["m0"]
    assert (await store.agenda()).next_due_ms == 2_009


@ensureDeferred
async def test_claimed_early_nothing_ends_before_it_is_due(store):
    await store.accept([scheduled("m", expires_at_ms=None)])
    [due] = await store.claim(DUE - 20, DUE, 0, 10)
    assert (due.record.state, due.record.ended_at_ms) == (State.DONE, DUE)


@ensureDeferred
async def test_messages_expire_in_the_order_of_their_ends(store):
    ends = [5_002, 5_000, 5_001, 5_009]
    await store.accept([record(f"m{n}", expires_at_ms=end) for n, end in enumerate(ends)])
    assert (await store.agenda()).next_end_ms == 5_000
    first, second, third = [await store.expire(5_005, 2) for _ in range(3)]
    assert [each.record.message.id for each in first] == ["m1", "m2"]
    assert [each.record.message.id for each in second] == ["m0"]
    assert third == []
    assert await store.agenda() == Agenda(None, 5_009)


@ensureDeferred
async def test_agenda_follows_every_change(store):
    assert await store.agenda() == Agenda(None, None)
    await store.accept([record("live", once=True), record("done", State.DONE), scheduled("m")])
    assert await store.agenda() == Agenda(DUE, END)
    await store.claim(DUE, DUE, 0, 10)
    await store.take("live", await device(store), DUE)
    assert await store.agenda() == Agenda(None, END)
    await store.cancel("m", DUE)
    assert await store.agenda() == Agenda(None, None)


@ensureDeferred
async def test_due_message_replaces_the_live_one(store):
    await store.accept([record("old", replace="code"), scheduled("new", replace="code")])
    number = await device(store)
    await note(store, "old", Level.DELIVERED, number)
    [due] = await store.claim(DUE - 20, DUE, 0, 10)
    [ended] = due.superseded
    assert (ended.record.message.id, ended.reason, ended.devices) == (
        "old",
        Reason.REPLACED,
        (number,),
    )
    assert [ended.record] == await kept(store, "old")
    assert ended.record.ended_at_ms == DUE


@ensureDeferred
async def test_of_several_that_are_due_at_once_each_replaces_the_one_before(store):
    """After an outage. What is over already replaces nothing."""
    posted = [
        scheduled(f"m{n}", deliver_at_ms=DUE + n, expires_at_ms=end, replace="code")
        for n, end in enumerate([END, END, 2_050, END, None, None])
    ]
    await store.accept(posted[::-1])
    dues = await store.claim(2_100, 2_100, 0, 10)
    assert [(due.record.message.id, due.record.state) for due in dues] == [
        ("m0", State.LIVE),
        ("m1", State.LIVE),
        ("m2", State.EXPIRED),
        ("m3", State.LIVE),
        ("m4", State.DONE),
        ("m5", State.DONE),
    ]
    assert [[each.record.message.id for each in due.superseded] for due in dues] == [
        [],
        ["m0"],
        [],
        ["m1"],
        ["m3"],
        [],
    ]
    states = [each.state for each in await kept(store, "m0", "m1", "m2", "m3")]
    assert states == [State.CANCELLED, State.CANCELLED, State.EXPIRED, State.CANCELLED]
