"""What every message store promises: what is accepted, and what comes back."""

import attrs
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import gatherResults
from zope.interface.verify import verifyObject

from reward_push.rewards.interfaces import IMessageStore, Kept, Level, Reason
from reward_push.rewards.message import TO_ALL, Audience, AudienceKind, Receipts, State

from .posted import device, kept, note, record, scheduled


async def accept(store, *records):
    """What is kept under the ids of ``records`` now, none of which supersedes anything."""
    answers = await store.accept(records)
    assert all(each == Kept(each.record) for each in answers)
    return [each.record for each in answers]


@ensureDeferred
async def test_provides_the_interface(store):
    assert verifyObject(IMessageStore, store)


@ensureDeferred
async def test_new_record_comes_back_as_the_same_object(store):
    one, two = record("one"), record("two")
    found = await accept(store, one, two)
    assert found[0] is one
    assert found[1] is two


@ensureDeferred
async def test_known_id_gives_the_earlier_record_whatever_its_digest(store):
    first = record("same", digest=b"\x01" * 32)
    await store.accept([first])
    again, other = (
        record("same", digest=b"\x01" * 32),
        record("same", digest=b"\x02" * 32, event="other"),
    )
    [found_again] = await accept(store, again)
    [found_other] = await accept(store, other)
    assert found_again == found_other == first
    assert found_again is not again


@ensureDeferred
async def test_id_that_comes_twice_in_one_call_is_new_once(store):
    first, second = record("same", digest=b"\x01" * 32), record("same", digest=b"\x02" * 32)
    found = await accept(store, first, second)
    assert found[0] is first
    assert found[1] is first
    assert await kept(store, "same") == [first]


@ensureDeferred
async def test_nothing_is_accepted_at_once(store):
    assert await store.accept([]) == []


