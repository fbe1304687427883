"""The link: order, values, errors, loss and return."""

import os
import time

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.threads import deferToThread
from zope.interface.verify import verifyObject

from reward_push.access.interfaces import AnswerLost, StoreUnavailable
from reward_push.cluster.connection.errors import RedisRefusal
from reward_push.cluster.interfaces import IRedis, Script

from ..running_redis import RunningRedis
from ..stopwatch import Stopwatch
from .until import connected, until

ECHO = Script("echo", "return ARGV")
PUSH = Script("push", "return redis.call('RPUSH', 'line', ARGV[1])")
ADD = Script("add", "return redis.call('INCRBY', 'sum', ARGV[1])")


@ensureDeferred
async def test_it_is_the_seam(redis, links):
    link = links(redis.url)
    assert verifyObject(IRedis, link)
    await connected(link)


@ensureDeferred
async def test_values_survive(each_reader, redis, links):
    link = links(redis.url)
    await connected(link)
    texts = [
        "00123",
        "1_000",
        "1e5",
        "-0",
        "+7",
        "",
        " ",
        "™ \U0001f381",
        '{"a": "\\u0000"}',
        "a\r\nb\0",
    ]
    assert await link.run(ECHO, texts) == texts
    assert await link.run(ECHO, [123, b"raw", 2**53]) == ["123", "raw", "9007199254740992"]
    big = "x" * 300_000
    assert await link.run(ECHO, [big, "end"]) == [big, "end"]
    nested = Script("nested", "return {1, false, 'a', {}, {{'b'}, 2}, cjson.decode('[]')}")
    assert await link.run(nested, []) == [1, None, "a", [], [["b"], 2], []]
    assert await link.command("SET", "k", "00123") == "OK"
    assert await link.command("GET", "k") == "00123"
    assert await link.command("GET", "none") is None
    assert await link.command("DEL", "k") == 1


@ensureDeferred
async def test_effects_and_answers_come_in_the_order_of_the_calls(each_reader, redis, links):
    link = links(redis.url)
    await connected(link)
    answered: list[int] = []
    calls = []
    for number in range(5_000):
        call = link.run(PUSH, [number]) if number % 3 else link.command("RPUSH", "line", number)
        calls.append(call.addCallback(lambda _, number=number: answered.append(number)))
    await gatherResults(calls)
    assert answered == list(range(5_000))
    assert redis.call("LRANGE", "line", 0, -1) == [str(number) for number in range(5_000)]


@ensureDeferred
async def test_a_call_made_in_an_answer_comes_behind_those_made_before(redis, links):
    link = links(redis.url)
    await connected(link)
    order: list[str] = []
    later: list[object] = []

    def note(_: object, what: str) -> None:
        order.append(what)
        if what == "first":
            later.append(link.run(PUSH, ["third"]).addCallback(note, "third"))

    await gatherResults(
        [link.run(PUSH, [what]).addCallback(note, what) for what in ("first", "second")]
    )
    await later[0]
    assert order == ["first", "second", "third"]
    assert redis.call("LRANGE", "line", 0, -1) == order


@ensureDeferred
async def test_forgotten_scripts_are_loaded_again_and_the_order_is_kept(each_reader, redis, links):
    link = links(redis.url)
    await connected(link)
    await link.run(PUSH, ["warm"])
    await link.run(ADD, [0])
    answered: list[int] = []
    calls = []
    for number in range(2_000):
        if number % 500 == 250:
            redis.call("SCRIPT", "FLUSH")
            link.command("SCRIPT", "FLUSH")
        calls.append(
            link.run(PUSH, [number]).addCallback(lambda _, number=number: answered.append(number))
        )
        calls.append(link.run(ADD, [1]))
    await gatherResults(calls)
    assert answered == list(range(2_000))
    assert redis.call("LRANGE", "line", 0, -1) == ["warm", *map(str, range(2_000))]
    assert redis.call("GET", "sum") == "2000"


@ensureDeferred
async def test_a_script_is_sent_whole_only_once_a_connection(redis, links):
    link = links(redis.url)
    await connected(link)
    redis.call("CONFIG", "RESETSTAT")
    for number in range(50):
        await link.run(PUSH, [number])
    stats = redis.call("INFO", "commandstats")
    assert "cmdstat_script|load:calls=1," in stats
    assert "cmdstat_evalsha:calls=50," in stats


