"""Who has shown too many wrong keys, and is refused for a while."""

from collections import OrderedDict

from ..rate import Rate
from .bucket import MAX_NAMES, Buckets


class Bans:
    """Counts failures by name and bans a name that has too many.

    A ban has one length, and does not grow by what is tried meanwhile, as nothing is looked at then. With
    more banned names than there is room for, the ban that would end first ends.
    """

    __slots__ = ("_ban_s", "_failures", "_rate", "_size", "_until")

    def __init__(self, rate: Rate, ban_s: float, size: int = MAX_NAMES) -> None:
        """``ban_s`` of 0: as long as the bucket of failures stays empty."""
        self._rate = rate
        self._ban_s = ban_s
        self._size = size
        self._failures = Buckets(rate, size)
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def failed(self, name: str, now: float) -> bool:
        """``name`` has shown a wrong key; return whether it is banned from now on."""
        wait_s = self._failures.take(name, now)
        if not wait_s or self.left_s(name, now):
            return False
        if len(self._until) >= self._size:
            self._until.popitem(last=False)
        self._until[name] = now + (self._ban_s or wait_s)
        return True

    def left_s(self, name: str, now: float) -> float:
        """Return how long ``name`` is still banned, in seconds; 0.0: it is not."""
        until = self._until.get(name) if self._until else None
        if until is None:
            return 0.0
        if until <= now:
            del self._until[name]
            return 0.0
        return until - now

    def tidy(self, now: float) -> None:
        """Give back memory: forget what is over. To be called now and then."""
        self._failures.tidy(now)
        while self._until:
            name = next(iter(self._until))
            if self._until[name] > now:
                return
            del self._until[name]
