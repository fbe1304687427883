"""Every metric of a node, once: its name, what it is counted by, and what it means.

``docs/metrics.md`` shows the same table; a test compares them. No label has a value that a client, a
streamer or a message brings along: each is one of a few words known before.
"""

from collections.abc import Sequence
from enum import StrEnum

import attrs

PREFIX = "reward_push_"


class Kind(StrEnum):
    """What a metric's number does."""

    COUNTER = "counter"
    """It only grows, from 0 at the node's start."""
    GAUGE = "gauge"
    """It goes up and down: the state of things at the moment of the scrape."""
    HISTOGRAM = "histogram"
    """How measured values are spread."""


@attrs.frozen
class Metric:
    """One row."""

    name: str
    """Without :data:`PREFIX`; with its unit, and a counter with ``_total`` at its end."""
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    """Upper bounds of a histogram."""
    cluster: bool = False
    """Whether only nodes with Redis have it."""

    @property
    def full_name(self) -> str:
        """What Prometheus knows it by."""
        return PREFIX + self.name


def _counter(name: str, text: str, *labels: str, cluster: bool = False) -> Metric:
    return Metric(f"{name}_total", Kind.COUNTER, text, labels, cluster=cluster)


def _gauge(name: str, text: str, *labels: str, cluster: bool = False) -> Metric:
    return Metric(name, Kind.GAUGE, text, labels, cluster=cluster)


def _seconds(
    name: str, text: str, *labels: str, bounds: Sequence[float], cluster: bool = False
) -> Metric:
    return Metric(f"{name}_seconds", Kind.HISTOGRAM, text, labels, tuple(bounds), cluster)


PUNCTUAL = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
"""Bounds for what should take a few milliseconds, in seconds."""
LATENCIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
"""Bounds for what waits for a disk or for Redis, in seconds."""

CATALOGUE: tuple[Metric, ...] = (
    # The node
    _gauge("build_info", "Always 1; the labels say what runs.", "version", "python", "twisted"),
    _gauge("node_info", "Always 1; the label is the node's node_id.", "node"),
    _gauge("health", "1 for what /healthcheck says now, 0 for the rest.", "status"),
    _seconds("loop_lag", "How late the event loop is: a timer's delay, four times a second.", bounds=PUNCTUAL),
    # Connections
    _gauge("connections", "Open Engine.IO sessions.", "transport", "revision"),
    _gauge("sockets", "Clients that have joined a namespace.", "namespace"),
    _counter("handshakes", "Engine.IO sessions opened, by their first transport.", "transport", "revision"),
    _counter("refusals", "Requests of clients that were refused, handshakes among them.", "reason"),
    _counter("http_refusals", "HTTP requests answered before anybody looked at what they ask for.", "status"),
    _counter("upgrades", "Upgrades from polling to WebSocket that were begun and have ended.", "outcome"),
    _counter("sessions_closed", "Engine.IO sessions that have ended.", "reason"),
    _counter("sessions_evicted", "Of these, the ones that the node sent away, to come back.", "reason"),
    _counter("pauses", "How often a client was too fast, and was not read from for a while."),
    _counter("joins", "Clients let into a namespace.", "namespace"),
    _counter("join_refusals", "Clients not let into a namespace.", "namespace", "reason"),
    _gauge("half_open", "Sessions that have joined no namespace yet."),
    _counter("gave_way", "Half-open sessions ended because their room was needed."),
    _gauge("addresses", "Client addresses that have sessions."),
    _counter("wrong_keys", "Wrong keys shown by clients and by callers of the API."),
    _counter("bans", "Bans of addresses for wrong keys."),
    _gauge("banned", "Addresses that are banned now."),
    _gauge("queue_bytes", "What waits to be written to clients, all of them together."),
    _gauge("queue_largest_bytes", "What waits for the client for which most does."),
    _gauge("queue_clients", "Clients for which something waits."),
    # Messages
    _counter("messages", "Messages posted, by what became of them.", "outcome"),
    _gauge("messages_waiting", "Messages taken from the schedule that wait for their last milliseconds."),
    _counter("deliveries", "Messages with one device each, by how far they came.", "level"),
    _seconds("lateness", "From deliver_at to the moment a scheduled message is written.", bounds=PUNCTUAL),
    _counter("revokes", "Revokes written to devices.", "reason"),
    _seconds("publish", "From a whole publishing request to its answer.", "call", bounds=LATENCIES),
    _counter("api_requests", "Answers of the HTTP API.", "call", "status"),
    _counter("receipts_committed", "Receipts handed to the store and kept."),
    _gauge("receipts_waiting", "Receipts that are not kept yet."),
    _counter("receipts_dropped", "Receipts given up: too many waited."),
    # The store
    _seconds("store", "From asking the store to its answer.", "operation", bounds=LATENCIES),
    _counter("store_failures", "Questions to the store that failed.", "operation"),
    # Several nodes
    _gauge("redis_connected", "1 while the connection to Redis stands.", "connection", cluster=True),
    _counter("redis_connects", "Connections to Redis made; the first one counts.", "connection", cluster=True),
    _seconds("redis", "Round trips to Redis.", bounds=LATENCIES, cluster=True),
    _counter("redis_losses", "How often Redis has come back without what it knew.", cluster=True),
    _gauge("redis_clock_ahead_seconds", "How far Redis' clock, which counts, is ahead of this machine's.", cluster=True),
    _gauge("canary_age_seconds", "How long ago this node last heard itself through Redis.", cluster=True),
    _gauge("channels", "Redis channels that this node listens to.", cluster=True),
    _counter("news", "What other nodes and this one have told through Redis.", "kind", cluster=True),
    _counter("heals", "How often this node has caught up with news it had missed.", cluster=True),
    _gauge("nodes", "Nodes known to be alive, this one among them.", cluster=True),
    _counter("relay_requests", "Requests passed on to the node that has the session.", "kind", cluster=True),
    _counter("relay_failures", "Requests that could not be passed on, or not to the end.", "reason", cluster=True),
    _gauge("relay_open", "Requests that are being passed on, WebSockets among them.", cluster=True),
)  # fmt: skip

BY_NAME: dict[str, Metric] = {each.name: each for each in CATALOGUE}
