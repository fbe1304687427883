"""What is Redis' own: several nodes, forgotten scripts, deadlines, numbers, lost data."""

from itertools import pairwise
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import gatherResults

from reward_push.access.interfaces import Key, KeyExists, KeyKind, StoredKey, StoreUnavailable
from reward_push.cluster.device_text import to_text
from reward_push.cluster.envelope import KeyNews
from reward_push.rewards.interfaces import Level, Receipt
from reward_push.rewards.message import TO_ALL, Audience, AudienceKind, State
from reward_push.store.redis import scripts, steps
from tests.contract.posted import DUE, END, device, kept, missed, note, page_of, record, scheduled

from .invariants import Contents, check
from .opened import DAY_MS, settle

REDIS_MD = Path(__file__).parents[4] / "docs" / "redis.md"

# Several nodes


@ensureDeferred
async def test_of_two_nodes_that_claim_at_once_each_message_has_one(two):
    names = [f"m{n}" for n in range(100)]
    await two[0].store.accept([scheduled(name) for name in names])
    calls = [two[n % 2].store.claim(DUE, DUE, 0, 7) for n in range(40)]
    claimed = [due.record.message.id for dues in await settle(*calls) for due in dues]
    assert sorted(claimed) == sorted(names)


@ensureDeferred
async def test_of_two_nodes_that_end_at_once_each_message_has_one(two):
    names = [f"m{n}" for n in range(50)]
    await two[0].store.accept([record(name) for name in names])
    calls = [two[n % 2].store.expire(END, 3) for n in range(40)]
    assert sorted(
        each.record.message.id for some in await settle(*calls) for each in some
    ) == sorted(names)


@ensureDeferred
async def test_of_many_that_take_over_two_nodes_one_has_it(two, redis):
    for n in range(20):
        await two[0].store.accept([record(f"m{n}", once=True)])
        numbers = [await device(two[k % 2].store) for k in range(6)]
        calls = [two[k % 2].store.take(f"m{n}", number, 1_600) for k, number in enumerate(numbers)]
        won = [each for each in await settle(*calls) if each is not None]
        assert len(won) == 1
        _, receipts = await two[1].store.get(f"m{n}")
        assert [each.level for each in receipts] == [Level.ACKED]
    check(redis)


@ensureDeferred
async def test_of_messages_that_replace_each_other_over_two_nodes_one_is_live(two, redis):
    calls = [two[n % 2].store.accept([record(f"m{n}", replace="r")]) for n in range(40)]
    answers = await settle(*calls)
    superseded = [each.record.message.id for [kept_now] in answers for each in kept_now.superseded]
    assert len(superseded) == len(set(superseded)) == 39
    [live] = await missed(two[0].store, await device(two[0].store))
    assert {live, *superseded} == {f"m{n}" for n in range(40)}
    check(redis)


@ensureDeferred
async def test_of_two_nodes_that_accept_one_id_at_once_one_has_it(two):
    first, second = record("m", digest=b"\x01" * 32), record("m", digest=b"\x02" * 32)
    [[one], [other]] = await settle(two[0].store.accept([first]), two[1].store.accept([second]))
    assert one.record == other.record
    assert (one.record is first) is not (other.record is second)


@ensureDeferred
async def test_devices_are_the_same_on_all_nodes(two):
    first, second = [await each.store.open_device("key-1", "s-42", "obs", 1_000) for each in two]
    assert first == second
    nameless = [
        (await two[n % 2].store.open_device("key-1", "s-42", None, 1_000)).number for n in range(40)
    ]
    assert len({*nameless, first.number}) == 41


@ensureDeferred
async def test_what_one_node_knows_of_a_device_all_do(two):
    await two[0].store.accept([record("m"), record("n")])
    number = await device(two[0].store, "obs")
    await note(two[0].store, "m", Level.DELIVERED, number)
    assert await missed(two[1].store, number) == ["n"]
    await two[1].store.cancel("m", 1_600)
    assert [each.message_id for each in await two[0].store.owed(number, "/dropcodes")] == ["m"]


