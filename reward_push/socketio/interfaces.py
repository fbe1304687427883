"""The seams of the Socket.IO layer: what others ask of it."""

from collections.abc import Sequence
from typing import Any

from zope.interface import Interface


class IBroadcaster(Interface):
    """Emits one event to many sockets of this process."""

    def emit(namespace: str, rooms: Sequence[str], event: str, *args: Any, ack: bool) -> int:
        """Emit ``event`` with ``args`` (JSON values) to every socket of ``namespace`` in any of ``rooms``.

        Encoded once; a socket that is in several of the rooms gets it once. With ``ack`` the event
        carries an ack id, the same for all. Returns how many sockets it was written or queued to;
        a room that nobody is in counts 0. ``namespace`` must be one that is served.
        """
