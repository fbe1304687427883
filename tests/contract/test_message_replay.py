"""What every message store promises: what a device that connects has missed."""

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import gatherResults

from reward_push.rewards.interfaces import Level, Missed
from reward_push.rewards.message import TO_ALL, Audience, AudienceKind, State
from reward_push.rewards.rooms import group_room, rooms_of, streamer_room

from .posted import DUE, END, device, missed, note, page_of, record, scheduled


@ensureDeferred
async def test_nothing_was_missed_in_an_empty_store(store):
    assert await page_of(store, await device(store)) == Missed((), None)
    assert await page_of(store, await device(store), rooms=[]) == Missed((), None)


@ensureDeferred
async def test_messages_come_as_they_were_posted(store):
    posted = record("m", data={"a": [1, None]}, replace="r", once=True)
    await store.accept([posted])
    assert await page_of(store, await device(store)) == Missed((posted.message,), None)


@ensureDeferred
async def test_order_is_that_in_which_they_became_live(store):
    await store.accept([scheduled("later"), record("a"), record("b")])
    await store.claim(DUE, DUE, 0, 10)
    await store.accept([record("c")])
    assert await missed(store, await device(store), DUE) == ["a", "b", "later", "c"]


@pytest.mark.parametrize(
    ("level", "again"), [(Level.SENT, ["m"]), (Level.DELIVERED, []), (Level.ACKED, [])]
)
@ensureDeferred
async def test_what_the_device_has_had_does_not_come_again(store, level, again):
    await store.accept([record("m")])
    number, other = await device(store), await device(store)
    await note(store, "m", level, number)
    assert await missed(store, number) == again
    assert await missed(store, other) == ["m"]


@ensureDeferred
async def test_only_what_is_live_comes(store):
    await store.accept(
        [
            scheduled("waits"),
            record("done", State.DONE),
            record("cancelled"),
            record("taken", once=True),
            record("old", replace="code"),
            record("short", expires_at_ms=1_400),
            record("live"),
        ]
    )
    await store.cancel("cancelled", 1_100)
    await store.take("taken", await device(store), 1_100)
    await store.accept([record("new", replace="code")])
    await store.expire(1_400, 10)
    assert await missed(store, await device(store)) == ["live", "new"]


@pytest.mark.parametrize(
    ("now_ms", "ids"), [(DUE - 1, ["m"]), (DUE, ["m"]), (END - 1, ["m"]), (END, [])]
)
@ensureDeferred
async def test_from_its_claim_to_its_end_it_comes(store, now_ms, ids):
    """Also before it is due: claimed early, or by a clock that was set back since. Who asks has to wait."""
    await store.accept([scheduled("m")])
    await store.claim(DUE - 20, DUE, 0, 10)
    assert await missed(store, await device(store), now_ms) == ids


@ensureDeferred
async def test_message_comes_to_the_rooms_of_its_audience(store):
    audiences = {
        "one": Audience(AudienceKind.STREAMER, ("s-1",)),
        "several": Audience(AudienceKind.STREAMERS, ("s-1", "s-2")),
        "group": Audience(AudienceKind.GROUP, ("eu",)),
        "all": TO_ALL,
    }
    await store.accept([record(name, to=to) for name, to in audiences.items()])
    await store.accept([record("elsewhere", to=TO_ALL, namespace="/")])
    number = await device(store)
    rooms = {room for to in audiences.values() for room in rooms_of(to)}
    for room in [*rooms, "streamer:s-9"]:
        expected = [name for name, to in audiences.items() if room in rooms_of(to)]
        assert await missed(store, number, rooms=[room]) == expected
    assert await missed(store, number, namespace="/", rooms=rooms_of(TO_ALL)) == ["elsewhere"]


@ensureDeferred
async def test_message_that_comes_by_several_rooms_comes_once(store):
    both = Audience(AudienceKind.STREAMERS, ("s-1", "s-2"))
    await store.accept([record("a", to=TO_ALL), record("b", to=both), record("c", to=TO_ALL)])
    rooms = [*rooms_of(both), *rooms_of(TO_ALL), *rooms_of(TO_ALL), group_room("eu")]
    number = await device(store)
    assert await missed(store, number, rooms=rooms) == ["a", "b", "c"]
    page = await page_of(store, number, rooms=rooms, limit=2)
    assert [each.id for each in page.messages] == ["a", "b"]
    assert page.cursor is not None


async def _all_pages(store, number, limit, between=None):
    pages, cursor = [], None
    while True:
        page = await page_of(store, number, limit=limit, cursor=cursor)
        pages.append([each.id for each in page.messages])
        cursor = page.cursor
        if cursor is None:
            return pages
        if between is not None:
            await between(len(pages))