# Scripts


@ensureDeferred
async def test_scripts_survive_being_forgotten(opened, redis):
    store = opened.store
    await store.accept([record("m")])
    redis.call("SCRIPT", "FLUSH")
    calls = [store.get("m"), store.accept([record("n")]), store.cancel("m", 1_600)]
    redis.call("SCRIPT", "FLUSH")
    found, _, (cancelled, _) = await settle(*calls)
    assert (found[0].state, cancelled.state) == (State.LIVE, State.CANCELLED)
    assert (await kept(store, "n"))[0].state is State.LIVE


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
@ensureDeferred
async def test_every_script_is_one_that_redis_understands(opened, script):
    """And knows by the same sum."""
    assert await opened.link.command("SCRIPT", "LOAD", script.source) == script.sha1


def test_all_scripts_there_are_are_used():
    folder = scripts._FOLDER
    used = {script.name for script in scripts.ALL}
    parts = {"prelude", "messages", "ending", "becoming", "devices", "keys"}
    assert {path.name for path in folder.iterdir()} == {f"{name}.lua" for name in used | parts}


# What Redis refuses

ANOTHER_KEY = StoredKey(Key("b" * 12, KeyKind.BACKEND, 0), bytes(32))
STEPS = {
    "accept": lambda store, _: store.accept([record("new", replace="r"), scheduled("waits")]),
    "claim": lambda store, _: store.claim(DUE, DUE, 0, 10),
    "expire": lambda store, _: store.expire(END, 10),
    "cancel": lambda store, _: store.cancel("m", 1_600),
    "take": lambda store, number: store.take("once", number, 1_600),
    "settle": lambda store, _: store.settle("m", 7),
    "note": lambda store, number: store.note({"m": [Receipt(number, Level.ACKED, 1_500)]}),
    "told": lambda store, number: store.told("gone", [number]),
    "owed": lambda store, number: store.owed(number, "/dropcodes"),
    "open_device": lambda store, _: store.open_device("k", "s", "new", 1_000),
    "remove_key": lambda store, _: store.remove_key("a" * 12),
    "restore_keys": lambda store, _: store.restore_keys([ANOTHER_KEY], []),
    "restore_revoked": lambda store, _: store.restore_keys([], ["a" * 12]),
    "note_used": lambda store, _: store.note_used({"a" * 12: 5}),
    "meet": lambda store, _: store.meet("epoch"),
}
NEEDS_NO_MEMORY = {"claim", "told", "owed", "remove_key", "restore_revoked"}
"""They remove something first, if they change anything; what comes then is not refused any more."""


@pytest.mark.parametrize("step", STEPS)
@ensureDeferred
async def test_what_a_redis_without_memory_refuses_is_not_half_done(opened, redis, step):
    store = opened.store
    number = await device(store, "obs")
    await store.add_key(StoredKey(Key("a" * 12, KeyKind.BACKEND, 0), bytes(32)))
    await store.accept(
        [
            *(record(name, replace=name) for name in ("m", "r", "gone")),
            record("once", once=True),
            scheduled("s", replace="r"),
        ]
    )
    await note(store, "gone", Level.SENT, number)
    await store.cancel("gone", 1_600)
    before = Contents(redis).values
    redis.call("CONFIG", "SET", "maxmemory", 1)
    try:
        [outcome] = await settle(STEPS[step](store, number))
        after = Contents(redis).values
    finally:
        redis.call("CONFIG", "SET", "maxmemory", 0)
    check(redis)
    assert isinstance(outcome, Exception) is (step not in NEEDS_NO_MEMORY)
    if step not in NEEDS_NO_MEMORY:
        assert str(outcome) == "Redis is out of memory"
        assert after == before
    await STEPS[step](store, number)
    check(redis)