@ensureDeferred
async def test_a_script_that_is_broken_is_refused_and_no_other(redis, links):
    link = links(redis.url)
    await connected(link)
    broken = Script("broken", "this is no Lua")
    wrong = Script("wrong", "return redis.call('INCRBY', 'line', 1)")
    calls = [link.run(each, ["x"]) for each in (PUSH, broken, PUSH, broken, wrong, PUSH)]
    outcomes = await DeferredList(calls, consumeErrors=True)
    assert [success for success, _ in outcomes] == [True, False, True, False, False, True]
    for at in (1, 3, 4):
        assert outcomes[at][1].check(RedisRefusal)
    assert "broken: ERR" in str(outcomes[1][1].value)
    assert "wrong: " in str(outcomes[4][1].value)
    assert "WRONGTYPE" in str(outcomes[4][1].value)
    assert link.trouble() is None
    assert await link.run(PUSH, ["y"]) == 4


@ensureDeferred
async def test_a_command_that_is_wrong_is_refused_and_the_connection_stays(redis, links):
    link = links(redis.url)
    await connected(link)
    with pytest.raises(RedisRefusal, match="NOSUCH"):
        await link.command("NOSUCH", "x")
    assert link.connections == 1


@ensureDeferred
async def test_before_it_is_connected_everything_fails_at_once(redis, links):
    link = links(redis.url)
    assert link.trouble() == "Redis is away: not connected yet"
    with pytest.raises(StoreUnavailable, match="not connected yet"):
        await link.run(ECHO, [])
    await connected(link)


@ensureDeferred
async def test_only_so_much_may_wait(redis, faulty, links):
    link = links(f"redis://127.0.0.1:{faulty.port}")
    await connected(link)
    faulty.stall()
    calls = [link.command("INCR", "n") for _ in range(10_050)]
    refused = [call for call in calls if call.called]
    assert len(refused) == 50
    for call in refused:
        with pytest.raises(StoreUnavailable, match="too much waits"):
            await call
    faulty.restore()
    assert await gatherResults(calls[:10_000]) == list(range(1, 10_001))
    assert len(link) == 0


@ensureDeferred
async def test_only_so_many_bytes_may_wait(redis, faulty, links):
    link = links(f"redis://127.0.0.1:{faulty.port}")
    await connected(link)
    faulty.stall()
    body = b"x" * (1024 * 1024)
    calls = [link.command("SETRANGE", "big", 0, body) for _ in range(70)]
    refused = [call for call in calls if call.called]
    assert 5 <= len(refused) <= 8
    for call in refused:
        call.addErrback(lambda failure: failure.trap(StoreUnavailable))
    faulty.restore()
    kept = [call for call in calls if call not in refused]
    assert await gatherResults(kept) == [len(body)] * len(kept)


# Loss and return.


@ensureDeferred
async def test_a_redis_that_does_not_answer_is_given_up_after_two_seconds(
    usual_patience, own_redis, links, told
):
    lost: list[str] = []
    link = links(own_redis.url, lost=lost.append)
    await connected(link)
    own_redis.pause()
    watch = Stopwatch()
    calls = [link.command("INCR", "n") for _ in range(10)]
    outcomes = []
    for call in calls:
        call.addBoth(outcomes.append)
    await until(lambda: len(outcomes) == 10)
    assert watch.passed_s > 1.9
    assert watch.lived_s < 3
    assert {type(outcome.value) for outcome in outcomes} == {AnswerLost}
    assert lost == ["no answer in 2 s"]
    assert link.trouble() == "Redis is away: no answer in 2 s"
    with pytest.raises(StoreUnavailable):
        await link.command("PING")
    await until(lambda: link.trouble() == "Redis is away: no answer in time")
    own_redis.resume()
    assert await connected(link) < 2
    assert await link.command("PING") == "PONG"


@ensureDeferred
async def test_it_is_back_within_two_seconds_of_redis_return(own_redis, links, told):
    link = links(own_redis.url)
    await connected(link)
    await link.run(PUSH, ["x"])
    await until(lambda: told)
    own_redis.kill()
    await until(link.trouble)
    assert link.trouble() == "Redis is away: Redis closed the connection"
    # Long enough away for the longest pauses.
    await until(lambda: link.trouble() == "Redis is away: connection refused")
    began_s = _now_s()
    await until(lambda: _now_s() - began_s > 3)
    own_redis.start()
    assert await connected(link) < 2
    assert await link.run(PUSH, ["x"]) == 1
    await until(lambda: "again, after" in told[-1])
    where = f"127.0.0.1:{own_redis.port}"
    assert told[1:-1] == [
        f"link: no Redis at {where}: Redis closed the connection",
        f"link: no Redis at {where}: connection refused",
    ]
    assert told[-1].startswith(f"link: connected to Redis {link.server.version} at {where} again")


@ensureDeferred
async def test_another_process_is_told(own_redis, links):
    link = links(own_redis.url)
    await connected(link)
    first = link.server
    assert not first.changed
    own_redis.restart()
    await until(lambda: link.connections == 2)
    assert link.server.changed
    assert link.server.run_id not in (None, first.run_id)


