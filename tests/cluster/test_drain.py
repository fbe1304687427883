"""A node that stops lets its clients go, in order, and nothing is missed when all nodes do so in turn."""

import http.client
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ..protocol import wire
from ..running_cluster import Balancing, Member, RunningCluster
from ..running_node import ONE_ADDRESS, message
from ..stopwatch import Stopwatch
from ..swarm import Device
from .plugins import Plugins, until

LONG_S = 60.0
"""A drain that no test waits for."""
DEVICES = 30
LIFE_MS = 300_000


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RunningCluster]:
    """Two nodes that would take their time to stop."""
    options = (*ONE_ADDRESS, "--drain", str(LONG_S))
    with RunningCluster(tmp_path, *options, nodes=2, balancing=None) as running:
        yield running
        # Once is to stop, again is to stop at once.
        for node in running.nodes:
            if node.runs:
                node.terminate()
                node.wait_for("/healthcheck", lambda status, _: status == 503)
                node.terminate()


def test_a_stopping_node(cluster: RunningCluster) -> None:
    """No new sessions, no upgrades; its own sessions and the API go on. A second signal ends it at once."""
    leaving, other = cluster.nodes
    key = cluster.plugin_key()
    session = wire.Client(leaving.port)
    session.say(f'40/dropcodes,{{"apiKey":"{key.key}"}}')
    assert session.poll().startswith("40/dropcodes,")
    leaving.terminate()
    body = leaving.wait_for("/healthcheck", lambda status, _: status == 503)
    assert body["status"] == "draining"

    for transport in ("polling", "websocket"):
        headers = wire.UPGRADE if transport == "websocket" else ()
        target = f"/websockets/?EIO=4&transport={transport}"
        answer = wire.request(leaving.port, "GET", target, headers)
        assert answer.brief == (503, b'{"code":4,"message":"Service unavailable"}')
        assert answer.headers["retry-after"] == "1"
    for port in (leaving.port, other.port):
        session.port = port
        assert session.websocket().answer_to_upgrade.status == 503
        posted = leaving.publish(key.streamer, port, ttl_ms=LIFE_MS)
        assert posted["id"] in session.poll()
    elsewhere = wire.Client(other.port)
    elsewhere.port = leaving.port
    elsewhere.say(f'40/dropcodes,{{"apiKey":"{key.key}"}}')
    assert elsewhere.websocket().answer_to_upgrade.status == 503
    assert elsewhere.poll().startswith("40/dropcodes,")
    # Connections to other nodes come and go without a line.
    assert "HTTP11ClientFactory" not in leaving.log()

    until(lambda: {n["node"]: n["draining"] for n in other.get("/v1/nodes")[1]["items"]}["n1"])
    watch = Stopwatch()
    leaving.terminate()
    leaving.wait_gone()
    assert watch.lived_s < LONG_S / 2
    answer = session.get()
    assert (answer.status, answer.json["code"]) == (400, 1)


def test_clients_of_a_rolling_restart_miss_nothing(tmp_path: Path) -> None:
    """Before, during and after each node's restart everything reaches every device."""
    with (
        RunningCluster(
            tmp_path, *ONE_ADDRESS, "--drain", "1", balancing=Balancing.SPREAD
        ) as cluster,
        Plugins(cluster) as plugins,
    ):
        keys = [cluster.plugin_key() for _ in range(DEVICES)]
        devices = [plugins.join(None, key.key, "tv") for key in keys]
        posted: list[str] = []

        def post(step: str) -> None:
            for number, key in enumerate(keys):
                message_id = f"{step}-{number}"
                _publish(cluster, key.streamer, message_id)
                posted.append(message_id)
            _publish(cluster, "", f"{step}-all", to="all")

        for name, node in zip(cluster.node_names, cluster.nodes, strict=True):
            post(f"{name}-before")
            _wait_acknowledged(cluster, posted, len(devices))
            node.terminate()
            until(lambda node=node: _is_stopping(node))  # type: ignore[misc]
            post(f"{name}-stopping")
            node.wait_gone()
            post(f"{name}-gone")
            node.start()
            node.wait_ready()
            assert cluster.balancer is not None
            cluster.balancer.wait_for({name: "UP"})
        post("after")
        for number, device in enumerate(devices):
            plugins.wait_heard(f"after-{number}", device)
            plugins.wait_heard("after-all", device)
        _each_heard_its_own(plugins, devices, posted)
        assert sum(device.joins for device in devices) > len(devices), "nobody had to move"


def _is_stopping(node: Member) -> bool:
    """Whether it says so, or has stopped already."""
    try:
        return bool(node.get("/healthcheck")[0] == 503)
    except (OSError, http.client.HTTPException):
        return True


def _publish(cluster: RunningCluster, streamer: str, message_id: str, **fields: object) -> None:
    """Post a message as a backend does that does not give up: a node may stop with the request in its hands."""
    body = message(streamer, 1, id=message_id, ttl_ms=LIFE_MS, **fields)

    def accepted() -> bool:
        try:
            status, answer = cluster.backend.call("POST", "/v1/messages", body)
        except (OSError, http.client.HTTPException):
            return False
        assert status in (200, 201, 502, 503), (status, answer)
        return status in (200, 201)

    until(accepted)


def _wait_acknowledged(cluster: RunningCluster, posted: Sequence[str], devices: int) -> None:
    """Wait until all that was posted so far is known to be had: so it cannot come again."""
    takers = dict.fromkeys(posted, 1)
    takers |= {f"{each.rpartition('-')[0]}-all": devices for each in posted}

    def acknowledged(message_id: str) -> bool:
        status, answer = cluster.backend.call("GET", f"/v1/messages/{message_id}")
        assert status == 200, (status, answer)
        return bool(answer["receipts"]["acked"] >= takers[message_id])

    for each in takers:
        until(lambda each=each: acknowledged(each))  # type: ignore[misc]


def _each_heard_its_own(plugins: Plugins, devices: list[Device], posted: list[str]) -> None:
    """Twice only what was posted to a node that stopped: it may have sent the client away before its receipt."""
    steps = {each.rpartition("-")[0] for each in posted}
    for number, device in enumerate(devices):
        heard = Counter(plugins.ids(device))
        own = {each for each in posted if each.endswith(f"-{number}")}
        assert set(heard) == own | {f"{step}-all" for step in steps}
        repeated = {each for each, times in heard.items() if times > 1}
        assert all("-stopping-" in each for each in repeated), repeated
