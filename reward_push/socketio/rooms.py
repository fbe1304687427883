"""Who is in which room of a namespace."""

from collections.abc import Collection, Iterable
from typing import Generic, TypeVar

Member = TypeVar("Member")


class Rooms(Generic[Member]):
    """Rooms exist while somebody is in them."""

    __slots__ = ("_members",)

    def __init__(self) -> None:
        self._members: dict[str, set[Member]] = {}

    def join(self, room: str, member: Member) -> None:
        """Put ``member`` into ``room``; again is no harm."""
        members = self._members.get(room)
        if members is None:
            self._members[room] = {member}
        else:
            members.add(member)

    def leave(self, room: str, member: Member) -> None:
        """Take ``member`` out of ``room``, which ends with its last member."""
        members = self._members.get(room)
        if members is not None:
            members.discard(member)
            if not members:
                del self._members[room]

    def members(self, rooms: Iterable[str]) -> Collection[Member]:
        """Return everybody who is in at least one of ``rooms``, each once, as a snapshot."""
        found = [self._members[room] for room in rooms if room in self._members]
        if len(found) == 1:
            return list(found[0])
        return set().union(*found)

    def __len__(self) -> int:
        return len(self._members)
