"""What several nodes on one Redis deliver, and how fast, against one node with its embedded store.

Clients and posts are spread evenly over the nodes, without a balancer. What it costs to pass requests on to
another node is measured by ``bench.relay``.
"""

import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from tests.running_cluster import RunningCluster
from tests.running_node import ONE_ADDRESS, Backend, RunningNode, Service, message
from tests.swarm import Device, Heard, Swarm

from .figures import percentile, show

QUICK = "--quick" in sys.argv
DEVICES = 300 if QUICK else 1_200
BROADCASTS = 20 if QUICK else 50
RATE = 100.0
"""Messages a second to single streamers: slow enough that nothing queues."""
SINGLES = 500 if QUICK else 3_000
POSTERS = 16
POSTING_S = 2.0 if QUICK else 8.0
SCHEDULED = 500 if QUICK else 5_000
OVER_S = 5 if QUICK else 30
LEAD_S = 4.0
PATIENCE_S = 60.0
LIFE_MS = 600_000


@attrs.frozen
class Bench:
    """A deployment with its clients."""

    name: str
    service: Service
    nodes: Sequence[RunningNode]
    redis_pid: int | None
    streamers: Sequence[str]
    """One for each device."""
    heard: dict[str, list[int]]
    """Message → when each of its devices read it (epoch, in nanoseconds)."""

    def post(self, turn: int, body: Mapping[str, object]) -> int:
        """Post to one of the nodes in turn; return when that began."""
        begin_ns = time.time_ns()
        status, answer = self.nodes[turn % len(self.nodes)].backend.call(
            "POST", "/v1/messages", body
        )
        assert status == 201, (status, answer)
        return begin_ns

    def wait_heard(self, count: int) -> None:
        """Wait until so many messages with one device have been heard."""
        deadline = time.monotonic() + PATIENCE_S
        while sum(map(len, list(self.heard.values()))) < count:
            assert time.monotonic() < deadline, "something was not heard"
            time.sleep(0.005)


@contextmanager
def running(count: int) -> Iterator[Bench]:
    """So many nodes on one Redis; 0: one with its own store."""
    heard: dict[str, list[int]] = {}

    def hear(each: Heard) -> bool:
        if each.event == "dropcode":
            heard.setdefault(each.argument["id"], []).append(each.at_ns)
        return True

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis_pid = None
        if count == 0:
            node = stack.enter_context(RunningNode(folder, *ONE_ADDRESS))
            service: Service = node
            nodes: Sequence[RunningNode] = [node]
        else:
            # No faulty links here: they would be measured, too.
            cluster = RunningCluster(folder, *ONE_ADDRESS, nodes=count, balancing=None, direct=True)
            service = stack.enter_context(cluster)
            nodes = cluster.nodes
            redis_pid = cluster.redis.pid
        keys = [service.plugin_key() for _ in range(DEVICES)]
        swarms = [stack.enter_context(Swarm(node.port, hear)) for node in nodes]
        for number, key in enumerate(keys):
            device = Device({"apiKey": key.key, "device": "bench"})
            swarms[number % len(swarms)].add(device, after_s=number * 0.002)
        for swarm in swarms:
            swarm.wait_joined()
        name = "embedded" if count == 0 else f"{count} node{'s' * (count > 1)}"
        streamers = [key.streamer for key in keys]
        yield Bench(name, service, nodes, redis_pid, streamers, heard)


