"""Where news is published: a node subscribes to what it has sockets for, and to what is for nodes.

The scripts of the store name the same channels (``store/redis/lua/ending.lua``).
"""

from collections.abc import Collection

import attrs

from ..rewards.rooms import EVERYBODY


@attrs.frozen
class Channels:
    """The channels under one prefix."""

    prefix: str

    def of(self, namespace: str, rooms: Collection[str]) -> str:
        """Name the channel for news of a message to ``rooms``.

        One room that is not everybody's has a channel of its own; all else goes to the whole namespace.
        """
        if len(set(rooms)) == 1:
            [room] = set(rooms)
            if room != EVERYBODY:
                return self.room(namespace, room)
        return self.namespace(namespace)

    def room(self, namespace: str, room: str) -> str:
        """Name the channel of one room. A room's name holds no ``|``, so no two share a channel."""
        return f"{self.prefix}room:{namespace}|{room}"

    def namespace(self, namespace: str) -> str:
        """Name the channel of a namespace."""
        return f"{self.prefix}ns:{namespace}"

    def all_of(self, namespace: str, rooms: Collection[str]) -> list[str]:
        """Name the channels of everything that may be for a socket in ``rooms``."""
        return [
            self.namespace(namespace),
            *(self.room(namespace, each) for each in rooms if each != EVERYBODY),
        ]

    @property
    def nodes(self) -> str:
        """The channel of all nodes."""
        return f"{self.prefix}nodes"

    def node(self, node_id: str) -> str:
        """Name one node's own channel."""
        return f"{self.prefix}node:{node_id}"