@ensureDeferred
async def test_redis_without_memory_can_still_be_cleaned_up(opened, redis):
    store = opened.reopened(retention_s=1.0)
    await store.accept([record(f"m{n}", State.DONE) for n in range(5)])
    redis.call("ZADD", "rp:news", 1, "E:old")
    opened.now_ms = 10_000
    redis.call("CONFIG", "SET", "maxmemory", 1)
    try:
        await store.maintain()
    finally:
        redis.call("CONFIG", "SET", "maxmemory", 0)
    assert set(redis.call("KEYS", "*")) == {"rp:no", "rp:gone"}


@pytest.mark.parametrize("step", [*STEPS, "the rest"])
@ensureDeferred
async def test_rights_that_the_documents_ask_for_are_enough(opened, redis, step):
    [line] = [each for each in REDIS_MD.read_text().splitlines() if "~rp:*" in each]
    rights = line.strip().removesuffix(".").strip("`").split()
    redis.call("ACL", "SETUSER", "node", "reset", "on", ">secret", *rights)
    store = opened.store
    try:
        await opened.link.command("AUTH", "node", "secret")
        await store.accept([record("m"), record("once", once=True), scheduled("s")])
        number = await device(store, "obs")
        await note(store, "m", Level.SENT, number)
        if step in STEPS:
            await STEPS[step](store, number)
        else:
            await store.maintain()
            assert store.healthy() is None
            await store.canary("n1")
            await store.news_since(0, 10)
            await store.publish("rp:nodes", "x")
            await store.add_key(StoredKey(Key("a" * 12, KeyKind.BACKEND, 0), bytes(32)))
            await store.page_keys(10, None)
            await store.get_key("a" * 12)
            await store.get("m")
            await store.page(None, None, 10, None)
            await store.had("m", [number])
            await store.agenda()
            assert await missed(store, number) == ["m", "once"]
        for outside in (("GET", "other"), ("PUBLISH", "other", "x"), ("FLUSHALL",)):
            with pytest.raises(StoreUnavailable, match="lacks a right"):
                await opened.link.command(*outside)
    finally:
        redis.call("ACL", "DELUSER", "node")


# Deadlines


@ensureDeferred
async def test_what_comes_after_its_deadline_is_not_done(opened, redis, listener):
    opened.patience_ms = -1
    posted = opened.store.accept([record("m")])
    key = opened.store.add_key(StoredKey(Key("aaaaaaaaaaaa", KeyKind.BACKEND, 0), bytes(32)))
    for refused in await settle(posted, key):
        assert isinstance(refused, StoreUnavailable)
    assert redis.call("KEYS", "*") == []
    assert listener.heard() == []
    opened.patience_ms = 60_000
    fresh = record("m")
    assert (await opened.store.accept([fresh]))[0].record is fresh


# Numbers


@ensureDeferred
async def test_numbers_go_by_redis_clock_and_never_come_again(opened, redis):
    seconds = int(redis.call("TIME")[0])
    await opened.store.accept([record("m")])
    first = int(redis.call("GET", "rp:no"))
    assert seconds * 1_000_000 <= first < (seconds + 60) * 1_000_000
    # It came back empty, or a replica took over that had heard of nothing.
    redis.call("FLUSHALL")
    await opened.store.accept([record("m")])
    assert int(redis.call("HGET", "rp:m:m", "seq")) > first
    # Its clock was set back.
    ahead = first + 10**12
    redis.call("SET", "rp:no", ahead)
    await opened.store.accept([record("n")])
    assert int(redis.call("HGET", "rp:m:n", "seq")) == ahead + 1


