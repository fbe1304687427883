"""Whether a node can do its work: what ``/healthcheck`` and ``/readyz`` say.

A balancer that asks ``/healthcheck`` keeps a node whose store is away: else one lost store would take
every node out at once. ``/readyz`` is strict.
"""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from twisted.logger import Logger

Reason = Callable[[], str | None]
"""Asked at each check: what is wrong now, in a few words, or ``None``. Must be cheap."""


class Phase(StrEnum):
    """Where a node is in its life; each phase only leads to later ones."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"


_ORDER = tuple(Phase)

STATUS_WORDS = ("starting", "ok", "degraded", "draining")
"""What a node may say of itself."""


class Report(NamedTuple):
    """One answer: its HTTP status and its JSON object."""

    status: int
    body: dict[str, Any]


class Health:
    """The health of one node: ``starting``, ``ok`` or ``degraded``, ``draining``."""

    _log = Logger()

    def __init__(
        self,
        node_id: str,
        *,
        version: str | None = None,
        connections: Callable[[], int] | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``now_s`` is a monotonic clock; ``connections`` counts the clients connected now."""
        self._node_id = node_id
        self._version = version
        self._connections = connections
        self._now_s = now_s
        self._since_s = now_s()
        self._phase = Phase.STARTING
        self._reasons: list[Reason] = []

    def watch(self, reason: Reason) -> None:
        """Be degraded while ``reason()`` returns one."""
        self._reasons.append(reason)

    def started(self) -> None:
        """The node serves. Changes nothing once it drains."""
        self._advance(Phase.RUNNING)

    def draining(self) -> None:
        """The node stops. Final."""
        self._advance(Phase.DRAINING)

    def _advance(self, phase: Phase) -> None:
        if _ORDER.index(phase) > _ORDER.index(self._phase):
            self._phase = phase

    def healthcheck(self) -> Report:
        """Report for the balancer: 200 when ``ok`` or ``degraded``, else 503."""
        return self._report(degraded_status=200)

    def readyz(self) -> Report:
        """Report strictly: 200 only when ``ok``, else 503."""
        return self._report(degraded_status=503)

    def _report(self, degraded_status: int) -> Report:
        reasons: list[str] = []
        if self._phase is Phase.RUNNING:
            told = filter(None, map(self._ask, self._reasons))
            # What depends on one thing that is away says the same.
            reasons = list(dict.fromkeys(told))
            status, word = (degraded_status, "degraded") if reasons else (200, "ok")
        else:
            status, word = 503, str(self._phase)
        body: dict[str, Any] = {"status": word, "node": self._node_id}
        if reasons:
            body["reasons"] = reasons
        if self._version is not None:
            body["version"] = self._version
        body["uptime_s"] = round(self._now_s() - self._since_s, 3)
        if self._connections is not None:
            body["connections"] = self._connections()
        return Report(status, body)

    def _ask(self, reason: Reason) -> str | None:
        try:
            return reason()
        except Exception:
            self._log.failure("a health check failed")
            return "a health check failed"
