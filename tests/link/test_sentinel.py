"""Sentinels: the master is found, and followed when it is another one."""

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from reward_push.access.interfaces import StoreUnavailable
from reward_push.cluster.interfaces import Script

from ..running_sentinels import SERVICE, RunningSentinels
from .until import connected, until

SENTINELS_TELL_S = 4.0
PUSH = Script("push", "return redis.call('RPUSH', 'line', ARGV[1])")


@pytest.fixture
def trio(tmp_path):
    with RunningSentinels(tmp_path, password="SECRET", sentinel_password="OTHER") as running:
        yield running


async def port_of(link) -> int:
    return int((await answered(link, lambda: link.command("CONFIG", "GET", "port")))[1])


def is_replica(redis) -> bool:
    """Whether it is one by now. Sentinels that make a master a replica hang up on all its clients, us included."""
    try:
        return "role:slave" in redis.call("INFO", "replication")
    except ConnectionError:
        return False


async def answered(link, call):
    """Call until it works, as the nodes do: Sentinels hang up on clients. Nothing may take longer than the time-outs."""
    while True:
        try:
            return await call()
        except StoreUnavailable:
            await until(lambda: link.trouble() is None)


async def works_again(link) -> None:
    await answered(link, lambda: link.run(PUSH, ["after"]))


@ensureDeferred
async def test_the_master_is_found_and_followed_when_it_dies(trio, links, subscribers):
    await until(trio.acquainted)
    heard: list[str] = []
    link = links(trio.url)
    subscriber = subscribers(trio.url, lambda _, text: heard.append(text))
    await connected(link)
    await subscriber.subscribe(["x"])
    assert await port_of(link) == trio.first.port
    await link.run(PUSH, ["before"])
    await until(lambda: trio.second.call("LLEN", "line") == 1)
    first = link.server

    trio.first.kill()
    with pytest.raises(StoreUnavailable):
        await link.run(PUSH, ["lost"])
    await until(lambda: link.trouble() is None)
    assert await port_of(link) == trio.second.port
    assert link.server.changed
    assert link.server.run_id != first.run_id
    await works_again(link)
    assert trio.second.call("LRANGE", "line", 0, -1) == ["before", "after"]
    await until(lambda: subscriber.trouble() is None)
    await answered(link, lambda: link.command("PUBLISH", "x", "news"))
    # Twice, should a Sentinel hang up between that and the answer.
    await until(lambda: heard)
    assert set(heard) == {"news"}

    # The old master comes back, is made a replica, and nobody goes back to it.
    await deferToThread(trio.first.start)
    await until(lambda: is_replica(trio.first))
    assert await port_of(link) == trio.second.port


@ensureDeferred
async def test_a_master_that_hangs_is_left_and_not_gone_back_to(usual_patience, trio, links):
    await until(trio.acquainted)
    link = links(trio.url)
    await connected(link)
    await link.run(PUSH, ["before"])
    await until(lambda: trio.second.call("LLEN", "line") == 1)
    # The link has to find out by itself, before the Sentinels could tell it.
    for each in trio.sentinels:
        each.call("SENTINEL", "SET", SERVICE, "down-after-milliseconds", 6_000)
    trio.first.pause()
    with pytest.raises(StoreUnavailable, match="no answer in 2 s"):
        await link.run(PUSH, ["lost"])
    await until(lambda: link.trouble() is None)
    assert await port_of(link) == trio.second.port
    trio.first.resume()
    await until(lambda: is_replica(trio.first))
    await works_again(link)
    assert await port_of(link) == trio.second.port
    # What was asked of the old one while it hung was done there, and thrown away with its data.
    assert trio.second.call("LRANGE", "line", 0, -1) == ["before", "after"]


@ensureDeferred
async def test_a_planned_failover_is_followed(trio, links):
    await until(trio.acquainted)
    link = links(trio.url)
    await connected(link)
    trio.sentinels[0].call("SENTINEL", "FAILOVER", SERVICE)
    await until(lambda: trio.named() == {trio.second.port})
    # The old one takes writes until the Sentinels have told it, a few seconds later: they would be lost.
    assert await until(lambda: link.connections == 2 and link.trouble() is None) < SENTINELS_TELL_S
    assert await port_of(link) == trio.second.port


@ensureDeferred
async def test_a_master_that_does_not_know_of_its_successor_is_left(trio, links, told):
    """A master that the Sentinels cannot reach, but we can, goes on without them."""
    await until(trio.acquainted)
    link = links(trio.url)
    await connected(link)
    # They watch another one under this name from now on; the first knows nothing of it. Nobody watches while
    # it becomes a master: they would make it a replica again.
    for each in trio.sentinels:
        each.call("SENTINEL", "REMOVE", SERVICE)
    trio.second.call("REPLICAOF", "NO", "ONE")
    for each in trio.sentinels:
        each.call("SENTINEL", "MONITOR", SERVICE, "127.0.0.1", trio.second.port, 2)
        each.call("SENTINEL", "SET", SERVICE, "auth-pass", "SECRET")
    await until(lambda: link.connections == 2)
    assert await port_of(link) == trio.second.port
    assert any("the master is another one now" in line for line in told)


@ensureDeferred
async def test_one_sentinel_is_enough_and_one_that_is_dead_costs_nothing(trio, links):
    await until(trio.acquainted)
    trio.sentinels[0].kill()
    trio.sentinels[1].pause()
    link = links(trio.url)
    assert await connected(link) < 1


@ensureDeferred
async def test_reasons_are_told_without_secrets(trio, links, told):
    hosts = trio.url.partition("@")[2].partition("/")[0]
    cases = {
        f"redis+sentinel://:SECRET@{hosts}/other?sentinel_password=OTHER": "do not know this",
        f"redis+sentinel://:SECRET@{hosts}/main?sentinel_password=SECRET": "WRONGPASS",
        f"redis+sentinel://:SECRET@{hosts}/main": "a Sentinel refuses (NOAUTH)",
        f"redis+sentinel://:OTHER@{hosts}/main?sentinel_password=OTHER": "WRONGPASS",
        f"redis://:OTHER@127.0.0.1:{trio.sentinels[0].port}": "this Redis is a Sentinel",
        f"redis://:SECRET@127.0.0.1:{trio.second.port}": "this Redis is a read-only replica",
    }
    for url, says in cases.items():
        link = links(url)
        await until(lambda link=link, says=says: says in str(link.trouble()))
        await link.stop()
    for each in trio.sentinels:
        each.kill()
    link = links(trio.url)
    await until(
        lambda: link.trouble().endswith("no Sentinel knows where it is: connection refused")
    )
    assert not any(word in str(told) for word in ("SECRET", "OTHER"))
