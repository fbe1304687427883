"""What ``/metrics`` shows of a node: every number is read from whoever keeps it."""

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, IntEnum
from importlib.metadata import version
from itertools import product
from typing import TYPE_CHECKING, Any

from zope.interface.interface import InterfaceClass

import twisted

from ..access.guard import Guard
from ..access.interfaces import IKeyStore
from ..admission.audience import Audience
from ..cluster.backplane import Backplane
from ..cluster.clock import ClusterClock
from ..cluster.directory import Directory
from ..cluster.reach import Reach
from ..cluster.relay import Relay
from ..engineio.errors import CloseReason, Refusal
from ..engineio.registry import Registry
from ..ops.health import STATUS_WORDS
from ..ops.metrics import Metrics
from ..ops.timed import Observe, Timed
from ..rewards.delivery import Delivery
from ..rewards.errors import ErrorCode
from ..rewards.interfaces import IMessageStore, Reason
from ..rewards.outcome import LIVE, REPEATED, SCHEDULED
from ..rewards.publisher import Publisher
from ..rewards.receipts import ReceiptBuffer
from ..rewards.waiting import Waiting
from ..socketio.server import Server
from ..transports.resource import DRAINING, EngineResource
from ..transports.site import EdgeSite
from .census import Census

if TYPE_CHECKING:
    # Not otherwise: their library installs a reactor.
    from ..cluster.link import RedisLink
    from ..cluster.subscriber import Subscriber

STORE: tuple[InterfaceClass, ...] = (IMessageStore, IKeyStore)
PUBLISHING = {"POST /v1/messages": "message", "POST /v1/messages/batch": "batch"}
"""Calls of the API whose time is shown, and what they are called."""


