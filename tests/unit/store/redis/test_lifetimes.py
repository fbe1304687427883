"""Nothing stays in Redis for ever: what expires by itself, and what maintenance removes before."""

import pytest
from pytest_twisted import ensureDeferred

from reward_push.rewards.interfaces import Level
from reward_push.rewards.message import TO_ALL, Audience, AudienceKind, State
from reward_push.store.redis.scripts import PRUNE
from tests.contract.posted import END, device, kept, note, record, scheduled

from .invariants import Contents, check
from .opened import DAY_MS, wall_ms

HOUR_MS = 3_600_000
FOREVER = {"all", "due", "over", "ended", "news", "no", "ident", "who", "keys", "used", "epoch"}
"""Keys that are never removed whole: what is in them is."""


async def everything(store):
    """Messages in every state, with receipts, for all kinds of audience."""
    now_ms = wall_ms()
    times = {"created_at_ms": now_ms, "deliver_at_ms": now_ms, "expires_at_ms": now_ms + HOUR_MS}
    several = Audience(AudienceKind.STREAMERS, ("s-1", "s-2"))
    await store.accept(
        [
            record("live", **times, replace="r"),
            record("several", **times, to=several),
            record("all", **times, to=TO_ALL),
            record("done", State.DONE),
            record("taken", once=True, **times),
            record("cancelled", **times),
            scheduled("later", deliver_at_ms=now_ms + HOUR_MS, expires_at_ms=now_ms + 2 * HOUR_MS),
        ]
    )
    one, two = await device(store, "a"), await device(store)
    for name in ("live", "several", "all", "done", "taken", "cancelled"):
        await note(store, name, Level.SENT, one, two)
    await store.take("taken", one, now_ms)
    await store.cancel("cancelled", now_ms)


@ensureDeferred
async def test_all_that_belongs_to_messages_expires_after_their_end_and_retention(opened, redis):
    store = opened.reopened(retention_s=HOUR_MS / 1000)
    await everything(store)
    lifetimes = {}
    for key in redis.call("KEYS", "*"):
        lifetimes[key.removeprefix("rp:")] = redis.call("PTTL", key)
    assert {key for key, ms in lifetimes.items() if ms == -1} <= FOREVER | {
        *(f"state:{state}" for state in State),
        "dev:1",
    }
    late = HOUR_MS + HOUR_MS + DAY_MS  # the end, retention, and a day
    for key in ("m:live", "b:live", "r:live", "to:s-42"):
        assert late - 60_000 < lifetimes[key] <= late + HOUR_MS, key
    assert lifetimes["m:later"] > late + HOUR_MS - 60_000
    assert lifetimes["m:done"] <= HOUR_MS + DAY_MS
    for key in ("live:/dropcodes|streamer:s-1", "live:/dropcodes|all"):
        assert late - 60_000 < lifetimes[key] <= late, key
    [had] = [key for key in lifetimes if key.startswith("had:")]
    assert lifetimes[had] > HOUR_MS + HOUR_MS
    [slot] = [key for key in lifetimes if key.startswith("slot:")]
    assert lifetimes[slot] > HOUR_MS + HOUR_MS


@ensureDeferred
async def test_what_is_shared_lives_as_long_as_the_last_that_shares_it(opened, redis):
    store = opened.reopened(retention_s=1.0)
    now_ms = wall_ms()
    await store.accept([record("long", expires_at_ms=now_ms + 30 * DAY_MS)])
    await store.accept([record("short", expires_at_ms=now_ms + 1_000)])
    for key in ("to:s-42", "live:/dropcodes|streamer:s-42"):
        assert redis.call("PTTL", f"rp:{key}") > 30 * DAY_MS - 60_000
    number = await device(store, "a")
    await note(store, "short", Level.SENT, number)
    await note(store, "long", Level.SENT, number)
    [had] = redis.call("KEYS", "rp:had:*")
    assert redis.call("PTTL", had) > 30 * DAY_MS - 60_000


