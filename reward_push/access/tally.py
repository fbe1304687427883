"""How many of each name there are now."""


class Tally:
    """Counts what comes and goes by name. A name of which there is none takes no memory."""

    __slots__ = ("_counts", "full")

    full: set[str]
    """The names that have as many as they may."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self.full = set()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, name: str, most: int) -> None:
        """One more of ``name``, whether it may or not. ``most``: how many it may have; 0: any number."""
        count = self._counts.get(name, 0) + 1
        self._counts[name] = count
        if count == most:
            self.full.add(name)

    def remove(self, name: str, most: int) -> None:
        """One of ``name`` is gone; it was added before, with the same ``most``."""
        count = self._counts[name] - 1
        if count:
            self._counts[name] = count
        else:
            del self._counts[name]
        if count < most:
            self.full.discard(name)