def cpu_s(pid: int) -> float:
    """The CPU time that a process has taken so far."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in threads) / 1e9


@contextmanager
def cpu_of(bench: Bench) -> Iterator[Callable[[], Mapping[str, float]]]:
    """Measure the CPU time of all nodes, of Redis, and of this process."""

    def now() -> dict[str, float]:
        return {
            "nodes": sum(cpu_s(node.pid) for node in bench.nodes),
            "Redis": 0.0 if bench.redis_pid is None else cpu_s(bench.redis_pid),
            "this process": time.process_time(),
        }

    before = now()
    yield lambda: {name: value - before[name] for name, value in now().items()}


def broadcasts(bench: Bench) -> None:
    """Messages to everybody, the next when all have the last."""
    bench.heard.clear()
    first_ms, last_ms = [], []
    with cpu_of(bench) as spent:
        begin = time.perf_counter()
        for turn in range(BROADCASTS):
            message_id = f"b{turn}"
            body = message("", turn, id=message_id, ttl_ms=LIFE_MS, to="all")
            posted_ns = bench.post(turn, body)
            bench.wait_heard((turn + 1) * DEVICES)
            moments = bench.heard[message_id]
            first_ms.append((min(moments) - posted_ns) / 1e6)
            last_ms.append((max(moments) - posted_ns) / 1e6)
        took_s = time.perf_counter() - begin
        cpu = spent()
    deliveries = BROADCASTS * DEVICES
    show(
        f"{bench.name}: {BROADCASTS} broadcasts to {DEVICES:,} devices, one after the other",
        {
            "deliveries/s": deliveries / took_s,
            "POST to the first device p50 (ms)": percentile(first_ms, 0.5),
            "POST to the last device p50 (ms)": percentile(last_ms, 0.5),
            "CPU a delivery and its receipts, nodes (µs)": cpu["nodes"] / deliveries * 1e6,
            "CPU a delivery and its receipts, Redis (µs)": cpu["Redis"] / deliveries * 1e6,
            "CPU of this process / time": cpu["this process"] / took_s,
        },
    )


def singles(bench: Bench) -> None:
    """Messages to single streamers at a fixed rate, from any node to any node."""
    bench.heard.clear()
    posted: dict[str, int] = {}
    with cpu_of(bench) as spent:
        begin = time.perf_counter()
        for turn in range(SINGLES):
            time.sleep(max(0.0, begin + turn / RATE - time.perf_counter()))
            message_id = f"s{turn}"
            body = message(random.choice(bench.streamers), turn, id=message_id, ttl_ms=LIFE_MS)
            posted[message_id] = bench.post(turn, body)
        bench.wait_heard(SINGLES)
        cpu = spent()
    times_ms = [(bench.heard[each][0] - at_ns) / 1e6 for each, at_ns in posted.items()]
    show(
        f"{bench.name}: {SINGLES:,} messages to single streamers, {RATE:g} a second",
        {
            "POST to device p50 (ms)": percentile(times_ms, 0.5),
            "POST to device p99 (ms)": percentile(times_ms, 0.99),
            "CPU a message, nodes (µs)": cpu["nodes"] / SINGLES * 1e6,
            "CPU a message, Redis (µs)": cpu["Redis"] / SINGLES * 1e6,
        },
    )


def posts(bench: Bench) -> None:
    """Messages for nobody, as fast as they are accepted, over several connections to each node in turn."""
    times_ms: list[float] = []
    end = time.perf_counter() + POSTING_S

    def post(number: int) -> None:
        node = bench.nodes[number % len(bench.nodes)]
        backend = Backend(node.port, node.backend_key)
        body = message("nobody", {"code": "K7Q-PLX"}, ttl_ms=60_000)
        while (begin := time.perf_counter()) < end:
            assert backend.call("POST", "/v1/messages", body)[0] == 201
            times_ms.append((time.perf_counter() - begin) * 1000)
        backend.close()

    threads = [threading.Thread(target=post, args=(number,)) for number in range(POSTERS)]
    with cpu_of(bench) as spent:
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s, cpu = time.perf_counter() - begin, spent()
    show(
        f"{bench.name}: posts over {POSTERS} connections",
        {
            "messages/s": len(times_ms) / took_s,
            "201 p50 (ms)": percentile(times_ms, 0.5),
            "201 p99 (ms)": percentile(times_ms, 0.99),
            "CPU a message, nodes (µs)": cpu["nodes"] / len(times_ms) * 1e6,
            "CPU a message, Redis (µs)": cpu["Redis"] / len(times_ms) * 1e6,
        },
    )


def scheduled(bench: Bench) -> None:
    """Messages that are due at random moments, for devices at all nodes, all of them posted to one node."""
    bench.heard.clear()
    begin_ms = int((time.time() + LEAD_S + SCHEDULED / 2_000) * 1000)
    due_ms = {f"d{n}": begin_ms + random.randrange(OVER_S * 1000) for n in range(SCHEDULED)}
    bodies = [
        message(random.choice(bench.streamers), 1, id=each, deliver_at=moment_ms, ttl_ms=LIFE_MS)
        for each, moment_ms in due_ms.items()
    ]
    for start in range(0, SCHEDULED, 500):
        bench.service.publish_batch(bodies[start : start + 500])
    ahead_s = begin_ms / 1000 - time.time()
    time.sleep(max(0.0, ahead_s + OVER_S))
    bench.wait_heard(SCHEDULED)
    late_ms = [bench.heard[each][0] / 1e6 - moment_ms for each, moment_ms in due_ms.items()]
    show(
        f"{bench.name}: {SCHEDULED:,} messages scheduled over {OVER_S} s",
        {
            "all posted before the first was due (s)": ahead_s,
            "early": sum(late < 0 for late in late_ms),
            "earliest (ms)": min(late_ms),
            "lateness p50 (ms)": percentile(late_ms, 0.5),
            "lateness p99 (ms)": percentile(late_ms, 0.99),
            "lateness max (ms)": max(late_ms),
        },
    )


def main() -> None:
    """Measure one deployment after the other."""
    for count in (0, 1, 2, 3):
        with running(count) as bench:
            for part in (broadcasts, singles, posts, scheduled):
                part(bench)


if __name__ == "__main__":
    main()