@ensureDeferred
async def test_large_call_keeps_its_order_among_known_and_repeated_ids(store):
    known = [record(f"m{n}", digest=b"\x09" * 32) for n in range(0, 1000, 7)]
    await store.accept(known)
    posted = [record(f"m{n}") for n in range(1000)]
    posted[501] = record("m3")  # a repetition within the call
    found = await accept(store, *posted)
    for number, (got, given) in enumerate(zip(found, posted, strict=True)):
        if number == 501:
            assert got is posted[3]
        elif number % 7 == 0:
            assert got == known[number // 7]
        else:
            assert got is given


@ensureDeferred
async def test_of_two_calls_at_once_the_first_wins(store):
    one, two = record("same", digest=b"\x01" * 32), record("same", digest=b"\x02" * 32)
    [[first], [second]] = await gatherResults([store.accept([one]), store.accept([two])])
    assert first.record is one
    assert second.record == one


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


@pytest.mark.parametrize("state", [State.SCHEDULED, State.LIVE, State.DONE])
@ensureDeferred
async def test_every_state_comes_back(store, state):
    first = record("m", state)
    await store.accept([first])
    assert await kept(store, "m") == [first]


# Replacing


def code(message_id: str, state: State = State.LIVE, **changes):
    return record(message_id, state, **{"replace": "current", **changes})


@ensureDeferred
async def test_new_live_message_replaces_the_live_one_with_equal_namespace_audience_and_replace(
    store,
):
    await store.accept([code("old")])
    number = await device(store)
    await note(store, "old", Level.SENT, number)
    new = code("new", created_at_ms=1_700)
    [answer] = await store.accept([new])
    assert answer.record is new
    [ended] = answer.superseded
    assert (ended.reason, ended.devices) == (Reason.REPLACED, (number,))
    assert [ended.record] == await kept(store, "old")
    assert (ended.record.state, ended.record.ended_at_ms) == (State.CANCELLED, 1_700)
    assert ended.record.receipts == Receipts(sent=1)
    assert (await kept(store, "new"))[0].state is State.LIVE


@pytest.mark.parametrize(
    "changes",
    [
        {"replace": "other"},
        {"replace": None},
        {"namespace": "/"},
        {"to": Audience(AudienceKind.STREAMER, ("s-43",))},
        {"to": Audience(AudienceKind.STREAMERS, ("s-42",))},
        {"to": Audience(AudienceKind.GROUP, ("s-42",))},
        {"to": TO_ALL},
    ],
)
@ensureDeferred
async def test_message_that_differs_in_one_of_them_replaces_nothing(store, changes):
    await store.accept([code("old")])
    await accept(store, code("new", **changes))
    assert [each.state for each in await kept(store, "old", "new")] == [State.LIVE] * 2


@ensureDeferred
async def test_message_without_an_end_replaces_and_is_not_replaced(store):
    await store.accept([code("old")])
    done, later = code("done", State.DONE), code("later")
    answers = await store.accept([done, later])
    assert [[each.record.message.id for each in it.superseded] for it in answers] == [["old"], []]
    assert await kept(store, "done", "later") == [done, later]


@ensureDeferred
async def test_scheduled_message_replaces_nothing_yet(store):
    await store.accept([code("old")])
    await accept(store, code("new", State.SCHEDULED))
    assert (await kept(store, "old"))[0].state is State.LIVE


@ensureDeferred
async def test_only_live_messages_are_replaced(store):
    posted = [
        code("waits", State.SCHEDULED, deliver_at_ms=9_000),
        code("over"),
        code("done", State.DONE),
    ]
    await store.accept(posted)
    await store.cancel("over", 1_100)
    before = await kept(store, "waits", "over", "done")
    await accept(store, code("new"))
    assert await kept(store, "waits", "over", "done") == before


@ensureDeferred
async def test_of_several_in_one_call_each_replaces_the_one_before(store):
    await store.accept([code("zero")])
    one, two = code("one", created_at_ms=1_100), code("two", created_at_ms=1_200)
    answers = await store.accept([one, record("other"), two, code("one"), code("zero")])
    assert answers[0].record is one
    assert [[each.record.message.id for each in it.superseded] for it in answers] == [
        ["zero"],
        [],
        ["one"],
        [],
        [],
    ]
    assert [it.record.state for it in answers[3:]] == [State.CANCELLED] * 2
    assert [it.record.ended_at_ms for it in answers[3:]] == [1_200, 1_100]
    assert [each.state for each in await kept(store, "two", "other")] == [State.LIVE] * 2


@ensureDeferred
async def test_known_message_that_comes_again_replaces_nothing(store):
    await store.accept([code("old")])
    await store.accept([code("new")])
    assert [each.superseded for each in await store.accept([code("old"), code("old")])] == [(), ()]
    assert (await kept(store, "new"))[0].state is State.LIVE


# The first answer's count


@ensureDeferred
async def test_settled_count_comes_back(store):
    first, other = record("m", State.DONE), record("other", State.DONE)
    await store.accept([first, other])
    assert await store.settle("m", 7) is None
    settled = attrs.evolve(first, receipts=Receipts(sent=7))
    assert await kept(store, "m", "other") == [settled, other]
    assert await accept(store, record("m", State.DONE)) == [settled]


@ensureDeferred
async def test_receipts_that_come_behind_do_not_lower_the_settled_count(store):
    await store.accept([record("m", State.DONE)])
    numbers = [await device(store) for _ in range(3)]
    await store.settle("m", 2)
    await note(store, "m", Level.DELIVERED, numbers[0])
    assert (await kept(store, "m"))[0].receipts == Receipts(2, 1, 0)
    await note(store, "m", Level.SENT, *numbers)
    assert (await kept(store, "m"))[0].receipts == Receipts(3, 1, 0)


@ensureDeferred
async def test_settling_follows_accepting_without_waiting_and_the_last_counts(store):
    first = record("m", State.DONE)
    await gatherResults([store.accept([first]), *(store.settle("m", n) for n in range(1, 200))])
    assert (await kept(store, "m"))[0].receipts == Receipts(sent=199)


@ensureDeferred
async def test_settling_many_messages_changes_each(store):
    await store.accept([record(f"m{n}", State.DONE) for n in range(150)])
    await gatherResults([store.settle(f"m{n}", n) for n in range(150)])
    found = await kept(store, *(f"m{n}" for n in range(150)))
    assert [each.receipts.sent for each in found] == list(range(150))


@ensureDeferred
async def test_settling_what_is_unknown_changes_nothing(store):
    await store.settle("ghost", 3)
    ghost = record("ghost")
    assert (await accept(store, ghost))[0] is ghost


# Asking


@ensureDeferred
async def test_unknown_message_cannot_be_got(store):
    assert await store.get("ghost") is None


async def listed(store, state=None, streamer=None, limit=100):
    """The ids of all pages, and how long the pages were."""
    ids, sizes, cursor = [], [], None
    while True:
        page = await store.page(state, streamer, limit, cursor)
        ids += [each.message.id for each in page.records]
        sizes.append(len(page.records))
        cursor = page.cursor
        if cursor is None:
            return ids, sizes


@ensureDeferred
async def test_empty_store_lists_nothing(store):
    assert await listed(store) == ([], [0])
    assert await listed(store, State.LIVE, "s-42") == ([], [0])


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (6, [5])])
@ensureDeferred
async def test_list_goes_from_the_newest_to_the_oldest_in_pages(store, limit, sizes):
    for name in "cabed":
        await store.accept([record(name)])
    assert await listed(store, limit=limit) == (list("debac"), sizes)
    assert await listed(store, streamer="s-42", limit=limit) == (list("debac"), sizes)
    assert await listed(store, State.LIVE, limit=limit) == (list("debac"), sizes)
    assert await listed(store, State.LIVE, "s-42", limit=limit) == (list("debac"), sizes)


