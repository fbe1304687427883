"""What it costs to pass a request on: the same polls, posts and frames with a session's node and by way of another.

Two small nodes (edge, relay, echo) on one Redis; costs are the CPU time of each process.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.cluster.running_small_node import RunningSmallNode
from tests.protocol.wire import Client, Connection, WebSocket
from tests.running_redis import RunningRedis

from .figures import percentile, show

QUICK = "--quick" in sys.argv
CLIENTS = 20
ROUNDS = 30 if QUICK else 300
FRAMES = 100 if QUICK else 1000
HELD = 200 if QUICK else 1000


def main() -> None:
    """Measure all of it, directly and by way of the other node."""
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningRedis(Path(folder)) as redis,
        RunningSmallNode("owner", redis.port) as owner,
        RunningSmallNode("other", redis.port) as other,
    ):
        for way, through in (("directly", owner), ("by another node", other)):
            requests(way, owner, other, through)
        for way, through in (("directly", owner), ("by another node", other)):
            frames(way, owner, other, through)
        memory(redis, owner)


def cpu_s(node: RunningSmallNode) -> float:
    """The CPU time a node has taken so far."""
    fields = Path(f"/proc/{node.ports.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def requests(
    way: str, owner: RunningSmallNode, other: RunningSmallNode, through: RunningSmallNode
) -> None:
    """A post and a poll that brings its echo, over a kept-open connection a client."""
    pairs: list[tuple[Client, Connection]] = []
    for _ in range(CLIENTS):
        client = Client(owner.port)
        pairs.append((client, Connection(through.port)))
    times_ms: list[float] = []
    for warming in (True, False):
        if not warming:
            before = cpu_s(owner), cpu_s(other)
        for _ in range(ROUNDS // 10 if warming else ROUNDS):
            for client, connection in pairs:
                begin = time.perf_counter()
                assert connection.request("POST", client.target(), [], b"4x").status == 200
                assert connection.request("GET", client.target()).body == b"4x"
                if not warming:
                    times_ms.append((time.perf_counter() - begin) * 500)
    count = 2 * len(times_ms)
    show(
        f"Polls and posts, {way}",
        {
            "CPU a request, the session's node (µs)": (cpu_s(owner) - before[0]) / count * 1e6,
            "CPU a request, the other node (µs)": (cpu_s(other) - before[1]) / count * 1e6,
            "a request p50 (ms)": percentile(times_ms, 0.5),
            "a request p99 (ms)": percentile(times_ms, 0.99),
        },
    )
    for _, connection in pairs:
        connection.close()


def frames(
    way: str, owner: RunningSmallNode, other: RunningSmallNode, through: RunningSmallNode
) -> None:
    """Small text frames and their echoes, one at a time."""
    sockets: list[WebSocket] = []
    for _ in range(CLIENTS):
        client = Client(owner.port)
        client.port = through.port
        websocket = client.websocket()
        websocket.say("2probe", "5")
        assert websocket.text() == "3probe"
        sockets.append(websocket)
    before = cpu_s(owner), cpu_s(other)
    times_ms: list[float] = []
    for _ in range(FRAMES):
        for websocket in sockets:
            begin = time.perf_counter()
            websocket.say("4x")
            assert websocket.text() == "4x"
            times_ms.append((time.perf_counter() - begin) * 1000)
    show(
        f"A frame and its echo over a WebSocket, {way}",
        {
            "CPU an echo, the session's node (µs)": (cpu_s(owner) - before[0])
            / len(times_ms)
            * 1e6,
            "CPU an echo, the other node (µs)": (cpu_s(other) - before[1]) / len(times_ms) * 1e6,
            "an echo p50 (ms)": percentile(times_ms, 0.5),
            "an echo p99 (ms)": percentile(times_ms, 0.99),
        },
    )
    for websocket in sockets:
        websocket.close()


def rss_kib(node: RunningSmallNode) -> float:
    """The memory a node takes."""
    status = Path(f"/proc/{node.ports.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def memory(redis: RunningRedis, owner: RunningSmallNode) -> None:
    """What a held poll and a WebSocket take at a node that passes them on, each at a fresh one."""
    figures: dict[str, float] = {}
    for what in ("a held poll", "a WebSocket"):
        with RunningSmallNode("fresh", redis.port) as fresh:
            clients = [Client(owner.port) for _ in range(HELD)]
            before = rss_kib(fresh)
            connections: list[Connection] = []
            for client in clients:
                client.port = fresh.port
                held = what == "a held poll"
                connections.append(client.hold() if held else client.websocket())
            # It has come to all of them when it has come to what is behind them.
            Client(fresh.port).say("4x")
            figures[f"{what} (KiB)"] = (rss_kib(fresh) - before) / HELD
            for connection in connections:
                connection.close()
    show(f"Memory of what is passed on, {HELD:,} at once", figures)


if __name__ == "__main__":
    main()