@ensureDeferred
async def test_numbers_are_exact(opened, redis):
    """Beyond 2**51, where a float of Lua still counts one by one, and its own text would not."""
    redis.call("SET", "rp:no", 2**52)
    await opened.store.accept([record(f"m{n}", replace="r") for n in range(5)])
    numbers = [int(redis.call("HGET", f"rp:m:m{n}", "seq")) for n in range(5)]
    assert numbers[0] == 2**52 + 1
    assert all(before < after for before, after in pairwise(numbers))
    assert int(redis.call("GET", "rp:no")) > numbers[-1]
    check(redis)
    number = await device(opened.store, "obs")
    await note(opened.store, "m4", Level.SENT, number)
    _, ended = await opened.store.cancel("m4", 1_600)
    assert ended.devices == (number,)


# A node that comes, and data that are lost


@ensureDeferred
async def test_first_node_makes_the_epoch_and_all_others_find_it(two, redis):
    assert await two[0].store.meet("one") == "one"
    assert await two[1].store.meet("two") == "one"
    assert await two[0].store.meet("three") == "one"
    assert await two[1].store.epoch() == "one"
    redis.call("FLUSHALL")
    assert await two[1].store.epoch() is None
    assert await two[1].store.meet("four") == "four"


@ensureDeferred
async def test_no_number_that_a_node_has_seen_is_given_away_again(two, redis):
    """Not even by a Redis whose clock is behind, and that has not heard of the last ones."""
    ahead = 3 * 10**15
    redis.call("SET", "rp:no", ahead)
    opened = await two[0].store.open_device("k", "s", None, 1_000)
    assert await two[1].store.canary("n1") == ahead + 4096
    redis.call("FLUSHALL")
    for each in two:
        await each.store.meet("new")
    assert int(redis.call("GET", "rp:no")) >= ahead + 4096
    await two[0].store.meet("new", ahead + 10_000)
    assert int(redis.call("GET", "rp:no")) == ahead + 10_000
    again = [await each.store.open_device("k", "s", None, 1_000) for each in two]
    assert len({opened.number, *(each.number for each in again)}) == 3


@ensureDeferred
async def test_after_a_new_epoch_devices_are_opened_anew(opened, redis):
    store = opened.store
    before = [await store.open_device("k", f"s{n}", None, 1_000) for n in range(3)]
    redis.call("FLUSHALL")
    await store.meet("new")
    after = [await store.open_device("k", f"s{n}", None, 1_000) for n in (2, 1, 0)]
    assert len({each.number for each in before + after}) == 6
    await store.accept([record("m")])
    await note(store, "m", Level.SENT, *(each.number for each in after))
    _, receipts = await store.get("m")
    assert sorted(each.streamer for each in receipts) == ["s0", "s1", "s2"]


@ensureDeferred
async def test_receipts_of_devices_from_before_a_loss_are_nobodys(opened, redis):
    """Their clients are still connected, and are sent away."""
    store = opened.store
    old = [await device(store, name) for name in ("obs", None)]
    redis.call("FLUSHALL")
    await store.accept([record("m", once=True)])
    await note(store, "m", Level.SENT, *old)
    message, receipts = await store.get("m")
    assert (message.receipts.sent, receipts) == (2, [])
    assert await missed(store, old[0]) == ["m"]
    ended = await store.take("m", old[0], 1_600)
    assert ended.devices == (old[1],)


@ensureDeferred
async def test_nameless_devices_mostly_get_a_number_without_asking(opened, redis):
    store = opened.store
    await store.open_device("k", "s", None, 1_000)
    calls = redis.call("INFO", "commandstats")
    answers = [store.open_device("k", "s", None, 1_000) for _ in range(1_000)]
    assert all(each.called for each in answers)
    assert len({(await each).number for each in answers}) == 1_000
    assert calls.count("evalsha") == redis.call("INFO", "commandstats").count("evalsha")
    for _ in range(4_000):
        await store.open_device("k", "s", None, 1_000)
    assert len(redis.call("KEYS", "rp:dev:*")) == 0


