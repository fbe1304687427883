"""A memory of a fixed size."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """The last ``size`` entries used, by name."""

    def __init__(self, size: int) -> None:
        self._entries: OrderedDict[str, V] = OrderedDict()
        self._size = size

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[V]:
        """Iterate over a snapshot, the least recently used first."""
        return iter(list(self._entries.values()))

    def get(self, name: str) -> V | None:
        """Return the entry, which counts as a use; ``None`` when there is none."""
        entry = self._entries.get(name)
        if entry is not None:
            self._entries.move_to_end(name)
        return entry

    def put(self, name: str, entry: V) -> None:
        """Keep ``entry``, at the cost of the one that was not used for longest if there are too many."""
        self._entries[name] = entry
        self._entries.move_to_end(name)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def discard(self, name: str) -> None:
        """Forget an entry, if it is there."""
        self._entries.pop(name, None)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
