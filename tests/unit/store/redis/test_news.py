"""What is told in the step that does it."""

import json

import pytest
from pytest_twisted import ensureDeferred

from reward_push.cluster.channels import Channels
from reward_push.cluster.envelope import Canary, EndedNews, LiveNews, encode
from reward_push.cluster.history import BecameLive, History
from reward_push.rewards.interfaces import Level, Reason, Receipt, TakenBack
from reward_push.rewards.message import TO_ALL, Audience, AudienceKind, State
from reward_push.rewards.rooms import rooms_of
from tests.contract.posted import DUE, END, ROOMS, device, note, record, scheduled

from .opened import PREFIX, settle

ROOM = (ROOMS[0],)


def told(news):
    """What news are about: kinds and ids."""
    found = []
    for each in news:
        match each:
            case LiveNews():
                superseded = tuple(it.message_id for it in each.superseded)
                found.append(("due" if each.due else "live", each.message.id, *superseded))
            case EndedNews():
                taken_back = each.taken_back
                found.append((str(taken_back.reason), taken_back.message_id))
            case _:
                found.append(each)
    return found


AUDIENCES = [
    TO_ALL,
    Audience(AudienceKind.STREAMER, ("s-42",)),
    Audience(AudienceKind.STREAMERS, ("s-42",)),
    Audience(AudienceKind.STREAMERS, ("s-42", "s-42")),
    Audience(AudienceKind.STREAMERS, ("s-1", "s-2")),
    Audience(AudienceKind.GROUP, ("eu",)),
]


@pytest.mark.parametrize("to", AUDIENCES, ids=str)
@ensureDeferred
async def test_each_goes_to_the_channel_of_its_audience(opened, listener, to):
    store = opened.store
    await store.accept([record("m", to=to), scheduled("s", to=to)])
    await store.claim(DUE, DUE, 0, 10)
    await store.cancel("m", DUE)
    await store.expire(END, 10)
    channel = Channels("").of("/dropcodes", rooms_of(to))
    assert [each for each, _ in listener.heard()] == [channel] * 4


@ensureDeferred
async def test_message_that_is_due_now_is_told_with_all_it_has(opened, listener):
    posted = record("m", replace="r", once=True, data={"code": "00123"})
    await opened.store.accept([posted])
    [news] = listener.news()
    assert news == LiveNews(news.no, due=False, message=posted.message)
    assert news.no == int(await opened.link.command("GET", "rp:no"))


@ensureDeferred
async def test_message_without_an_end_is_told_too_but_is_nothing_to_heal_from(opened, listener):
    await opened.store.accept([record("m", State.DONE), scheduled("s", expires_at_ms=None)])
    await opened.store.claim(DUE, DUE, 0, 10)
    assert told(listener.news()) == [("live", "m"), ("due", "s")]
    assert await opened.store.news_since(0, 100) == History((), complete=True, more_after=None)


@ensureDeferred
async def test_what_nobody_can_have_had_is_not_told(opened, listener):
    store = opened.store
    await store.accept([scheduled("a"), scheduled("b"), scheduled("c", expires_at_ms=None)])
    await store.accept([scheduled("a")])
    await store.cancel("a", 1_500)
    await store.cancel("a", 1_600)
    assert [each.record.state for each in await store.claim(END, END, END, 10)] == [
        State.EXPIRED
    ] * 2
    await store.settle("b", 1)
    await store.expire(END, 10)
    assert listener.heard() == []


@ensureDeferred
async def test_end_names_the_devices_that_had_it(opened, listener):
    store = opened.store
    await store.accept([record("m"), record("taken", once=True)])
    one, two, three = await device(store, "a"), await device(store), await device(store, "c")
    for name in ("m", "taken"):
        await note(store, name, Level.SENT, two, one, three)
    await store.cancel("m", 1_600)
    await store.take("taken", two, 1_600)
    _, _, cancelled, taken = listener.news()
    assert cancelled.taken_back == TakenBack(
        "m", "/dropcodes", ROOM, Reason.CANCELLED, tuple(sorted([one, two, three]))
    )
    assert taken.taken_back == TakenBack(
        "taken", "/dropcodes", ROOM, Reason.TAKEN, tuple(sorted([one, three])), but=two
    )


@pytest.mark.parametrize(("count", "listed"), [(500, True), (501, False)])
@ensureDeferred
async def test_very_many_devices_are_not_listed_but_can_be_asked_for(
    opened, listener, count, listed
):
    store = opened.store
    await store.accept([record("m")])
    numbers = [await device(store) for _ in range(count)]
    await note(store, "m", Level.SENT, *numbers)
    other = await device(store)
    _, ended = await store.cancel("m", 1_600)
    [_, news] = listener.news()
    expected = tuple(sorted(numbers)) if listed else None
    assert ended.devices == news.taken_back.devices == expected
    assert await store.had("m", [other, *numbers]) == numbers
    [again] = (await store.news_since(0, 10)).news
    assert again.taken_back.devices == expected