@ensureDeferred
async def test_page_holds_what_get_returns(store):
    await store.accept([record("m")])
    await note(store, "m", Level.SENT, await device(store))
    assert (await store.page(None, None, 10, None)).records == tuple(await kept(store, "m"))


@ensureDeferred
async def test_list_in_one_state_follows_the_messages(store):
    await store.accept([scheduled("a"), scheduled("b"), record("c"), record("d", State.DONE)])
    await store.claim(2_000, 2_000, 0, 1)
    await store.cancel("c", 1_100)
    expected = {"scheduled": ["b"], "live": ["a"], "cancelled": ["c"], "done": ["d"], "expired": []}
    assert {str(each): (await listed(store, each))[0] for each in State} == expected
    of_streamer = {str(each): (await listed(store, each, "s-42"))[0] for each in State}
    assert of_streamer == expected


@ensureDeferred
async def test_list_of_a_streamer_has_what_is_addressed_to_it_by_name(store):
    both = Audience(AudienceKind.STREAMERS, ("s-1", "s-2", "s-1"))
    await store.accept(
        [
            record("one", to=Audience(AudienceKind.STREAMER, ("s-1",))),
            record("both", to=both),
            record("group", to=Audience(AudienceKind.GROUP, ("s-1",))),
            record("all", to=TO_ALL),
        ]
    )
    assert (await listed(store, streamer="s-1"))[0] == ["both", "one"]
    assert (await listed(store, streamer="s-2"))[0] == ["both"]
    assert (await listed(store, streamer="s-3"))[0] == []


@ensureDeferred
async def test_what_comes_while_somebody_leafs_through_does_not_shift_the_pages(store):
    await store.accept([record(f"m{n}") for n in range(4)])
    first = await store.page(None, None, 2, None)
    await store.accept([record("later")])
    second = await store.page(None, None, 2, first.cursor)
    assert [each.message.id for each in second.records] == ["m1", "m0"]
    assert second.cursor is None


@ensureDeferred
async def test_answers_come_in_the_order_of_the_calls(store):
    number = await device(store)
    order: list[int] = []
    makers = [
        lambda n: store.accept([record(f"m{n}")]),
        lambda n: store.settle("m0", n),
        lambda n: store.accept([]) if n % 4 else store.note({}),
        lambda n: store.note({"m0": []}),
        lambda n: store.get("m0"),
        lambda n: store.claim(0, 0, 0, 10),
        lambda n: store.missed(number, "/", [], 0, None, 10),
        lambda n: store.told("m0", [number]),
        lambda n: store.cancel("ghost", 0),
        lambda n: store.open_device("k", "s", "named", 0),
    ]
    calls = [
        makers[n % len(makers)](n).addCallback(lambda _, n=n: order.append(n)) for n in range(60)
    ]
    await gatherResults(calls)
    assert order == list(range(60))