@pytest.mark.parametrize(
    ("limit", "sizes"), [(1, [1] * 6), (2, [2, 2, 2]), (4, [4, 2]), (6, [6]), (100, [6])]
)
@ensureDeferred
async def test_pages_follow_each_other(store, limit, sizes):
    names = [f"m{n}" for n in range(6)]
    await store.accept([record(name) for name in names])
    pages = await _all_pages(store, await device(store), limit)
    assert [len(page) for page in pages] == sizes
    assert [name for page in pages for name in page] == names


@ensureDeferred
async def test_pages_skip_what_the_device_has_had(store):
    await store.accept([record(f"m{n}") for n in range(40)])
    number = await device(store)
    for n in range(40):
        if n % 5:
            await note(store, f"m{n}", Level.DELIVERED, number)
    pages = await _all_pages(store, number, 3)
    assert pages == [["m0", "m5", "m10"], ["m15", "m20", "m25"], ["m30", "m35"]]


@ensureDeferred
async def test_what_becomes_live_or_ends_between_two_pages_shows_in_the_next(store):
    await store.accept([scheduled("s", deliver_at_ms=1_400), *(record(f"m{n}") for n in range(4))])

    async def between(number_of_pages):
        if number_of_pages == 1:
            await store.cancel("m0", 1_450)
            await store.cancel("m2", 1_450)
            await store.claim(1_450, 1_450, 0, 10)
        elif number_of_pages == 2:
            await store.accept([record("last")])

    pages = await _all_pages(store, await device(store), 2, between)
    assert pages == [["m0", "m1"], ["m3", "s"]]


@ensureDeferred
async def test_cursor_stays_good_when_all_that_was_live_has_ended(store):
    """The places of messages that became live never come again."""
    await store.accept([record("a"), record("b")])
    number = await device(store)
    page = await page_of(store, number, limit=1)
    await store.expire(END, 10)
    await store.accept([record("c", expires_at_ms=9_000)])
    later = await page_of(store, number, cursor=page.cursor)
    assert [each.id for each in later.messages] == ["c"]


@ensureDeferred
async def test_many_that_ask_at_once_get_each_its_own(store):
    streamers = [f"s-{n}" for n in range(30)]
    await store.accept(
        [
            *(
                record(f"to-{name}", to=Audience(AudienceKind.STREAMER, (name,)))
                for name in streamers
            ),
            record("all", to=TO_ALL),
        ]
    )
    numbers = [await device(store, streamer=name) for name in streamers]
    await note(store, "all", Level.DELIVERED, *numbers[::3])
    answers = await gatherResults(
        [
            missed_by(store, number, name, limit=1 + place % 2)
            for place, (number, name) in enumerate(zip(numbers, streamers, strict=True))
        ]
    )
    for place, (answer, name) in enumerate(zip(answers, streamers, strict=True)):
        expected = [f"to-{name}"] + (["all"] if place % 3 else [])
        limit = 1 + place % 2
        assert [each.id for each in answer.messages] == expected[:limit]
        assert (answer.cursor is None) is (len(expected) <= limit)


def missed_by(store, number, streamer, limit):
    rooms = [streamer_room(streamer), *rooms_of(TO_ALL)]
    return store.missed(number, "/dropcodes", rooms, 1_500, None, limit)


@pytest.mark.parametrize(("since_ms", "again"), [(1_500, []), (1_501, ["m"]), (None, ["m"])])
@ensureDeferred
async def test_what_is_on_its_way_to_a_connection_that_stands_was_not_missed(
    store, since_ms, again
):
    await store.accept([record("m")])
    number, other = await device(store), await device(store)
    await note(store, "m", Level.SENT, number, at_ms=1_500)
    assert await missed(store, number, since_ms=since_ms) == again
    assert await missed(store, other, since_ms=since_ms) == ["m"]


@ensureDeferred
async def test_who_had_a_message_is_known_while_it_is_kept(store):
    await store.accept([record("m"), record("other")])
    first, second, third = [await device(store) for _ in range(3)]
    await note(store, "m", Level.SENT, first)
    await note(store, "m", Level.ACKED, second)
    await note(store, "other", Level.SENT, third)
    assert sorted(await store.had("m", [first, second, third])) == sorted([first, second])
    assert await store.had("m", [third]) == []
    assert await store.had("m", []) == []
    assert await store.had("unknown", [first]) == []
    await store.cancel("m", 1_600)
    assert await store.had("m", [first]) == [first]