@ensureDeferred
async def test_what_is_replaced_is_told_with_its_successor(opened, listener):
    store = opened.store
    await store.accept([record("old", replace="r")])
    number = await device(store)
    await note(store, "old", Level.SENT, number)
    await store.accept([record("new", replace="r"), scheduled("due", replace="r")])
    await store.claim(DUE, DUE, 0, 10)
    _, live, due = listener.news()
    assert told([live, due]) == [("live", "new", "old"), ("due", "due", "new")]
    assert live.superseded == (TakenBack("old", "/dropcodes", ROOM, Reason.REPLACED, (number,)),)


@ensureDeferred
async def test_what_is_replaced_in_the_call_it_came_in_is_never_shown(opened, listener):
    """What it had replaced itself is left to the one that is shown."""
    store = opened.store
    await store.accept([record("zero", replace="r")])
    listener.news()
    await store.accept([record(name, replace="r") for name in ("one", "two", "three")])
    assert told(listener.news()) == [("live", "three", "zero")]
    await store.accept([scheduled(name, replace="r") for name in ("a", "b")])
    await store.accept([scheduled("c", replace="r", expires_at_ms=None)])
    await store.claim(DUE, DUE, 0, 10)
    assert told(listener.news()) == [("due", "c", "three")]


@ensureDeferred
async def test_nothing_is_told_twice(two, listener):
    """Whatever a second node asks for that is done already."""
    first, second = [each.store for each in two]
    for store in (first, second):
        await store.accept([record("m", once=True), scheduled("s")])
        await store.claim(DUE, DUE, 0, 10)
        await store.take("m", await device(store), DUE)
        await store.expire(END, 10)
    assert told(listener.news()) == [("live", "m"), ("due", "s"), ("taken", "m"), ("expired", "s")]


BODIES = [
    None,
    "00123",
    '™ \u2028 \x00 \U0001f381 "quoted" \\ /',
    123456789012345678901234567890,
    1.5e300,
    {"deep": [[[{"1": [0.1, -0.0, True, None, {}]}]]], "": []},
    "x" * 16_384,
]


@pytest.mark.parametrize("data", BODIES, ids=lambda data: str(data)[:12])
@ensureDeferred
async def test_body_is_told_as_it_is_kept(opened, listener, data):
    posted = record("m", data=data, event="é")
    await opened.store.accept([posted, scheduled("s", data=data)])
    await opened.store.claim(DUE, DUE, 0, 10)
    [(_, live), (_, due)] = listener.heard()
    for text, name in ((live, "m"), (due, "s")):
        kept = await opened.link.command("GET", f"rp:b:{name}")
        assert f'"message":{kept},' in text
        assert json.dumps(json.loads(text)["message"]["data"]) == json.dumps(data)


@ensureDeferred
async def test_scripts_and_nodes_write_news_alike(opened, listener):
    """But for what JSON leaves open: escapes and the order of names."""
    store = opened.store
    await store.accept([record("m", replace="r"), record("n", once=True)])
    one = await device(store, "a")
    await note(store, "m", Level.SENT, one)
    await store.accept([record("new", replace="r")])
    await store.take("n", one, 1_600)
    await store.canary("node1")
    heard = listener.heard()
    assert len(heard) == 5
    for _, text in heard:
        from_script = json.loads(text)
        from_node = json.loads(encode(decoded(text)))
        for each in from_script.get("superseded", ()):
            del each["no"]  # It is that of the whole.
        assert from_script == from_node


def decoded(text):
    from reward_push.cluster.envelope import decode

    return decode(text)


# Their order


@ensureDeferred
async def test_numbers_rise_in_the_order_in_which_things_happen(two, listener):
    """Two nodes at once: what is heard first has the smaller number, and happened first."""
    calls = []
    for n in range(60):
        store = two[n % 2].store
        calls.append(store.accept([record(f"m{n}", replace=f"r{n % 3}")]))
        calls.append(store.cancel(f"m{n // 2}", 1_600))
        calls.append(store.expire(1_000, 10))
    await settle(*calls)
    news = listener.news()
    numbers = [each.no for each in news]
    assert numbers == sorted(set(numbers))
    ended: set[str] = set()
    for each in news:
        if isinstance(each, LiveNews):
            assert each.message.id not in ended
            ended |= {it.message_id for it in each.superseded}
        else:
            assert each.taken_back.message_id not in ended
            ended.add(each.taken_back.message_id)
    live_order = await two[0].link.command("ZRANGE", "rp:live:/dropcodes|streamer:s-42", 0, -1)
    heard = [each.message.id for each in news if isinstance(each, LiveNews)]
    assert [name for name in heard if name not in ended] == live_order