@ensureDeferred
async def test_the_same_process_after_a_cut_is_the_same(redis, faulty, links):
    link = links(f"redis://127.0.0.1:{faulty.port}")
    await connected(link)
    faulty.cut()
    await until(link.trouble)
    faulty.restore()
    await until(lambda: link.connections == 2)
    assert not link.server.changed


@ensureDeferred
async def test_a_cut_fails_all_that_is_under_way_and_each_call_once(
    each_reader, redis, faulty, links
):
    link = links(f"redis://127.0.0.1:{faulty.port}")
    await connected(link)
    outcomes: list[object] = []
    for number in range(1_000):
        link.run(PUSH, [number]).addBoth(outcomes.append)
    faulty.cut()
    await until(lambda: len(outcomes) == 1_000)
    done = [each for each in outcomes if isinstance(each, int)]
    # What was answered was done, in order; of what follows it is not known.
    assert done == list(range(1, len(done) + 1))
    assert all(each.check(StoreUnavailable) for each in outcomes[len(done) :])
    assert len(link) == 0


@ensureDeferred
async def test_a_half_open_link_is_noticed_and_made_anew(
    usual_patience, redis, faulty, links, told
):
    link = links(f"redis://127.0.0.1:{faulty.port}")
    await connected(link)
    faulty.stall()
    with pytest.raises(StoreUnavailable, match="no answer in 2 s"):
        await link.command("PING")
    faulty.restore()
    assert await connected(link) < 2
    assert await link.command("PING") == "PONG"


@ensureDeferred
async def test_a_slow_link_is_no_dead_one(redis, faulty, links):
    link = links(f"redis://127.0.0.1:{faulty.port}")
    await connected(link)
    faulty.slow(0.3)
    assert await gatherResults([link.run(PUSH, [each]) for each in range(100)])
    assert link.connections == 1


@ensureDeferred
async def test_a_process_that_stood_still_reads_first(usual_patience, redis, links):
    """A node that was paused does not take answers that came meanwhile for missing."""
    link = links(redis.url)
    await connected(link)
    calls = [link.run(PUSH, [each]) for each in range(100)]
    time.sleep(2.5)  # this very process stands still, that is the point
    assert await gatherResults(calls) == list(range(1, 101))
    assert link.connections == 1


@ensureDeferred
async def test_a_hundred_losses_leave_nothing_behind(redis, faulty, links):
    from twisted.internet import reactor

    link = links(f"redis://127.0.0.1:{faulty.port}")
    await connected(link)
    await link.run(PUSH, ["x"])
    files, timers = _files(), len(reactor.getDelayedCalls())
    for number in range(100):
        calls = [link.run(PUSH, [number]) for _ in range(20)]
        before = link.connections
        if number % 2:
            faulty.cut()
            faulty.restore()
        else:
            link._keeper.drop("for the test")
        await DeferredList(calls, consumeErrors=True)
        link._keeper._attempts = 0  # short pauses: they are tested elsewhere
        await until(lambda before=before: link.connections > before and link.trouble() is None)
    await link.run(PUSH, ["x"])
    await until(lambda: _files() <= files)
    await until(lambda: len(reactor.getDelayedCalls()) <= timers + 2)
    # Redis may not have heard of all ends yet.
    await until(lambda: redis.call("CLIENT", "LIST").count("name=reward-push") == 1)


@ensureDeferred
async def test_a_stop_while_connecting_leaves_nothing(own_redis, links):
    from twisted.internet import reactor

    own_redis.pause()
    link = links(own_redis.url)
    files = _files()
    timers = len(reactor.getDelayedCalls())
    await until(lambda: _files() > files)
    await link.stop()
    await until(lambda: _files() <= files)
    await until(lambda: len(reactor.getDelayedCalls()) <= timers)
    assert link.trouble() == "Redis is away: stopped"


# The hook.


@ensureDeferred
async def test_the_hook_comes_first_on_each_connection(redis, faulty, links):
    seen: list[int] = []

    async def hook() -> None:
        seen.append(await link.run(PUSH, ["hook"]))

    link = links(f"redis://127.0.0.1:{faulty.port}", connected=hook)
    await connected(link)
    await link.run(PUSH, ["other"])
    faulty.cut()
    await until(link.trouble)
    faulty.restore()
    await until(lambda: len(seen) == 2)
    assert redis.call("LRANGE", "line", 0, -1) == ["hook", "other", "hook"]


