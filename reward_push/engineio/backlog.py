"""What waits for a client that cannot take more right now, with its bound."""

from .interfaces import ITracker
from .options import EngineOptions
from .outgoing import Outgoing

FLUSH_BYTES = 64 * 1024
"""How much is handed to a transport at once: small enough that progress shows between two writes."""

FLUSH_PACKETS = 16
"""How many packets are handed to a transport at once. python-engineio refuses a polling payload with
more (its ``max_decode_packets``)."""

HARD_FACTOR = 16
"""A backlog of this many times the limit ends the session at once, moving or not: a client that
reads one byte now and then must not grow the node without end."""

LOOKS = 16
"""How often, while a backlog grows by its limit, it is looked for what would not be written any more."""

NEVER = float("inf")


def _current(units: list[Outgoing]) -> list[Outgoing]:
    return [current for unit in units if (current := unit.current()) is not None]


class Backlog:
    """Units in order, their total size, and since when nothing has moved."""

    __slots__ = ("_look_at", "_since", "_units", "moved_at", "size")

    size: int
    """Sum of the units' sizes, in characters or bytes."""
    moved_at: float
    """When the client last took something of it (monotonic seconds); minus infinity: not yet."""

    def __init__(self, now: float) -> None:
        self._units: list[Outgoing] = []
        self.size = 0
        self.moved_at = -NEVER
        self._since = now
        self._look_at = 0

    def __len__(self) -> int:
        return len(self._units)

    def append(self, unit: Outgoing) -> None:
        """Put ``unit`` behind what waits already."""
        self._units.append(unit)
        self.size += unit.size

    def holds(self, tracker: ITracker) -> bool:
        """Whether a unit of ``tracker`` waits."""
        return any(unit.tracker is tracker for unit in self._units)

    def trackers(self) -> set[ITracker]:
        """Return the trackers of what waits."""
        return {unit.tracker for unit in self._units if unit.tracker is not None}

    def slow_at(self, options: EngineOptions) -> float:
        """Return when the client counts as slow: too much waits, and nothing has moved for too long."""
        limit, timeout_s = options.max_queue_bytes, options.slow_timeout_s
        if not limit or not timeout_s or self.size <= limit:
            return NEVER
        return max(self._since, self.moved_at) + timeout_s

    def is_slow(self, options: EngineOptions, now: float) -> bool:
        """Whether the client is slow, by what would still be written."""
        if self.slow_at(options) > now:
            return False
        self._drop_stale()
        return self.slow_at(options) <= now

    def fits(self, options: EngineOptions) -> bool:
        """Whether no more waits than even a moving client may leave waiting, by what would still be written."""
        limit = options.max_queue_bytes
        if limit and self.size > max(limit, self._look_at):
            self._drop_stale()
            # Not for each unit: there may be thousands, and thousands of clients.
            self._look_at = self.size + limit // LOOKS
        return not limit or self.size <= limit * HARD_FACTOR

    def take(self, limit: int = FLUSH_BYTES) -> list[Outgoing]:
        """Remove the oldest units up to ``limit`` in size and :data:`FLUSH_PACKETS`, at least one.

        Returns them as they are to be written now: rendered anew, without those whose time is over.
        """
        total = packets = count = 0
        for unit in self._units:
            total += unit.size
            packets += len(unit.packets)
            if count and (total > limit or packets > FLUSH_PACKETS):
                total -= unit.size
                break
            count += 1
        taken = self._units[:count]
        del self._units[:count]
        self.size -= total
        return _current(taken)

    def _drop_stale(self) -> None:
        """Forget what would not be written any more: the first thing to give way when too much waits.

        The rest stays as it is, shared with all others for whom it waits.
        """
        self._units = [unit for unit in self._units if not unit.over]
        self.size = sum(unit.size for unit in self._units)
