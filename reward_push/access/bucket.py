"""Buckets of tokens for many names, all of one rate, in bounded memory.

Full buckets are not kept. Where more names than there is room for have used theirs lately, the name that
was heard of least lately is forgotten. So whoever keeps trying is remembered, and being forgotten does
nobody harm: it is a full bucket. What a forgetful table gives away is no more than what having so many
names gives away by itself.
"""

from collections import OrderedDict

from ..rate import Rate

MAX_NAMES = 65_536
"""Names remembered: some 16 MiB at most."""

_TIDIED = 10_000
"""Most names forgotten in one go by :meth:`Buckets.tidy`, so that it takes few milliseconds."""


class Buckets:
    """A bucket for each name."""

    __slots__ = ("_full_at", "_rate", "_size")

    def __init__(self, rate: Rate, size: int = MAX_NAMES) -> None:
        self._rate = rate
        self._size = size
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, name: str, now: float) -> float:
        """Take one of ``name``'s tokens, if there is one.

        Returns 0.0, or the seconds until there will be one. ``now``: monotonic seconds.
        """
        full_at = self._full_at.get(name)
        if full_at is None:
            self._forget_first(2, now)
            if len(self._full_at) >= self._size:
                self._full_at.popitem(last=False)
            self._full_at[name] = self._rate.take(0.0, now)
            return 0.0
        self._full_at.move_to_end(name)
        wait_s = self._rate.wait_s(full_at, now)
        if not wait_s:
            self._full_at[name] = self._rate.take(full_at, now)
        return wait_s

    def tidy(self, now: float) -> None:
        """Give back memory: forget buckets that are full. To be called now and then."""
        self._forget_first(_TIDIED, now)

    def _forget_first(self, count: int, now: float) -> None:
        """Forget up to ``count`` full buckets, those not heard of for longest."""
        names = self._full_at
        while count and names:
            name = next(iter(names))
            if names[name] > now:
                return
            del names[name]
            count -= 1