# Healing


@ensureDeferred
async def test_history_tells_what_is_live_and_what_has_ended(opened, listener):
    store = opened.store
    await store.accept([record("old", replace="r"), record("gone"), record("stays", to=TO_ALL)])
    number = await device(store)
    await note(store, "gone", Level.SENT, number)
    _, ended = await store.cancel("gone", 1_600)
    await store.accept([record("new", replace="r")])
    heard = listener.news()
    history = await store.news_since(0, 100)
    assert (history.complete, history.more_after) == (True, None)
    stays, gone, first, second = history.news
    assert stays == BecameLive(heard[2].no, "stays", "/dropcodes", ("all",))
    assert gone == heard[3] == EndedNews(heard[3].no, ended.taken_back())
    # One step, one number.
    assert {first, second} == {
        BecameLive(heard[4].no, "new", "/dropcodes", ROOM),
        EndedNews(heard[4].no, heard[4].superseded[0]),
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@ensureDeferred
async def test_history_comes_in_pages_that_leave_nothing_out(opened, listener, limit):
    store = opened.store
    for n in range(12):
        await store.accept([record(f"m{n}", replace="r" if n % 2 else None)])
    await store.cancel("m4", 1_600)
    heard = listener.news()
    for after in (0, heard[3].no):
        found, cursor = [], after
        while cursor is not None:
            page = await store.news_since(cursor, limit)
            assert page.news or page.more_after is not None or cursor != after
            found += page.news
            cursor = page.more_after
        whole = await store.news_since(after, 1_000)
        assert found == list(whole.news)
        assert all(each.no > after for each in found)
        live = {each.message_id for each in found if isinstance(each, BecameLive)}
        over = {each.taken_back.message_id for each in found if isinstance(each, EndedNews)}
        expected = {each.message.id for each in heard if isinstance(each, LiveNews)}
        if after == 0:
            assert live | over == expected


@ensureDeferred
async def test_news_that_were_forgotten_make_the_history_incomplete(opened, listener):
    store = opened.store
    await store.accept([record(f"m{n}") for n in range(5)])
    numbers = [each.no for each in listener.news()]
    # All but the last two are too many.
    args = ("rp:", 3_600_000, 2, 100)
    from reward_push.store.redis.scripts import TRIM

    assert await opened.link.run(TRIM, args) == 0
    assert [(await store.news_since(no, 10)).complete for no in [0, *numbers]] == [
        *([False] * 3),
        *([True] * 3),
    ]
    assert len((await store.news_since(0, 10)).news) == 2


@ensureDeferred
async def test_old_news_are_forgotten_in_small_pieces(opened, redis):
    """By their age, which their numbers tell."""
    from reward_push.store.redis.scripts import TRIM

    now_us = int(redis.call("TIME")[0]) * 1_000_000
    for n in range(25):
        redis.call("ZADD", "rp:news", now_us - 3_700_000_000 + n, f"E:old{n}")
    redis.call("ZADD", "rp:news", now_us - 3_500_000_000, "E:young")
    more = [await opened.link.run(TRIM, ("rp:", 3_600_000, 1_000, 10)) for _ in range(4)]
    assert more == [1, 1, 0, 0]
    assert redis.call("ZRANGE", "rp:news", 0, -1) == ["E:young"]
    assert int(redis.call("GET", "rp:gone")) == now_us - 3_700_000_000 + 24


# The canary


@ensureDeferred
async def test_canary_tells_the_number_that_was_reached(opened, listener):
    store = opened.store
    assert await store.canary("n1") == 0
    await store.accept([record("m")])
    number = await store.canary("n1")
    await store.accept([record("n")])
    first, (_, live), second, (_, later) = listener.heard()
    assert first == ("node:n1", encode(Canary(0)))
    assert second == ("node:n1", encode(Canary(number)))
    assert json.loads(live)["no"] <= number < json.loads(later)["no"]


@ensureDeferred
async def test_what_nodes_say_to_each_other_is_published(opened, listener):
    assert await opened.store.publish(f"{PREFIX}nodes", "hello ™") is None
    assert listener.heard() == [("nodes", "hello ™")]


@ensureDeferred
async def test_receipts_are_not_news(opened, listener):
    await opened.store.accept([record("m")])
    listener.heard()
    number = await device(opened.store, "a")
    await opened.store.note({"m": [Receipt(number, Level.ACKED, 1_500)]})
    await opened.store.owed(number, "/dropcodes")
    await opened.store.told("m", [number])
    assert listener.heard() == []