@ensureDeferred
async def test_identities_that_are_used_up_are_no_crash(opened, redis):
    redis.call("EVAL", "for n = 1, 300 do redis.call('HSET', 'rp:ident', n, n) end", 0)
    short = opened.link.run
    source = scripts.OPEN_DEVICE.source.replace("16777215", "300")

    def run(script, args):
        if script is scripts.OPEN_DEVICE:
            return opened.link.command("EVAL", source, 0, *args)
        return short(script, args)

    opened.link.run = run
    with pytest.raises(StoreUnavailable, match="told apart"):
        await opened.store.open_device("k", "s", None, 1_000)


# Calls of very many rows


@ensureDeferred
async def test_very_large_call_is_cut_and_answered_in_order(opened, redis, monkeypatch):
    monkeypatch.setattr(steps, "ROWS", 10)
    several = Audience(AudienceKind.STREAMERS, tuple(f"s-{n}" for n in range(7)))
    posted = [record(f"m{n}", to=several) if n % 3 else record(f"m{n}") for n in range(30)]
    lengths = [len(each) for each in steps.pieces(posted)]
    assert sum(lengths) == 30
    assert len(lengths) > 5
    answers = await opened.store.accept([*posted, posted[0]])
    assert [each.record for each in answers] == [*posted, posted[0]]
    check(redis)


def test_a_thousand_ordinary_messages_are_one_step():
    assert len(list(steps.pieces([record(f"m{n}") for n in range(1_000)]))) == 1
    assert list(steps.pieces([])) == [[]]


@ensureDeferred
async def test_very_many_receipts_are_cut(opened, redis, monkeypatch):
    monkeypatch.setattr(steps, "RECEIPTS", 7)
    await opened.store.accept([record(name) for name in "abc"])
    numbers = [await device(opened.store) for _ in range(20)]
    receipts = {
        name: [Receipt(number, Level.DELIVERED, 1_500) for number in numbers] for name in "abc"
    }
    assert [count for _, count in steps.noted(receipts)] == [*([7] * 8), 4]
    await opened.store.note(receipts)
    for each in await kept(opened.store, *"abc"):
        assert (each.receipts.sent, each.receipts.delivered) == (20, 20)
    check(redis)


@pytest.mark.parametrize("count", [500, 501, 3_000])
@ensureDeferred
async def test_many_receipts_are_read_in_steps(opened, count):
    store = opened.store
    await store.accept([record("m")])
    numbers = [await device(store, streamer=f"s-{n % 3}") for n in range(count - 1)]
    named = await device(store, "obs")
    await note(store, "m", Level.SENT, *numbers, named)
    message, receipts = await store.get("m")
    assert message.receipts.sent == len(receipts) == count
    assert [each.name for each in receipts].count("obs") == 1
    assert {each.streamer for each in receipts} == {"s-0", "s-1", "s-2", "s-42"}


@ensureDeferred
async def test_many_revokes_are_read_in_steps(opened):
    store = opened.store
    names = [f"m{n:04}" for n in range(1_201)]
    await store.accept([record(name) for name in names])
    number = await device(store, "obs")
    await store.note({name: [Receipt(number, Level.SENT, 1_500)] for name in names})
    for name in names:
        await store.cancel(name, 1_600)
    assert [each.message_id for each in await store.owed(number, "/dropcodes")] == names
    await gatherResults([store.told(name, [number]) for name in names[:1_200]])
    assert [each.message_id for each in await store.owed(number, "/dropcodes")] == names[1_200:]


@ensureDeferred
async def test_device_that_has_had_very_much_leafs_on(opened):
    """A page may be empty, but never is the way to the next lost."""
    store = opened.store
    names = [f"m{n:04}" for n in range(2_600)]
    await store.accept([record(name) for name in names])
    number = await device(store)
    had = [name for name in names if name not in ("m0007", "m1500", "m2599")]
    await store.note({name: [Receipt(number, Level.DELIVERED, 1_500)] for name in had})
    found, cursor, pages = [], None, 0
    while True:
        page = await page_of(store, number, cursor=cursor)
        found += [each.id for each in page.messages]
        pages += 1
        if page.cursor is None:
            break
        assert cursor is None or page.cursor > cursor
        cursor = page.cursor
    assert found == ["m0007", "m1500", "m2599"]
    assert 3 <= pages <= 10


