"""What goes wrong between nodes and Redis, and between nodes, and how each failure looks from outside."""

import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ..protocol import wire
from ..running_cluster import DURABLE, Member, RunningCluster
from ..running_node import ONE_ADDRESS, PluginKey, message
from ..running_sentinels import RunningSentinels
from ..scrape import Scrape, scrape, scrape_until
from ..stepped_clock import SteppedClock
from ..stopwatch import Stopwatch
from ..swarm import Device
from ..until import until
from .plugins import Plugins

OPTIONS = (*ONE_ADDRESS, "--ping-interval", "1", "--ping-timeout", "15", "--drain", "1")
LIFE_MS = 120_000
BACK_S = 2.0
"""So soon after Redis has come back everything works again."""
LATE_MS = 4_000
"""So late, by the clock of who hears it, is still not by the minutes that clocks are apart; then a message ends."""
PINGS = 3
"""So many heartbeats a client that is said to stay goes through."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RunningCluster]:
    """Two nodes, whose clients connect to them directly, on a Redis that keeps its data."""
    with RunningCluster(
        tmp_path, *OPTIONS, nodes=2, balancing=None, redis_options=DURABLE
    ) as running:
        yield running


@pytest.fixture
def plugins(cluster: RunningCluster) -> Iterator[Plugins]:
    with Plugins(cluster) as running:
        yield running


@pytest.fixture
def key(cluster: RunningCluster) -> PluginKey:
    return cluster.plugin_key()


@pytest.fixture
def pair(cluster: RunningCluster, plugins: Plugins, key: PluginKey) -> tuple[Device, Device]:
    """Two devices of one streamer, each at a node of its own."""
    one, two = (plugins.join(node, key.key, node.node_id) for node in cluster.nodes)
    return one, two


def metrics(node: Member) -> Scrape:
    return scrape(node.url, node.backend_key)


def post(node: Member, key: PluginKey, message_id: str, **fields: object) -> tuple[int, Any]:
    """Post to a streamer by one node; return status and answer."""
    body = message(key.streamer, 1, id=message_id, **{"ttl_ms": LIFE_MS, **fields})
    return node.backend.call("POST", "/v1/messages", body)


def everything_works(
    cluster: RunningCluster, plugins: Plugins, key: PluginKey, *devices: Device
) -> None:
    """A message through each node reaches everybody, once."""
    for node in cluster.nodes:
        message_id = f"works-{node.node_id}"
        assert post(node, key, message_id)[0] == 201
        plugins.wait_heard(message_id, *devices)
    for device in devices:
        ids = plugins.ids(device)
        assert len(ids) == len(set(ids)), ids


def stay(*devices: Device) -> None:
    """Wait for some heartbeats; fail if a device is not on its first connection then."""
    before = [device.pings for device in devices]
    until(lambda: all(d.pings >= b + PINGS for d, b in zip(devices, before, strict=True)))
    assert [device.joins for device in devices] == [1] * len(devices)


def test_redis_away(
    cluster: RunningCluster, plugins: Plugins, key: PluginKey, pair: tuple[Device, Device]
) -> None:
    """Clients stay, nothing is accepted, the balancer keeps the nodes; all is well within 2 s of its return."""
    cluster.redis.kill()
    for node in cluster.nodes:
        node.wait_for("/readyz", lambda _, body: "Redis is away" in str(body.get("reasons")))
        assert node.get("/readyz")[0] == 503
        status, body = node.get("/healthcheck")
        assert (status, body["status"]) == (200, "degraded")
        status, body = post(node, key, f"refused-{node.node_id}")
        assert (status, body["error"]["code"]) == (503, "unavailable")
        scrape_until(node, lambda page: page.value("redis_connected") == 0)
        assert "no Redis at" in node.log()
    stay(*pair)

    cluster.redis.start()
    watch = Stopwatch()
    for node in cluster.nodes:
        until(lambda node=node: post(node, key, f"back-{node.node_id}")[0] == 201)  # type: ignore[misc]
        node.wait_for("/readyz", lambda status, _: status == 200)
        plugins.wait_heard(f"back-{node.node_id}", *pair)
    assert watch.lived_s < BACK_S
    everything_works(cluster, plugins, key, *pair)
    assert [device.joins for device in pair] == [1, 1]
    assert not any(
        node.get(f"/v1/messages/refused-{node.node_id}")[0] == 200 for node in cluster.nodes
    )


def test_redis_comes_back_empty(
    cluster: RunningCluster, plugins: Plugins, key: PluginKey, pair: tuple[Device, Device]
) -> None:
    """The nodes give it back the keys that are in use; their clients come again and are let in."""
    folder = Path(cluster.redis.call("CONFIG", "GET", "dir")[1])
    cluster.redis.kill()
    shutil.rmtree(folder / "appendonlydir")
    cluster.redis.start()
    until(lambda: all(device.joins >= 2 and device.joined for device in pair))
    assert [device.refused for device in pair] == [None, None]
    assert sum(metrics(node).value("redis_losses_total") for node in cluster.nodes) >= 1
    assert "Redis has lost its data" in cluster.log()
    for node in cluster.nodes:
        node.wait_ready()
    everything_works(cluster, plugins, key, *pair)


def test_redis_is_emptied(
    cluster: RunningCluster, plugins: Plugins, key: PluginKey, pair: tuple[Device, Device]
) -> None:
    """While the nodes are connected to it: the same as one that comes back empty."""
    before = [metrics(node).value("redis_losses_total") for node in cluster.nodes]
    cluster.redis.call("FLUSHALL")
    until(lambda: all(device.joins >= 2 and device.joined for device in pair))
    assert [device.refused for device in pair] == [None, None]
    after = [metrics(node).value("redis_losses_total") for node in cluster.nodes]
    assert all(then > now for now, then in zip(before, after, strict=True))
    for node in cluster.nodes:
        node.wait_ready()
    everything_works(cluster, plugins, key, *pair)


def test_a_key_revoked_while_a_node_was_deaf_stays_revoked_in_an_empty_redis(
    cluster: RunningCluster, plugins: Plugins, key: PluginKey, pair: tuple[Device, Device]
) -> None:
    """The deaf node still knows the key, and would give it back."""
    deaf, other = cluster.nodes
    gone = cluster.plugin_key()
    device = plugins.join(deaf, gone.key, "gone")
    deaf.link.cut()
    assert other.backend.call("DELETE", f"/v1/keys/{gone.key[4:16]}")[0] == 200
    folder = Path(cluster.redis.call("CONFIG", "GET", "dir")[1])
    cluster.redis.kill()
    shutil.rmtree(folder / "appendonlydir")
    cluster.redis.start()
    other.wait_ready()
    assert (device.joins, device.joined) == (1, True)
    deaf.link.restore()
    assert '"unauthorized"' in until(lambda: device.refused)
    until(lambda: all(each.joins >= 2 and each.joined for each in pair))
    assert [each.refused for each in pair] == [None, None]
    for node in cluster.nodes:
        node.wait_ready()
    everything_works(cluster, plugins, key, *pair)


def test_slow_redis(
    cluster: RunningCluster, plugins: Plugins, key: PluginKey, pair: tuple[Device, Device]
) -> None:
    """Slower is slower. Too slow is away: what is refused then is not done later, either."""
    slow, other = cluster.nodes
    slow.link.slow(0.1)
    assert post(slow, key, "slow")[0] == 201
    plugins.wait_heard("slow", *pair)
    slow.link.slow(3.0)
    status, body = post(slow, key, "refused")
    assert (status, body["error"]["code"]) == (503, "unavailable")
    slow.wait_for("/readyz", lambda status, _: status == 503)
    slow.link.restore()
    slow.wait_ready()
    assert other.get("/v1/messages/refused")[0] == 404
    assert post(slow, key, "refused")[0] == 201
    plugins.wait_heard("refused", *pair)
    everything_works(cluster, plugins, key, *pair)
    assert [device.joins for device in pair] == [1, 1]


def test_half_open_link(
    cluster: RunningCluster, plugins: Plugins, key: PluginKey, pair: tuple[Device, Device]
) -> None:
    """Nobody tells the node that its connections are dead: its canary does. What it missed comes late."""
    deaf, other = cluster.nodes
    heals = metrics(deaf).value("heals_total")
    deaf.link.freeze()
    assert post(other, key, "missed")[0] == 201
    assert post(other, key, "over", ttl_ms=1)[0] == 201
    assert post(other, key, "cancelled")[0] == 201
    assert other.backend.call("DELETE", "/v1/messages/cancelled")[0] == 200
    plugins.wait_heard("missed", *pair)
    scrape_until(deaf, lambda page: page.value("heals_total") > heals)
    assert "the link to Redis is dead" in deaf.log() or "no answer for" in deaf.log()
    assert plugins.ids(pair[0]) == ["missed"]
    everything_works(cluster, plugins, key, *pair)
    assert [device.joins for device in pair] == [1, 1]


def test_node_killed(
    cluster: RunningCluster, plugins: Plugins, key: PluginKey, pair: tuple[Device, Device]
) -> None:
    """What it had accepted lives on; who asks another node for one of its sessions starts anew at once."""
    dying, other = cluster.nodes
    polling = wire.Client(dying.port)
    assert post(dying, key, "later", delay_ms=4_000)[0] == 201
    dying.kill()
    polling.port = other.port
    watch = Stopwatch()
    answer = polling.get()
    assert (answer.status, answer.json["code"]) == (400, 1)
    assert watch.lived_s < BACK_S
    plugins.wait_heard("later", pair[1])
    until(lambda: len(other.get("/v1/nodes")[1]["items"]) == 1)
    until(lambda: "node n1 is gone" in other.log())
    dying.start()
    plugins.wait_heard("later", pair[0])
    for node in cluster.nodes:
        node.wait_ready()
    everything_works(cluster, plugins, key, *pair)


def test_node_paused(
    cluster: RunningCluster, plugins: Plugins, key: PluginKey, pair: tuple[Device, Device]
) -> None:
    """Others do its work. When it wakes, long after it was given up for dead, it does not do it again."""
    frozen, other = cluster.nodes
    for number in range(20):
        assert post(frozen, key, f"due-{number}", delay_ms=2_000 + number)[0] == 201
    assert post(frozen, key, "over", delay_ms=2_000, ttl_ms=3_000)[0] == 201
    frozen.pause()
    try:
        for number in range(20):
            plugins.wait_heard(f"due-{number}", pair[1])
        until(lambda: len(other.get("/v1/nodes")[1]["items"]) == 1)
        until(lambda: other.get("/v1/messages/over")[1]["state"] == "expired")
    finally:
        frozen.resume()
    frozen.wait_ready()
    for number in range(20):
        plugins.wait_heard(f"due-{number}", pair[0])
    everything_works(cluster, plugins, key, *pair)
    assert "over" not in plugins.ids(pair[0])
    assert plugins.ids(pair[1]).count("over") == 1


def test_nodes_that_cannot_see_each_other(
    cluster: RunningCluster, plugins: Plugins, key: PluginKey, pair: tuple[Device, Device]
) -> None:
    """Sessions of the other one are not found; all else goes through Redis and works."""
    one, two = cluster.nodes
    polling = wire.Client(one.port)
    polling.say(f'40/dropcodes,{{"apiKey":"{key.key}"}}')
    polling.port = two.port
    assert polling.poll().startswith("40/dropcodes,")
    for node in cluster.nodes:
        node.door.cut()
    watch = Stopwatch()
    answer = polling.get()
    assert (answer.status, answer.json["code"]) == (400, 1)
    assert watch.lived_s < BACK_S
    assert metrics(two).value("relay_failures_total") >= 1
    for node in cluster.nodes:
        status, body = node.get(f"/v1/streamers/{key.streamer}")
        found = {each["node"] for each in body["sockets"] if each["transport"] == "websocket"}
        assert (status, found) == (200, {"n1", "n2"})
    everything_works(cluster, plugins, key, *pair)
    status, body = one.backend.call("POST", f"/v1/streamers/{key.streamer}/disconnect")
    assert (status, body) == (200, {"closed": 3})
    until(lambda: all(device.joins == 2 and device.joined for device in pair))

    for node in cluster.nodes:
        node.door.restore()
    again = wire.Client(one.port)
    again.port = two.port
    again.say(f'40/dropcodes,{{"apiKey":"{key.key}"}}')
    assert again.poll().startswith("40/dropcodes,")


def test_clocks_minutes_apart(tmp_path: Path) -> None:
    """Redis' clock counts: messages come when they are due, end when they end, and tell what is left."""
    clocks = {1: SteppedClock(tmp_path / "fast", 200), 2: SteppedClock(tmp_path / "slow", -300)}
    with (
        RunningCluster(
            tmp_path,
            *OPTIONS,
            nodes=2,
            balancing=None,
            environments={number: clock.environment for number, clock in clocks.items()},
        ) as cluster,
        Plugins(cluster) as plugins,
    ):
        key = cluster.plugin_key()
        devices = [plugins.join(node, key.key, node.node_id) for node in cluster.nodes]
        for node in cluster.nodes:
            before_ms = time.time() * 1000
            status, posted = post(node, key, f"due-{node.node_id}", delay_ms=700, ttl_ms=LATE_MS)
            assert status == 201
            begin_ms, due_ms = instant_ms(posted["created_at"]), instant_ms(posted["deliver_at"])
            assert before_ms - 1_000 < begin_ms < time.time() * 1000 + 1_000
            assert due_ms == begin_ms + 700
            plugins.wait_heard(posted["id"], *devices)
            for device in devices:
                assert due_ms <= plugins.at_ms(device, posted["id"]) < due_ms + LATE_MS
                [heard] = [each for each in plugins.heard(device) if each["id"] == posted["id"]]
                assert 0 < heard["ttl_ms"] <= LATE_MS
                gone = {"id": posted["id"], "reason": "expired"}
                until(lambda device=device, gone=gone: gone in plugins.heard(device, "revoke"))  # type: ignore[misc]
            assert time.time() * 1000 >= due_ms + LATE_MS
        assert metrics(cluster.nodes[0]).value("redis_clock_ahead_seconds") < -190
        assert metrics(cluster.nodes[1]).value("redis_clock_ahead_seconds") > 290
        everything_works(cluster, plugins, key, *devices)


