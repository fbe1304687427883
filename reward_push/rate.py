"""A rate, and the one number that a bucket of tokens enforcing it has to remember.

A bucket holds ``burst`` tokens and gets ``per_second`` new ones. Instead of counting them, the time is
kept at which the bucket will be full again (the generic cell rate algorithm, turned round): each token
taken moves it on, nothing ticks, and a bucket that is full needs no memory.
"""

from typing import NamedTuple

_ROUNDING_S = 1e-6
"""Shorter waits come from the arithmetic."""


class Rate(NamedTuple):
    """So many a second on average, and so many at once.

    ``full_at`` and ``now`` below are monotonic seconds; a bucket that was never used is full at 0.0.
    """

    per_second: float
    burst: float

    @property
    def window_s(self) -> float:
        """How long an empty bucket takes to be full."""
        return self.burst / self.per_second

    def take(self, full_at: float, now: float) -> float:
        """Return the ``full_at`` of a bucket after one token more was taken, which may be a debt."""
        return max(full_at, now) + 1 / self.per_second

    def give_back(self, full_at: float) -> float:
        """Return the ``full_at`` of a bucket to which a token is returned."""
        return full_at - 1 / self.per_second

    def wait_s(self, full_at: float, now: float) -> float:
        """Return how long it takes until a whole token is there; 0.0: one is."""
        wait_s = full_at - now - (self.burst - 1) / self.per_second
        return wait_s if wait_s > _ROUNDING_S else 0.0