@ensureDeferred
async def test_order_holds_though_one_room_is_looked_through_later_than_another(opened):
    store = opened.store
    had = [f"all{n:04}" for n in range(700)]
    await store.accept([record(name, to=TO_ALL) for name in had])
    number = await device(store)
    await store.note({name: [Receipt(number, Level.DELIVERED, 1_500)] for name in had})
    await store.accept([record("first", to=TO_ALL), record("second"), record("third", to=TO_ALL)])
    found, cursor = [], None
    while True:
        page = await page_of(store, number, cursor=cursor)
        found += [each.id for each in page.messages]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == ["first", "second", "third"]


@ensureDeferred
async def test_list_of_a_streamer_in_one_state_is_looked_for_in_steps(opened):
    store = opened.store
    await store.accept([record("old", State.DONE)])
    for n in range(0, 2_100, 300):
        await store.accept([record(f"m{k}") for k in range(n, n + 300)])
    await store.accept([record("new", State.DONE)])
    pages, cursor = [], None
    while True:
        page = await store.page(State.DONE, "s-42", 10, cursor)
        pages.append([each.message.id for each in page.records])
        cursor = page.cursor
        if cursor is None:
            break
    assert pages == [["new"], [], ["old"]]


@ensureDeferred
async def test_what_a_device_had_is_forgotten_when_no_revoke_can_come_of_it(opened, redis):
    store = opened.store
    await store.accept(
        [record("won", once=True), record("pruned"), scheduled("due", expires_at_ms=None)]
    )
    number = await device(store, "obs")
    await note(store, "won", Level.DELIVERED, number)
    await note(store, "pruned", Level.DELIVERED, number)
    await note(store, "due", Level.SENT, number)
    [had] = redis.call("KEYS", "rp:had:*")
    assert redis.call("ZCARD", had) == 3
    await store.take("won", number, 1_600)
    await store.claim(DUE, DUE, 0, 10)
    redis.call("DEL", "rp:m:pruned")
    assert await store.owed(number, "/dropcodes") == []
    assert redis.call("EXISTS", had) == 0


@ensureDeferred
async def test_slot_that_has_outlived_its_holder_ends_nobody(opened, redis):
    store = opened.store
    await store.accept([record("m", replace="r")])
    redis.call("DEL", "rp:m:m")
    await store.accept([record("m")])
    [answer] = await store.accept([record("new", replace="r")])
    assert answer.superseded == ()
    assert (await kept(store, "m"))[0].state is State.LIVE


@ensureDeferred
async def test_claims_of_very_many_rooms_are_cut(opened):
    store = opened.store
    to = Audience(AudienceKind.STREAMERS, tuple(f"s-{n}" for n in range(1_000)))
    await store.accept([scheduled(f"m{n}", to=to) for n in range(8)])
    assert [len(await store.claim(DUE, DUE, 0, 100)) for _ in range(3)] == [5, 3, 0]
    assert [len(await store.expire(END, 100)) for _ in range(3)] == [5, 3, 0]
    await store.accept([scheduled(f"n{n}") for n in range(450)])
    assert [len(await store.claim(DUE, DUE, 0, 1_000)) for _ in range(4)] == [200, 200, 50, 0]
    assert [len(await store.expire(END, 1_000)) for _ in range(4)] == [200, 200, 50, 0]


# Keys


