"""How a measured value is spread: a histogram of plain integers, cheap enough for busy paths."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate


class Distribution:
    """Counts values by upper bounds, as a Prometheus histogram does."""

    __slots__ = ("_bounds", "_counts", "total")

    total: float
    """The sum of all values."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """``bounds`` are upper bounds, inclusive and ascending; what is larger than the last counts, too."""
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value, in the unit of the bounds. Less than nothing counts as nothing."""
        if value < 0:
            value = 0.0
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, int]]:
        """Return how many values were at most each bound; the last is all of them."""
        names = [*(repr(float(bound)) for bound in self._bounds), "+Inf"]
        return list(zip(names, accumulate(self._counts), strict=True))

    @property
    def count(self) -> int:
        """How many values were observed."""
        return sum(self._counts)
