"""One client in one namespace: what applications talk to."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..engineio.errors import CloseReason
from ..engineio.outgoing import Outgoing, message
from .acks import Acks
from .encoder import encode
from .packet import Packet, PacketType

if TYPE_CHECKING:
    from ..engineio.opening import Opening
    from .client import Client
    from .namespace import Namespace

ACK_TIMEOUT_S = 30.0


def _drop(unit: Outgoing) -> None:
    """Where units for a socket that has left go."""


class Socket:
    """A client's membership of one namespace, from its CONNECT to its end.

    ``user`` belongs to the application. ``provisional`` is set by an ``admit`` hook that lets a
    client in without counting it as joined: the connect time-out keeps running. ``unasked`` tells
    that the protocol joined the client to ``/`` before it could say anything (revision 4).
    ``joined_at`` is when it asked to join, in seconds of the wheel.
    """

    __slots__ = (
        "_acks",
        "_held",
        "_held_size",
        "client",
        "id",
        "joined_at",
        "namespace",
        "provisional",
        "rooms",
        "send",
        "unasked",
        "user",
    )

    _log = Logger()

    send: Callable[[Outgoing], None]
    """Write an encoded unit to the client, or queue it. The session's own method: fan-out is hot."""

    def __init__(
        self, socket_id: str, namespace: Namespace, client: Client, *, unasked: bool = False
    ) -> None:
        self.id = socket_id
        self.namespace = namespace
        self.client = client
        self.send = client.session.send
        self.rooms: tuple[str, ...] = ()
        self.user: Any = None
        self.provisional = False
        self.unasked = unasked
        self.joined_at = namespace.server.wheel.now()
        self._acks: Acks | None = None
        self._held: list[Outgoing] | None = None
        self._held_size = 0

    def __repr__(self) -> str:
        return f"<Socket {self.id} {self.namespace.name}>"

    @property
    def opening(self) -> Opening:
        """The request that opened the connection."""
        opening: Opening = self.client.session.handshake
        return opening

    @property
    def connected(self) -> bool:
        """Whether the socket is in its namespace now."""
        return self.client.sockets.get(self.namespace.name) is self

    def emit(self, event: str, *args: Any) -> None:
        """Send an event. ``bytes`` anywhere in ``args`` travel as attachments.

        Raises ``socketio.errors.EncodeError`` for what JSON cannot carry.
        """
        self.send(message(*encode(Packet(PacketType.EVENT, self.namespace.name, [event, *args]))))

    def call(
        self, event: str, *args: Any, timeout_s: float = ACK_TIMEOUT_S
    ) -> Deferred[tuple[Any, ...]]:
        """Send an event and return a Deferred of what the client acknowledges with.

        Fails with :class:`.acks.AckTimeout` or :class:`.acks.Disconnected`.
        """
        ack_id = self.namespace.server.next_ack_id()
        packet = Packet(PacketType.EVENT, self.namespace.name, [event, *args], ack_id)
        unit = message(*encode(packet))
        if self._acks is None:
            self._acks = Acks(self.namespace.server.wheel)
        answer = self._acks.expect(ack_id, timeout_s)
        self.send(unit)
        return answer

    def hold(self) -> None:
        """Let what is sent to the socket wait until :meth:`release`.

        For an application that first has to send what came earlier. What waits is bounded like the
        queue of a session: a client for whom too much does is sent away to come back.
        """
        held: list[Outgoing] = []
        self._held = held
        self._held_size = 0
        most = self.client.session.options.max_queue_bytes or float("inf")

        def wait(unit: Outgoing) -> None:
            held.append(unit)
            self._held_size += unit.size
            if self._held_size > most:
                self.client.evict(CloseReason.SLOW_CLIENT)

        self.send = wait

    def let_through(self, pick: Callable[[Outgoing], bool]) -> None:
        """Send now, of what has waited since :meth:`hold`, what ``pick`` picks."""
        held = self._held
        if held is None:
            return
        waiting = held[:]
        held.clear()
        for unit in waiting:
            if pick(unit):
                self._held_size -= unit.size
                self.client.session.send_on(unit)
            else:
                held.append(unit)

    def release(self, skip: Callable[[Outgoing], bool] | None = None) -> None:
        """Send what has waited since :meth:`hold`, as it is to be sent now, and all else at once again.

        What ``skip`` picks is dropped: it has been sent otherwise.
        """
        held, self._held = self._held, None
        if held is not None and self.connected:
            self.send = self.client.session.send
            for unit in held:
                if skip is None or not skip(unit):
                    self.client.session.send_on(unit)

    def join(self, *rooms: str) -> None:
        """Enter rooms. In an ``admit`` hook it takes effect once the client is let in."""
        self.rooms = tuple(dict.fromkeys((*self.rooms, *rooms)))
        if self.connected:
            self.namespace.enter(self, rooms)

    def leave(self, *rooms: str) -> None:
        """Leave rooms."""
        self.rooms = tuple(room for room in self.rooms if room not in rooms)
        self.namespace.leave(self, rooms)

    def disconnect(self, *, close: bool = False) -> None:
        """Throw the socket out of its namespace; with ``close`` end the whole connection.

        A stock client does not come back by itself from either. To move one elsewhere:
        ``socket.client.evict(reason)``.
        """
        self.client.disconnect(self, close=close)

    # What the client says.

    def received_event(self, args: list[Any], ack_id: int | None) -> None:
        """Hand an event to its handler, and the handler's result back as the acknowledgement.

        ``None`` acknowledges with no argument, a tuple with its items, anything else with itself.
        An event without a handler is dropped.
        """
        handler = self.namespace.handlers.get(args[0])
        if handler is None:
            return
        try:
            result = handler(self, *args[1:])
            if iscoroutine(result):
                result = Deferred.fromCoroutine(result)
            if isinstance(result, Deferred):
                result.addCallback(self._acknowledge, ack_id)
                result.addErrback(lambda failure: self._log.failure("handler failed", failure))
            else:
                self._acknowledge(result, ack_id)
        except Exception:
            self._log.failure("handler of {event!r} failed", event=args[0])

    def received_ack(self, ack_id: int | None, args: list[Any]) -> bool:
        """Settle the call that waits for it, or hand it to the namespace's ``acked`` hook.

        Returns whether the client had anything left to acknowledge.
        """
        if ack_id is None:
            return False
        if self._acks is not None and self._acks.settle(ack_id, args):
            return True
        self.namespace.take_ack(self, ack_id, args)
        return self.client.session.answered()

    def closed(self) -> None:
        """The socket has left its namespace."""
        self.send = _drop
        self._held = None
        if self._acks is not None:
            self._acks.fail()

    def _acknowledge(self, result: Any, ack_id: int | None) -> None:
        if ack_id is None:
            return
        args = [] if result is None else list(result) if isinstance(result, tuple) else [result]
        self.send(message(*encode(Packet(PacketType.ACK, self.namespace.name, args, ack_id))))
