"""What being measured costs: counting, and a scrape with many sessions. CPU time of this process.

Run: ``python -m bench.metrics [--json]``.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from twisted.internet.task import Clock

from reward_push.engineio.opening import Opening
from reward_push.engineio.options import EngineOptions
from reward_push.engineio.outgoing import Outgoing
from reward_push.engineio.registry import Registry
from reward_push.engineio.revision import V3, V4
from reward_push.engineio.session import Session
from reward_push.node.census import Census
from reward_push.ops.distribution import Distribution
from reward_push.rewards.counts import DeliveryCounts
from reward_push.transports.wheel import Wheel

from .figures import show

TIMES = 200_000
SESSIONS = 100_000
BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)


class Transport:
    """Takes everything, keeps nothing."""

    writable = True

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, units: Sequence[Outgoing]) -> None:
        """See ``ITransport``."""


class Handler:
    """Does nothing."""

    def opened(self) -> None:
        """See ``ISessionHandler``."""


def main() -> None:
    """Measure and show."""
    registry = CollectorRegistry()
    counts = DeliveryCounts()

    def attribute() -> None:
        counts.sent += 1

    plain = Counter("plain", "-", registry=registry)
    labelled = Counter("labelled", "-", ["level"], registry=registry)
    histogram, ours = Histogram("histogram", "-", registry=registry), Distribution(BOUNDS)
    empty_ns = _ns(lambda: None)
    show(
        "counting once, ns",
        {
            "an attribute": _ns(attribute) - empty_ns,
            "prometheus-client: a counter": _ns(plain.inc) - empty_ns,
            "prometheus-client: with a label": _ns(lambda: labelled.labels("sent").inc())
            - empty_ns,
            "a histogram of ours": _ns(lambda: ours.observe(0.003)) - empty_ns,
            "a histogram of prometheus-client": _ns(lambda: histogram.observe(0.003)) - empty_ns,
        },
    )
    slices_ms = _census_ms()
    show(
        f"a walk over {SESSIONS:,} sessions, ms",
        {"in all": sum(slices_ms), "longest slice": max(slices_ms), "slices": len(slices_ms)},
    )


def _ns(call: Callable[[], object]) -> float:
    begun = time.thread_time()
    for _ in range(TIMES):
        call()
    return (time.thread_time() - begun) / TIMES * 1e9


def _census_ms() -> list[float]:
    def opened(_session: Session) -> Any:
        return Handler()

    registry = Registry(EngineOptions(), Wheel(Clock()), opened)
    for number in range(SESSIONS):
        session = registry.open(V4 if number % 2 else V3, Opening())
        session.transport_opened(Transport("websocket" if number % 3 else "polling"))
    later: deque[Callable[[], object]] = deque()
    census = Census(registry, later.append)
    later.append(census.take)
    found = []
    while later:
        begun = time.thread_time()
        later.popleft()()
        found.append((time.thread_time() - begun) * 1000)
    return found


if __name__ == "__main__":
    main()
