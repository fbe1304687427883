"""A namespace: who may join, what events mean, and its rooms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.logger import Logger

from ..engineio.outgoing import message
from .dialect import Refused
from .encoder import encode
from .packet import Packet, PacketType
from .rooms import Rooms

if TYPE_CHECKING:
    from .server import Server
    from .socket import Socket

Handler = TypeVar("Handler", bound=Callable[..., Any])


class ConnectionRefused(Exception):
    """Raised by an ``admit`` hook: the client may not join, and learns why.

    ``message`` reaches every client; ``data``, any JSON, those of revision 5. A stock client does
    not try again by itself.
    """

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.refusal = Refused(message, data)


class TryLater(Exception):
    """Raised by an ``admit`` hook that cannot tell now: the connection ends so that the client returns."""


async def _admit_all(socket: Socket, auth: Mapping[str, Any]) -> None:
    """Let everybody in."""


def _nothing(*_: Any) -> None:
    """Do nothing."""


class Namespace:
    """One namespace of a :class:`.server.Server`; made by ``server.namespace(name)``.

    Four hooks, all optional, are plain attributes:

    * ``await admit(socket, auth)`` before a client joins. May raise :class:`ConnectionRefused` or
      :class:`TryLater`, and set ``socket.user`` or join rooms.
    * ``connected(socket)`` once it has joined, behind the answer to its CONNECT.
    * ``disconnected(socket, reason)`` when it has left.
    * ``acked(socket, ack_id, args)`` for an acknowledgement that no ``socket.call`` waits for: the answer
      to an event that was sent to many with one ack id, or nonsense.
    """

    _log = Logger()

    def __init__(self, name: str, server: Server) -> None:
        self.name = name
        self.server = server
        self.sockets: dict[Socket, None] = {}
        self.rooms: Rooms[Socket] = Rooms()
        self.handlers: dict[str | int | float, Callable[..., Any]] = {}
        self.admit: Callable[[Socket, Mapping[str, Any]], Awaitable[None]] = _admit_all
        self.connected: Callable[[Socket], None] = _nothing
        self.disconnected: Callable[[Socket, str], None] = _nothing
        self.acked: Callable[[Socket, int, list[Any]], None] = _nothing

    def on(self, event: str) -> Callable[[Handler], Handler]:
        """Decorate ``handler(socket, *args)``, plain or ``async``; its result is the acknowledgement."""

        def register(handler: Handler) -> Handler:
            self.handlers[event] = handler
            return handler

        return register

    def emit(
        self, event: str, *args: Any, rooms: Iterable[str] | None = None, ack: bool = False
    ) -> int:
        """Send an event to everybody in ``rooms``, or in the whole namespace; each gets it once.

        With ``ack`` the packet carries an ack id, the same for all, so that it is encoded only once.
        Returns the number of sockets it was written to or waits for.
        """
        sockets = list(self.sockets) if rooms is None else self.rooms.members(rooms)
        if not sockets:
            return 0
        ack_id = self.server.next_ack_id() if ack else None
        packet = Packet(PacketType.EVENT, self.name, [event, *args], ack_id)
        return self.server.broadcaster.send(message(*encode(packet)), sockets)

    def enter(self, socket: Socket, rooms: Iterable[str]) -> None:
        """Put a connected socket into rooms; applications use ``socket.join``."""
        for room in rooms:
            self.rooms.join(room, socket)

    def leave(self, socket: Socket, rooms: Iterable[str]) -> None:
        """Take a socket out of rooms; applications use ``socket.leave``."""
        for room in rooms:
            self.rooms.leave(room, socket)

    def add(self, socket: Socket) -> None:
        """The client has joined."""
        self.sockets[socket] = None
        self.enter(socket, socket.rooms)
        self._call(self.connected, socket)

    def remove(self, socket: Socket, reason: str) -> None:
        """The client has left, or is gone."""
        self.sockets.pop(socket, None)
        self.leave(socket, socket.rooms)
        socket.closed()
        self._call(self.disconnected, socket, reason)

    def take_ack(self, socket: Socket, ack_id: int, args: list[Any]) -> None:
        """An acknowledgement has come that the socket itself does not wait for."""
        self._call(self.acked, socket, ack_id, args)

    def _call(self, hook: Callable[..., None], *args: Any) -> None:
        try:
            hook(*args)
        except Exception:
            self._log.failure("hook of {namespace} failed", namespace=self.name)
