"""How many of each name there are now."""


class Tally:
    """Counts what comes and goes by name. A name of which there is none takes no memory."""

    __slots__ = ("_counts", "_most", "full")

    full: set[str]
    """The names that have as many as they may."""

    def __init__(self, most: int) -> None:
        """``most``: how many a name may have; 0: any number."""
        self._counts: dict[str, int] = {}
        self._most = most
        self.full = set()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, name: str) -> None:
        """One more of ``name``, whether it may or not."""
        count = self._counts.get(name, 0) + 1
        self._counts[name] = count
        if count == self._most:
            self.full.add(name)

    def remove(self, name: str) -> None:
        """One of ``name`` is gone; it was added before."""
        count = self._counts[name] - 1
        if count:
            self._counts[name] = count
        else:
            del self._counts[name]
        if count < self._most:
            self.full.discard(name)