@ensureDeferred
async def test_of_two_nodes_that_make_the_first_keys_one_does(two):
    made = [
        [StoredKey(Key(name * 12, KeyKind.BACKEND, 1_000), bytes(32)) for name in names]
        for names in ("ab", "cd")
    ]
    done = await settle(
        *(each.store.add_first_keys(keys) for each, keys in zip(two, made, strict=True))
    )
    assert sorted(done) == [False, True]
    mine = made[done.index(True)]
    for stored in mine:
        assert await two[0].store.get_key(stored.key.key_id) == stored
    assert await two[0].store.add_first_keys([]) is False
    with pytest.raises(KeyExists):
        await two[0].store.add_key(mine[0])


def stored_key(name: str) -> StoredKey:
    return StoredKey(Key(name * 12, KeyKind.BACKEND, 1_000), bytes(32))


@ensureDeferred
async def test_an_empty_redis_gets_keys_back(two, redis):
    """From all nodes that know some; what is there stays as it is."""
    a, b, c = map(stored_key, "abc")
    one, other = (each.store for each in two)
    assert await one.restore_keys([a, b], []) == []
    await one.note_used({a.key.key_id: 5})
    assert await other.restore_keys([b, a, c], []) == []
    page = await one.page_keys(10, None)
    assert {use.key: use.last_used_at_ms for use in page.keys} == {
        **{each.key: None for each in (b, c)},
        a.key: 5,
    }
    check(redis)


@pytest.mark.parametrize("first", ["who knows", "who does not"])
@ensureDeferred
async def test_a_revoked_key_does_not_come_back(two, redis, listener, first):
    """Whichever of two nodes is there first: who has heard of it, or who was deaf and still has it in memory."""
    gone, good = map(stored_key, "ab")
    knows, deaf = (each.store for each in two)
    if first == "who knows":
        assert await knows.restore_keys([good], [gone.key.key_id]) == []
        assert await deaf.restore_keys([gone, good], []) == [gone.key.key_id]
    else:
        assert await deaf.restore_keys([gone, good], []) == []
        await deaf.note_used({gone.key.key_id: 5})
        assert await knows.restore_keys([good], [gone.key.key_id]) == []
        [news] = listener.news()
        assert isinstance(news, KeyNews)
        assert news.key_id == gone.key.key_id
    assert await knows.get_key(gone.key.key_id) is None
    page = await knows.page_keys(10, None)
    assert [use.key for use in page.keys] == [good.key]
    assert redis.call("HLEN", "rp:used") == 0
    check(redis)


@pytest.mark.parametrize("is_there", [True, False])
@ensureDeferred
async def test_a_key_revoked_since_redis_was_empty_does_not_come_back(two, redis, is_there):
    """It is remembered for a day, also if nobody had given the key back yet."""
    gone = stored_key("a")
    one, late = (each.store for each in two)
    if is_there:
        await one.restore_keys([gone], [])
    assert await one.remove_key(gone.key.key_id) == (gone if is_there else None)
    assert await late.restore_keys([gone], []) == [gone.key.key_id]
    assert await one.get_key(gone.key.key_id) is None
    left_ms = redis.call("PTTL", f"rp:revoked:{gone.key.key_id}")
    assert DAY_MS - 60_000 < left_ms <= DAY_MS


@ensureDeferred
async def test_very_many_keys_are_given_back_in_steps(two, redis):
    made = [
        StoredKey(Key(f"{number:012d}", KeyKind.BACKEND, number), bytes(32))
        for number in range(1_201)
    ]
    revoked = [each.key.key_id for each in made[::2]]
    assert await two[0].store.restore_keys([], revoked) == []
    assert await two[1].store.restore_keys(made, []) == revoked
    assert redis.call("ZCARD", "rp:keys") == 600


@ensureDeferred
async def test_keys_that_are_given_back_too_late_are_not_kept(opened, redis):
    opened.patience_ms = -1
    with pytest.raises(StoreUnavailable):
        await opened.store.restore_keys([stored_key("a")], [])
    assert redis.call("KEYS", "*") == []


def test_devices_of_the_store_have_their_text():
    assert to_text(0) == "0-0"