@ensureDeferred
async def test_a_hook_that_fails_costs_the_connection_and_is_asked_again(redis, links):
    tries: list[int] = []

    async def hook() -> None:
        tries.append(1)
        await link.command("INCR", "tries")
        if len(tries) < 3:
            raise StoreUnavailable("no")

    link = links(redis.url, connected=hook)
    await until(lambda: len(tries) == 3 and link.trouble() is None)
    assert link.connections == 3


@ensureDeferred
async def test_connections_that_never_last_are_made_ever_more_slowly_and_fill_no_log(
    redis, links, told
):
    async def hook() -> None:
        raise StoreUnavailable("no")

    link = links(redis.url, connected=hook)
    watch = Stopwatch()
    await until(lambda: watch.lived_s > 4)
    assert 4 < link.connections < 20
    assert told == [f"link: no Redis at 127.0.0.1:{redis.port}: it could not be used: no"]


@ensureDeferred
async def test_a_hook_under_way_ends_with_its_connection(redis, faulty, links):
    ends: list[str] = []

    async def hook() -> None:
        try:
            await Deferred()
        finally:
            ends.append("ended")

    link = links(f"redis://127.0.0.1:{faulty.port}", connected=hook)
    await connected(link)
    faulty.cut()
    await until(lambda: ends == ["ended"])
    faulty.restore()
    await until(lambda: link.connections == 2)
    await link.stop()
    assert ends == ["ended"] * 2


# What Redis cannot do now.


@ensureDeferred
async def test_out_of_memory_fails_the_call_alone(own_redis, links, told):
    link = links(own_redis.url)
    await connected(link)
    own_redis.call("CONFIG", "SET", "maxmemory", "1")
    calls = [link.run(PUSH, ["x"]), link.command("GET", "x"), link.command("SET", "x", "y")]
    first, second, third = await DeferredList(calls, consumeErrors=True)
    assert first[1].check(StoreUnavailable)
    assert first[1].getErrorMessage() == "Redis is out of memory"
    assert second == (True, None)
    assert third[1].check(StoreUnavailable)
    assert link.trouble() == "Redis is out of memory"
    assert link.connections == 1
    assert told.count("Redis is out of memory") == 1


@ensureDeferred
async def test_a_disk_that_is_full_fails_writes_alone(own_redis, links):
    link = links(own_redis.url)
    await connected(link)
    own_redis.call("CONFIG", "SET", "min-replicas-to-write", "1")
    with pytest.raises(StoreUnavailable, match="too few replicas"):
        await link.command("SET", "x", "y")
    with pytest.raises(StoreUnavailable, match="too few replicas"):
        await link.run(PUSH, ["x"])
    assert await link.command("GET", "x") is None
    assert link.connections == 1


@ensureDeferred
async def test_a_master_that_became_a_replica_is_left(own_redis, redis, links):
    link = links(own_redis.url)
    await connected(link)
    own_redis.call("REPLICAOF", "127.0.0.1", redis.port)
    with pytest.raises(StoreUnavailable, match="read-only replica"):
        await link.run(PUSH, ["x"])
    await until(lambda: link.trouble() == "Redis is away: this Redis is a read-only replica")
    own_redis.call("REPLICAOF", "NO", "ONE")
    assert await connected(link) < 2
    assert await link.run(PUSH, ["x"]) == 1


@ensureDeferred
async def test_a_redis_that_is_loading_is_waited_for(tmp_path, links):
    slow = ("--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024")
    with RunningRedis(tmp_path, *slow) as own:
        fill = "for i = 1, 2000 do redis.call('SET', 'key' .. i, string.rep('x', 100)) end"
        own.call("EVAL", fill, 0)
        own.call("SAVE")
        own.kill()
        link = links(own.url)
        starting = deferToThread(own.start)
        await until(lambda: link.trouble() == "Redis is away: Redis is loading its data")
        await starting
        assert await connected(link) < 2
        assert await link.command("DBSIZE") == 2000


@ensureDeferred
async def test_too_many_clients_is_a_reason(own_redis, links):
    with own_redis.client() as only:
        only.call("CONFIG", "SET", "maxclients", "1")
        assert only.call("PING") == "PONG"
        link = links(own_redis.url)
        await until(lambda: "max number of clients" in str(link.trouble()))
        only.call("CONFIG", "SET", "maxclients", "100")
        await connected(link)


@ensureDeferred
async def test_latency_is_observed(redis, faulty, links):
    seconds: list[float] = []
    link = links(f"redis://127.0.0.1:{faulty.port}", observe_s=seconds.append)
    await connected(link)
    faulty.slow(0.1)
    watch = Stopwatch()
    await link.command("PING")
    assert 0.1 < seconds[-1] <= watch.passed_s


def _now_s() -> float:
    from twisted.internet import reactor

    return reactor.seconds()


def _files() -> int:
    return len(os.listdir("/proc/self/fd"))
