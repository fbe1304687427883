"""Whose sockets came in by which key: what a revocation has to close."""

from collections.abc import Iterator

from ..socketio.socket import Socket


class Holders:
    """The connected sockets by the id of their key.

    Most keys have one socket; a set for each of these would cost more than all else that is kept of it.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, Socket | set[Socket]] = {}

    def add(self, key_id: str, socket: Socket) -> None:
        """``socket`` has come in by a key."""
        held = self._by_key.get(key_id)
        if held is None:
            self._by_key[key_id] = socket
        elif isinstance(held, set):
            held.add(socket)
        else:
            self._by_key[key_id] = {held, socket}

    def discard(self, key_id: str, socket: Socket) -> None:
        """``socket`` is gone."""
        held = self._by_key.get(key_id)
        if isinstance(held, set):
            held.discard(socket)
        if held == set() or held is socket:
            del self._by_key[key_id]

    def of(self, key_id: str) -> list[Socket]:
        """Return the sockets of a key."""
        held = self._by_key.get(key_id)
        if held is None:
            return []
        return list(held) if isinstance(held, set) else [held]

    def __iter__(self) -> Iterator[str]:
        """Iterate over a snapshot of the ids of keys that have sockets."""
        return iter(list(self._by_key))
