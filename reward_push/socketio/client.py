"""One connection as Socket.IO sees it: it joins namespaces, and its packets go to their sockets."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..engineio.errors import CloseReason
from ..engineio.interfaces import ISessionHandler, ITimed
from ..engineio.outgoing import message
from ..engineio.session import Session
from .decoder import Decoder
from .dialect import DIALECTS, Refused
from .encoder import encode
from .errors import DecodeError
from .namespace import ConnectionRefused, TryLater
from .packet import Packet, PacketType
from .socket import Socket

if TYPE_CHECKING:
    from .server import Server

MAX_WAITING = 64
"""Packets that may wait while a namespace decides whether it lets the client in."""

INVALID_NAMESPACE = Refused("Invalid namespace")


@implementer(ISessionHandler, ITimed)
class Client:
    """The Socket.IO side of one Engine.IO session.

    Packets are taken strictly in order. While an ``admit`` hook waits, later packets wait, too: so a
    revision 4 client that asks for its namespace before ``/`` was granted needs no special case.
    """

    __slots__ = (
        "_deciding",
        "_decoder",
        "_dialect",
        "_over",
        "_server",
        "_waiting",
        "bucket",
        "due",
        "session",
        "sockets",
        "user",
    )

    _log = Logger()

    def __init__(self, session: Session, server: Server) -> None:
        self.session = session
        self.sockets: dict[str, Socket] = {}
        self.user: Any = None
        """Belongs to the application, for what holds for the whole connection."""
        self.bucket = 0
        self.due = server.wheel.now() + server.connect_timeout_s
        self._server = server
        self._dialect = DIALECTS[session.revision]
        self._decoder: Decoder = server.new_decoder()
        self._deciding = False
        self._waiting: list[Packet] | None = None
        self._over = False

    @property
    def ended(self) -> bool:
        """Whether the connection is over."""
        return self._over

    # What the session tells (ISessionHandler) and time brings (ITimed).

    def opened(self) -> None:
        """See :class:`..engineio.interfaces.ISessionHandler`."""
        if self._server.connect_timeout_s:
            self._server.wheel.file(self)
        if self._dialect.joins_root:
            self._join("/", {}, unasked=True)

    def message(self, data: str | bytes) -> bool:
        """See :class:`..engineio.interfaces.ISessionHandler`."""
        try:
            packet = self._decoder.add(data)
        except DecodeError:
            # The Socket.IO reference ends the whole connection, too.
            self.session.close(CloseReason.PARSE_ERROR)
            return False
        if packet is None:
            return False
        if not self._deciding:
            return self._take(packet)
        if self._waiting is None:
            self._waiting = []
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(packet)
        else:
            self.session.close(CloseReason.FORCED_CLOSE)
        return False

    def closed(self, reason: CloseReason) -> None:
        """See :class:`..engineio.interfaces.ISessionHandler`."""
        self._over = True
        self._server.wheel.discard(self)
        sockets, self.sockets = self.sockets, {}
        for socket in sockets.values():
            socket.namespace.remove(socket, reason.value)

    def expire(self, now: float) -> None:
        """The connect time-out: a client that has joined nothing by now is in the way."""
        if all(socket.provisional for socket in self.sockets.values()):
            if self._deciding:
                # It has asked, and we have not answered: some stock clients would take a close for our last word.
                self.evict()
            else:
                self.session.close(CloseReason.FORCED_CLOSE)

    # What applications do, by way of the socket.

    def evict(self, reason: CloseReason = CloseReason.FORCED_CLOSE) -> None:
        """End the connection so that a stock client comes back by itself."""
        self.session.evict(reason)

    def disconnect(self, socket: Socket, *, close: bool) -> None:
        """Send DISCONNECT to ``socket``, with ``close`` to all sockets, and then end the connection."""
        for each in list(self.sockets.values()) if close else [socket]:
            if each.connected:
                self._send(Packet(PacketType.DISCONNECT, each.namespace.name))
            # The packet may have been one too many for a client that reads nothing: then all sockets have left.
            if each.connected:
                self._remove(each, "server namespace disconnect")
        if close:
            self.session.close(CloseReason.FORCED_CLOSE)

    # Packets.

    def _take(self, packet: Packet) -> bool:
        """Do what ``packet`` says; return whether it answers something that was sent to the client."""
        if packet.type is PacketType.CONNECT:
            name, auth = self._dialect.parse_connect(packet)
            self._join(name, auth)
            return False
        socket = self.sockets.get(packet.namespace)
        if socket is None:
            if not self._dialect.forgiving:
                self.session.close(CloseReason.FORCED_CLOSE)
        elif packet.type is PacketType.DISCONNECT:
            self._remove(socket, "client namespace disconnect")
        elif packet.type is PacketType.EVENT:
            socket.received_event(packet.data, packet.id)
        elif packet.type is PacketType.ACK:
            return socket.received_ack(packet.id, packet.data)
        else:
            # A client has no business refusing the server.
            self.session.close(CloseReason.FORCED_CLOSE)
        return False

    def _send(self, packet: Packet) -> None:
        self.session.send(message(*encode(packet)))

    # Joining and leaving.

    def _join(self, name: str, auth: Mapping[str, Any], *, unasked: bool = False) -> None:
        present = self.sockets.get(name)
        namespace = self._server.namespaces.get(name)
        if present is not None:
            if self._dialect.forgiving:
                self._send(self._dialect.joined(name, present.id))
            else:
                self.session.close(CloseReason.FORCED_CLOSE)
        elif namespace is None:
            self._server.unknown_namespaces += 1
            self._send(self._dialect.refused(name, INVALID_NAMESPACE))
        else:
            self._deciding = True
            socket = Socket(secrets.token_urlsafe(15), namespace, self, unasked=unasked)
            Deferred.fromCoroutine(self._admit(socket, auth))

    async def _admit(self, socket: Socket, auth: Mapping[str, Any]) -> None:
        refusal = None
        try:
            await socket.namespace.admit(socket, auth)
        except ConnectionRefused as refused:
            refusal = refused.refusal
        except TryLater:
            self.evict()
        except Exception:
            self._log.failure("admit hook of {namespace} failed", namespace=socket.namespace.name)
            self.evict()
        if self._over:
            return
        name = socket.namespace.name
        if refusal is not None:
            self._send(self._dialect.refused(name, refusal))
        else:
            self._send(self._dialect.joined(name, socket.id))
            self.sockets[name] = socket
            if not socket.provisional:
                self._server.wheel.discard(self)
            socket.namespace.add(socket)
            if self.ended and name in self.sockets:
                # The answer was one packet too many for a client that reads nothing.
                self._remove(socket, CloseReason.SLOW_CLIENT.value)
        self._take_waiting()

    def _take_waiting(self) -> None:
        """Take what has waited, up to the next packet whose namespace has to decide in turn."""
        self._deciding = False
        while self._waiting and not (self._deciding or self._over):
            if self._take(self._waiting.pop(0)):
                # It was counted when it came.
                self.session.give_back()
        if not self._waiting:
            self._waiting = None

    def _remove(self, socket: Socket, reason: str) -> None:
        del self.sockets[socket.namespace.name]
        socket.namespace.remove(socket, reason)
