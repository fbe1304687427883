"""What every message store promises."""

import attrs
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import gatherResults
from zope.interface.verify import verifyObject

from reward_push.rewards.interfaces import IMessageStore
from reward_push.rewards.message import (
    TO_ALL,
    Audience,
    AudienceKind,
    Message,
    MessageRecord,
    Receipts,
    State,
)


def record(message_id: str, digest: bytes = b"\x01" * 32, **changes) -> MessageRecord:
    message = Message(
        id=message_id,
        namespace="/dropcodes",
        event="dropcode",
        to=Audience(AudienceKind.STREAMER, ("s-42",)),
        data={"code": "K7Q-PLX"},
        created_at_ms=1_000,
        deliver_at_ms=1_000,
    )
    return MessageRecord(attrs.evolve(message, **changes), digest, State.LIVE)


async def kept(store, *ids: str) -> list[MessageRecord]:
    """What the store has under ``ids``, which it must know."""
    probes = [record(each, b"\xff" * 32) for each in ids]
    found = await store.accept(probes)
    assert not any(one is other for one, other in zip(found, probes, strict=True))
    return found


@ensureDeferred
async def test_provides_the_interface(store):
    assert verifyObject(IMessageStore, store)


@ensureDeferred
async def test_new_record_comes_back_as_the_same_object(store):
    one, two = record("one"), record("two")
    found = await store.accept([one, two])
    assert found[0] is one
    assert found[1] is two


@ensureDeferred
async def test_known_id_gives_the_earlier_record_whatever_its_digest(store):
    first = record("same", b"\x01" * 32)
    await store.accept([first])
    again, other = record("same", b"\x01" * 32), record("same", b"\x02" * 32, event="other")
    [found_again] = await store.accept([again])
    [found_other] = await store.accept([other])
    assert found_again == found_other == first
    assert found_again is not again


@ensureDeferred
async def test_id_that_comes_twice_in_one_call_is_new_once(store):
    first, second = record("same", b"\x01" * 32), record("same", b"\x02" * 32)
    found = await store.accept([first, second])
    assert found[0] is first
    assert found[1] is first
    assert await kept(store, "same") == [first]


@ensureDeferred
async def test_nothing_is_accepted_at_once(store):
    assert await store.accept([]) == []


@ensureDeferred
async def test_large_call_keeps_its_order_among_known_and_repeated_ids(store):
    known = [record(f"m{n}", b"\x09" * 32) for n in range(0, 1000, 7)]
    await store.accept(known)
    posted = [record(f"m{n}") for n in range(1000)]
    posted[501] = record("m3")  # a repetition within the call
    found = await store.accept(posted)
    for number, (got, given) in enumerate(zip(found, posted, strict=True)):
        if number == 501:
            assert got is posted[3]
        elif number % 7 == 0:
            assert got == known[number // 7]
        else:
            assert got is given


@ensureDeferred
async def test_of_two_calls_at_once_the_first_wins(store):
    one, two = record("same", b"\x01" * 32), record("same", b"\x02" * 32)
    [[first], [second]] = await gatherResults([store.accept([one]), store.accept([two])])
    assert first is one
    assert second == one


@pytest.mark.parametrize(
    "changes",
    [
        {"data": None},
        {"data": [1, -1.5, True, None, "", {"": []}]},
        {"data": 123456789012345678901234567890},
        {"data": "™ \u2028 \x00 \U0001f381"},
        {"data": "x" * 16384},
        {"to": TO_ALL},
        {"to": Audience(AudienceKind.STREAMERS, ("s-1", "s-2"))},
        {"to": Audience(AudienceKind.GROUP, ("eu",))},
        {"deliver_at_ms": 1_500, "expires_at_ms": 31_500, "replace": "current-code", "once": True},
        {"namespace": "/", "event": "é"},
    ],
)
@ensureDeferred
async def test_message_comes_back_as_it_was(store, changes):
    first = record("m", **changes)
    await store.accept([first])
    assert await kept(store, "m") == [first]


@pytest.mark.parametrize("state", list(State))
@ensureDeferred
async def test_every_state_comes_back(store, state):
    first = attrs.evolve(record("m"), state=state, ended_at_ms=1_234, receipts=Receipts(3, 2, 1))
    await store.accept([first])
    assert await kept(store, "m") == [first]


@ensureDeferred
async def test_settled_state_and_receipts_replace_the_earlier(store):
    first, other = record("m"), record("other")
    await store.accept([first, other])
    settled = attrs.evolve(
        first, state=State.DONE, ended_at_ms=2_000, receipts=Receipts(sent=7, delivered=5, acked=2)
    )
    assert await store.settle(settled) is None
    assert await kept(store, "m", "other") == [settled, other]


@ensureDeferred
async def test_settling_follows_accepting_without_waiting_and_the_last_counts(store):
    first = record("m")
    steps = [attrs.evolve(first, receipts=Receipts(sent=sent)) for sent in range(1, 200)]
    await gatherResults([store.accept([first]), *map(store.settle, steps)])
    assert await kept(store, "m") == [steps[-1]]


@ensureDeferred
async def test_settling_many_messages_changes_each(store):
    records = [record(f"m{n}") for n in range(150)]
    await store.accept(records)
    settled = [
        attrs.evolve(each, receipts=Receipts(sent=number)) for number, each in enumerate(records)
    ]
    await gatherResults(list(map(store.settle, settled)))
    assert await kept(store, *(f"m{n}" for n in range(150))) == settled


@ensureDeferred
async def test_settling_what_is_unknown_changes_nothing(store):
    await store.settle(record("ghost"))
    ghost = record("ghost")
    assert (await store.accept([ghost]))[0] is ghost


@ensureDeferred
async def test_answers_come_in_the_order_of_the_calls(store):
    order: list[int] = []
    calls = []
    for number in range(50):
        call = store.settle(record("m")) if number % 3 else store.accept([record(f"m{number}")])
        calls.append(call.addCallback(lambda _, number=number: order.append(number)))
    await gatherResults(calls)
    assert order == list(range(50))