class StoreFigures:
    """How long the store takes to answer, and how often it fails."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._failed: Counter[tuple[str, ...]] = Counter()
        metrics.show("store_failures_total", lambda: self._failed)

    def timed(self, store: Any, seconds: Callable[[], float]) -> Any:
        """Return what stands before ``store`` and is watched; ``seconds`` is a monotonic clock."""
        return Timed(store, STORE, self._observer, seconds)

    def _observer(self, operation: str) -> Observe:
        spread = self._metrics.distribution("store_seconds", operation)
        # So that a first failure is a rise from 0.
        self._failed[(operation,)] = 0

        def observe(seconds: float, failed: bool) -> None:
            spread.observe(seconds)
            if failed:
                self._failed[(operation,)] += 1

        return observe


class ApiFigures:
    """What the HTTP API answers, and how fast messages are accepted."""

    def __init__(self, metrics: Metrics) -> None:
        self._answers: Counter[tuple[str, ...]] = Counter()
        self._spread = {
            call: metrics.distribution("publish_seconds", word) for call, word in PUBLISHING.items()
        }
        metrics.show("api_requests_total", lambda: self._answers)

    def observe(self, call: str, status: int, seconds: float) -> None:
        """See :data:`..api.resource.Observe`."""
        self._answers[call, str(status)] += 1
        spread = self._spread.get(call)
        if spread is not None:
            spread.observe(seconds)


def lateness(metrics: Metrics) -> Callable[[int], object]:
    """Return what is told of each scheduled delivery, in milliseconds."""
    spread = metrics.distribution("lateness_seconds")
    return lambda late_ms: spread.observe(late_ms / 1000)


def show_node(metrics: Metrics, node_id: str, health: Callable[[], Mapping[str, Any]]) -> None:
    """Show what runs and how it is; ``health`` returns what ``/healthcheck`` says."""
    builds = (version("reward-push"), platform.python_version(), str(twisted.__version__))
    metrics.show("build_info", lambda: {builds: 1})
    metrics.show("node_info", lambda: {(node_id,): 1})

    def statuses() -> dict[tuple[str, ...], float]:
        now = str(health()["status"])
        return {(each,): float(each == now) for each in STATUS_WORDS}

    metrics.show("health", statuses)


def show_connections(
    metrics: Metrics,
    census: Census,
    registry: Registry,
    server: Server,
    audience: Audience,
    guard: Guard,
    resource: EngineResource,
    sites: Sequence[EdgeSite],
) -> None:
    """Show who is connected, how they come and go, and who is refused."""
    counts, joins = registry.counts, audience.counts
    metrics.before(census.take)
    metrics.show("connections", lambda: _from_0(_KINDS, census.last.connections))
    metrics.show("queue_bytes", lambda: census.last.queue_bytes)
    metrics.show("queue_largest_bytes", lambda: census.last.queue_largest_bytes)
    metrics.show("queue_clients", lambda: census.last.queue_clients)
    metrics.show(
        "sockets",
        lambda: {(name,): len(each.sockets) for name, each in server.namespaces.items()},
    )
    metrics.show("handshakes_total", lambda: _from_0(_KINDS, counts.opened))
    metrics.show(
        "refusals_total",
        lambda: _from_0(_REFUSALS, {**resource.refused, **guard.turned_away}),
    )
    metrics.show(
        "http_refusals_total",
        lambda: _from_0(_HTTP_REFUSALS, sum((each.refusals for each in sites), Counter())),
    )
    metrics.show(
        "upgrades_total",
        lambda: {("completed",): counts.upgraded, ("failed",): counts.not_upgraded},
    )
    metrics.show("sessions_closed_total", lambda: _from_0((), registry.ends))
    metrics.show("sessions_evicted_total", lambda: _from_0(CloseReason, counts.evicted))
    metrics.show("pauses_total", lambda: registry.pauses)
    metrics.show("joins_total", lambda: _from_0(server.namespaces, joins.joined))
    metrics.show(
        "join_refusals_total",
        lambda: _from_0(
            (), {**joins.refused, ("", "invalid_namespace"): server.unknown_namespaces}
        ),
    )
    metrics.show("half_open", lambda: guard.half_open)
    metrics.show("gave_way_total", lambda: guard.gave_way)
    metrics.show("addresses", lambda: guard.addresses)
    metrics.show("wrong_keys_total", lambda: guard.wrong_keys)
    metrics.show("bans_total", lambda: guard.bans)
    metrics.show("banned", lambda: guard.banned)


def show_messages(
    metrics: Metrics,
    publisher: Publisher,
    waiting: Waiting,
    delivery: Delivery,
    receipts: ReceiptBuffer,
) -> None:
    """Show what becomes of messages."""
    counts = delivery.counts
    metrics.show("messages_total", lambda: _from_0(_OUTCOMES, publisher.outcomes))
    metrics.show("messages_waiting", lambda: len(waiting))
    metrics.show(
        "deliveries_total",
        lambda: {
            ("sent",): counts.sent,
            ("delivered",): counts.delivered,
            ("acked",): counts.acked,
        },
    )
    metrics.show("revokes_total", lambda: _from_0(Reason, counts.revoked))
    metrics.show("receipts_committed_total", lambda: receipts.committed)
    metrics.show("receipts_waiting", lambda: len(receipts))
    metrics.show("receipts_dropped_total", lambda: receipts.dropped)


def show_redis(
    metrics: Metrics,
    link: "RedisLink",
    subscriber: "Subscriber",
    clock: ClusterClock,
    losses: Callable[[], int],
) -> None:
    """Show how the connections to Redis are; ``losses``: how often it has come back empty."""
    metrics.show(
        "redis_connected",
        lambda: {
            ("commands",): float(link.trouble() is None),
            ("news",): float(subscriber.trouble() is None),
        },
    )
    metrics.show(
        "redis_connects_total",
        lambda: {("commands",): link.connections, ("news",): subscriber.connections},
    )
    metrics.show("redis_losses_total", losses)
    metrics.show("redis_clock_ahead_seconds", clock.ahead_s)


def show_others(
    metrics: Metrics, backplane: Backplane, directory: Directory, relay: Relay, reach: Reach
) -> None:
    """Show what is heard of other nodes, and what is passed on to them."""
    counts = relay.counts
    metrics.show("canary_age_seconds", backplane.canary_age_s)
    metrics.show("channels", lambda: len(backplane))
    metrics.show("news_total", lambda: _from_0(_NEWS, backplane.heard))
    metrics.show("heals_total", lambda: backplane.heals)
    metrics.show("nodes", lambda: 1 + len(directory.others()))
    metrics.show(
        "relay_requests_total",
        lambda: {("http",): counts.requests, ("websocket",): counts.upgrades},
    )
    metrics.show(
        "relay_failures_total",
        lambda: _from_0(
            _RELAY_FAILURES, {**reach.failures, "full": counts.full, "gone": counts.cut_off}
        ),
    )
    metrics.show("relay_open", lambda: len(relay))


_KINDS = tuple(product(("polling", "websocket"), (3, 4)))
_REFUSALS = (*(each.name.lower() for each in Refusal), DRAINING)
_HTTP_REFUSALS = (400, 408, 413, 414, 431)
_NEWS = ("live", "due", "ended", "key")
_RELAY_FAILURES = ("unknown", "unreachable", "refused", "late", "cut_short")
_OUTCOMES = (
    *(LIVE, SCHEDULED, REPEATED, ErrorCode.CONFLICT, ErrorCode.INVALID_REQUEST),
    *(ErrorCode.FORBIDDEN, ErrorCode.TOO_LATE, ErrorCode.UNAVAILABLE),
)


def _from_0(known: Iterable[Any], counts: Mapping[Any, float]) -> dict[tuple[str, ...], float]:
    """Return ``counts`` by labels, and 0 for all else that is ``known``: else a first one would be no rise."""
    return {_labels(each): number for each, number in {**dict.fromkeys(known, 0), **counts}.items()}


def _labels(key: Any) -> tuple[str, ...]:
    if isinstance(key, tuple):
        return tuple(map(str, key))
    if isinstance(key, IntEnum):
        return (str(int(key)),)
    return (str(key.value if isinstance(key, Enum) else key),)
