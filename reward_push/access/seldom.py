"""Log lines that an attacker can cause: one now and then says enough."""

from collections.abc import Callable

EVERY_S = 60.0


class Seldom:
    """Tells when a line may be written again. ``now`` is a monotonic clock in seconds."""

    __slots__ = ("_due_at", "_every_s", "_now", "_unsaid")

    def __init__(self, now: Callable[[], float], every_s: float = EVERY_S) -> None:
        self._now = now
        self._every_s = every_s
        self._due_at = -float("inf")
        self._unsaid = 0

    def due(self) -> int | None:
        """Return how many lines were left out since the last one; ``None``: leave this one out too."""
        now = self._now()
        if now < self._due_at:
            self._unsaid += 1
            return None
        self._due_at = now + self._every_s
        unsaid, self._unsaid = self._unsaid, 0
        return unsaid
