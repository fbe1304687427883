"""How late scheduled messages are, and what a million of them cost while they wait."""

import random
import sys
import tempfile
import time
from pathlib import Path

from tests.running_node import ONE_ADDRESS, RunningNode, message
from tests.swarm import Device, Heard, Swarm

from .figures import percentile, rss_mib, show

QUICK = "--quick" in sys.argv
DEVICES = 100 if QUICK else 1_000
MESSAGES = 1_000 if QUICK else 10_000
OVER_S = 6 if QUICK else 60
WAITING = 100_000 if QUICK else 1_000_000
BATCH = 1_000
LEAD_S = 3.0
PUBLISHES = 300


def main() -> None:
    """Run both parts."""
    with tempfile.TemporaryDirectory() as folder:
        lateness(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        waiting(Path(folder))


def lateness(folder: Path) -> None:
    """Schedule messages for random moments and devices, and see when they come."""
    late_ms: list[float] = []
    due_ms: dict[str, int] = {}

    def hear(heard: Heard) -> bool:
        if heard.event == "dropcode":
            late_ms.append(heard.at_ns / 1e6 - due_ms[heard.argument["id"]])
        return True

    with RunningNode(folder, *ONE_ADDRESS) as node:
        keys = [node.plugin_key() for _ in range(DEVICES)]
        with Swarm(node.port, hear) as swarm:
            for key in keys:
                swarm.add(Device({"apiKey": key.key, "device": "bench"}))
            swarm.wait_joined()
            begin_ms = int((time.time() + LEAD_S + MESSAGES / 5_000) * 1000)
            moments = sorted(begin_ms + random.randrange(OVER_S * 1000) for _ in range(MESSAGES))
            bodies = []
            for number, moment in enumerate(moments):
                due_ms[f"m{number}"] = moment
                streamer = random.choice(keys).streamer
                bodies.append(
                    message(streamer, number, id=f"m{number}", deliver_at=moment, ttl_ms=60_000)
                )
            for start in range(0, MESSAGES, BATCH):
                node.publish_batch(bodies[start : start + BATCH])
            scheduled_ahead_s = begin_ms / 1000 - time.time()
            deadline = moments[-1] / 1000 + 5
            while len(late_ms) < MESSAGES and time.time() < deadline:
                time.sleep(0.1)
    show(
        f"Punctuality: {MESSAGES:,} messages over {OVER_S} s to {DEVICES:,} devices",
        {
            "delivered": len(late_ms),
            "early": sum(late < 0 for late in late_ms),
            "lateness p50 (ms)": percentile(late_ms, 0.5),
            "lateness p99 (ms)": percentile(late_ms, 0.99),
            "lateness max (ms)": max(late_ms),
            "all scheduled before the first was due (s)": scheduled_ahead_s,
        },
    )


def waiting(folder: Path) -> None:
    """Let a million messages wait, and compare what a publish, a start and the memory cost."""
    with RunningNode(folder) as node:
        before_us = publish_us(node)
        before_mib = rss_mib(node.pid)
        later = int((time.time() + 86_400) * 1000)
        begin = time.perf_counter()
        for start in range(0, WAITING, BATCH):
            node.publish_batch(
                [
                    message("s", n, deliver_at=later + n, ttl_ms=1_000)
                    for n in range(start, start + BATCH)
                ]
            )
        filling_s = time.perf_counter() - begin
        after_us = publish_us(node)
        after_mib = rss_mib(node.pid)
        node.kill()
        begin = time.perf_counter()
        node.start()
        starting_s = time.perf_counter() - begin
        started_mib = rss_mib(node.pid)
        started_us = publish_us(node)
    show(
        f"{WAITING:,} messages scheduled for tomorrow",
        {
            "scheduling them, in batches of 1,000 (s)": filling_s,
            "a publish before, median (µs)": before_us,
            "a publish while they wait, median (µs)": after_us,
            "a publish after a restart, median (µs)": started_us,
            "memory before (MiB)": before_mib,
            "memory while they wait (MiB)": after_mib,
            "memory after a restart (MiB)": started_mib,
            "restart until /healthcheck is 200 (s)": starting_s,
        },
    )


def publish_us(node: RunningNode) -> float:
    """Return the median time of a publish, in microseconds, one at a time."""
    times = []
    for _ in range(PUBLISHES):
        begin = time.perf_counter()
        node.publish("nobody", 1, ttl_ms=60_000)
        times.append((time.perf_counter() - begin) * 1e6)
    return percentile(times, 0.5)


if __name__ == "__main__":
    main()