def test_redis_fails_over(tmp_path: Path) -> None:
    """Sentinels make the replica the master: the nodes follow, and their clients stay."""
    with RunningSentinels(tmp_path) as trio:
        until(trio.acquainted)
        with (
            RunningCluster(
                tmp_path, *OPTIONS, nodes=2, balancing=None, redis_url=trio.url
            ) as cluster,
            Plugins(cluster) as plugins,
        ):
            key = cluster.plugin_key()
            devices = [plugins.join(node, key.key, node.node_id) for node in cluster.nodes]
            assert post(cluster.nodes[0], key, "later", delay_ms=5_000)[0] == 201
            until(lambda: trio.second.call("EXISTS", "rp:m:later") == 1)
            trio.first.kill()
            for node in cluster.nodes:
                # It is not ready then; how long, the Sentinels decide, who may be faster than we ask.
                until(lambda node=node: "no Redis at" in node.log())  # type: ignore[misc]
            for node in cluster.nodes:
                node.wait_ready()
            # A node believes the first Sentinel that knows.
            until(lambda: trio.named() == {trio.second.port})
            plugins.wait_heard("later", *devices)
            everything_works(cluster, plugins, key, *devices)
            assert [device.joins for device in devices] == [1, 1]


def instant_ms(text: str) -> float:
    """Read an instant of the API."""
    return datetime.fromisoformat(text).timestamp() * 1000