@ensureDeferred
async def test_without_retention_nothing_expires(opened, redis):
    store = opened.reopened(retention_s=1.0)
    await everything(store)
    store = opened.reopened(retention_s=None)
    await store.accept([record("for ever")])
    number = await device(store, "a")
    await note(store, "for ever", Level.SENT, number)
    shared = ["to:s-42", "live:/dropcodes|streamer:s-42"]
    for key in ("m:for ever", "b:for ever", "r:for ever", *shared):
        assert redis.call("PTTL", f"rp:{key}") == -1, key
    opened.now_ms = wall_ms() + 100 * DAY_MS
    await store.maintain()
    assert (await kept(store, "done"))[0].state is State.DONE


@ensureDeferred
async def test_maintenance_forgets_what_ended_long_ago_and_all_that_belongs_to_it(opened, redis):
    store = opened.reopened(retention_s=10.0)
    several = Audience(AudienceKind.STREAMERS, ("s-1", "s-2"))
    await store.accept([record("old", to=several), record("young", expires_at_ms=9_000)])
    number = await device(store, "a")
    await note(store, "old", Level.SENT, number)
    await store.expire(END, 10)
    await store.expire(9_000, 10)
    opened.now_ms = END + 10_000 - 1
    await store.maintain()
    assert await store.get("old") is not None
    opened.now_ms = END + 10_000
    await store.maintain()
    assert await store.get("old") is None
    assert (await kept(store, "young"))[0].state is State.EXPIRED
    assert (await store.page(None, "s-1", 10, None)).records == ()
    left = Contents(redis)
    assert [key for key in left.values if "old" in key] == []
    assert left.get("all").keys() == {"young"}
    assert await store.owed(number, "/dropcodes") == []
    check(redis)
    # An id that is forgotten is new.
    again = record("old")
    assert (await store.accept([again]))[0].record is again


@ensureDeferred
async def test_maintenance_works_in_small_pieces(opened, redis):
    store = opened.store
    await store.accept([record(f"m{n}", State.DONE) for n in range(25)])
    for left in (15, 5):
        assert await opened.link.run(PRUNE, ("rp:", 1_000, 10)) == 1
        assert redis.call("ZCARD", "rp:all") == left
    assert await opened.link.run(PRUNE, ("rp:", 1_000, 10)) == 0
    assert set(redis.call("KEYS", "*")) == {"rp:no"}


@ensureDeferred
async def test_messages_to_very_many_are_forgotten_one_by_one(opened, redis):
    names = tuple(f"s-{n}" for n in range(1_000))
    to = Audience(AudienceKind.STREAMERS, names)
    await opened.store.accept([record(f"m{n}", State.DONE, to=to) for n in range(5)])
    left = []
    while await opened.link.run(PRUNE, ("rp:", 1_000, 200)):
        left.append(redis.call("ZCARD", "rp:all"))
    assert left == [3, 1]
    assert set(redis.call("KEYS", "*")) == {"rp:no"}


@ensureDeferred
async def test_what_has_expired_by_itself_leaves_no_trace(opened, redis):
    """No node ran for so long that Redis has removed the messages before maintenance could."""
    store = opened.reopened(retention_s=10.0)
    await store.accept([record("done", State.DONE), record("live"), scheduled("later")])
    redis.call("DEL", *(f"rp:{part}:{name}" for part in "mb" for name in ("done", "live", "later")))
    assert (await store.page(None, None, 10, None)).records == ()
    assert await store.claim(END, END, 0, 10) == []
    assert await store.expire(END, 10) == []
    number = await device(store)
    assert (
        await store.missed(number, "/dropcodes", ["streamer:s-42"], 1_500, None, 10)
    ).messages == ()
    opened.now_ms = 100_000
    await store.maintain()
    left = Contents(redis).values
    # Those that are left expire by themselves.
    assert {key for key in left if not key.startswith(("to:", "live:"))} == {
        *("no", "ident", "who", "news"),
    }


@pytest.mark.parametrize("retention_s", [0.001, 86_400.0])
@ensureDeferred
async def test_message_whose_end_is_long_past_is_kept_for_its_retention(opened, redis, retention_s):
    """A time to live that is over would remove it at once."""
    store = opened.reopened(retention_s=retention_s)
    await store.accept([record("m")])
    assert redis.call("PTTL", "rp:m:m") > DAY_MS - 60_000
    await store.expire(END, 10)
    assert (await kept(store, "m"))[0].state is State.EXPIRED
