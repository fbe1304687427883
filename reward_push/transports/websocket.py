# ruff: noqa: N803  (Autobahn's names)
"""The WebSocket transport of Engine.IO: the life of a connection from the 101 to its end.

Writing, closing and telling the session are done here; see :mod:`.acceptor` for how a connection comes here,
and :mod:`.reception` for what comes in.
"""

from collections.abc import Sequence
from math import inf
from socket import socket
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..engineio.errors import CloseReason, DecodeError
from ..engineio.interfaces import ISession, ITransport
from ..engineio.outgoing import Outgoing
from .deadline import Clock
from .linger import linger
from .reception import INVALID_PAYLOAD, FrameReader, Limits
from .sockets import descriptor_under, keep_little_unsent, plain_tcp
from .wire import PING, PONG, close_frame, frame, frames_encoder, send_at_once, write

CLOSE_TIMEOUT_S = 5.0
"""How long a client may take to answer a close frame, or to take in what is still to be sent."""
CLOSING_BYTES = 1 << 17
"""How much is parsed of what a client sends before it answers a close frame."""
LINGER_S = 2.0
"""How long a client that broke the protocol may take to read why, and close."""
LINGER_BYTES = 1 << 20
"""How much of what such a client still sends is read and thrown away."""

_NORMAL = 1000
_GOING_AWAY = 1001

_PROOF = b"proof"
"""What our pings carry."""


@implementer(ITransport)
class WebSocketTransport(FrameReader):
    """One WebSocket of one session."""

    name = "websocket"
    writable = True

    transport: Any
    _head = b""
    _pong: bytes | None = None
    _pinged = False
    _room = CLOSING_BYTES
    _closing: IDelayedCall | None = None
    _pause: IDelayedCall | None = None
    _direct: socket | None = None
    """The socket, while frames can go straight to it: plain TCP, open, nothing buffered before."""

    def __init__(self, session: ISession, limits: Limits, clock: Clock) -> None:
        super().__init__(limits)
        self._session = session
        self._clock = clock
        self._encoder = frames_encoder(session.revision, session.base64)

    # Opening

    def open(self, transport: Any, head: bytes) -> None:
        """Take over ``transport``: write the handshake's answer ``head`` and tell the session."""
        self.transport = transport
        self._tcp = plain_tcp(transport)
        self._watched = descriptor_under(transport)
        if self._watched is None:
            # Not a socket: all we can know of its buffer is when it asks to pause.
            transport.registerProducer(self, True)
        else:
            keep_little_unsent(self._watched)
        # The first frame usually is at hand: it goes out in one piece with the answer.
        self._head = head
        self._session.transport_opened(self)
        self._write(b"")
        if self.writable and self._tcp is not None:
            self._direct = self._tcp.socket

    # Writing

    def send(self, units: Sequence[Outgoing]) -> None:
        """Write the frames of all ``units`` in one go."""
        if len(units) == 1:
            data = units[0].encoded(self._encoder)
        else:
            encoder = self._encoder
            data = b"".join([unit.encoded(encoder) for unit in units])
        direct = self._direct
        if direct is None:
            self._write(data)
        elif rest := send_at_once(direct, data):
            self.transport.write(rest)
            self._wait_until_drained()

    def _write(self, data: bytes) -> None:
        if self.state != self.STATE_OPEN:
            return
        if self._head:
            data, self._head = self._head + data, b""
        if data and not write(self._tcp or self.transport, data):
            self._wait_until_drained()

    def ping(self) -> None:
        """Send a ping; the client's WebSocket answers it, not its application."""
        self._pinged = True
        self._write(frame(PING, _PROOF))

    def _wait_until_drained(self) -> None:
        self._direct = None
        watched = self._watched
        if watched is not None and watched.producer is None and not watched.disconnected:
            self.writable = False
            watched.registerProducer(self, True)
            # Called a paused one, a producer is resumed when the buffer is empty, however little
            # was in it.
            watched.producerPaused = True

    def _write_no_more(self) -> None:
        self.writable = False
        self._direct = None
        watched = self._watched or self.transport
        watched.unregisterProducer()

    def pauseProducing(self) -> None:
        """The buffer has become large."""
        self.writable = False

    def resumeProducing(self) -> None:
        """The buffer is empty."""
        if self._watched is not None:
            self._watched.unregisterProducer()
        if self.state != self.STATE_OPEN:
            return
        self.writable = True
        if self._tcp is not None:
            self._direct = self._tcp.socket
        if self._pong is not None:
            pong, self._pong = self._pong, None
            self._write(frame(PONG, pong))
        if self.writable:
            self._session.transport_drained(self)

    def stopProducing(self) -> None:
        """The connection is lost, as :meth:`connectionLost` is told too."""

    # Receiving

    def dataReceived(self, data: bytes) -> None:
        """Parse what has come in, but not without end while the answer to our close frame is awaited."""
        if self.state == self.STATE_CLOSING:
            self._room -= len(data)
            if self._room < 0:
                self.transport.pauseProducing()
                return
        super().dataReceived(data)

    def message(self, payload: bytes, is_binary: bool) -> None:
        """Decode a whole message and give its packet to the session."""
        limit = self.limits.packet
        if limit and len(payload) > limit + 1 and not payload.startswith(b"b"):
            self.too_big()
            return
        data: str | bytes = payload
        if not is_binary:
            try:
                data = payload.decode()
            except UnicodeDecodeError:
                self._invalid_payload("the text is not UTF-8")
                return
        try:
            packet = self._session.revision.decode_frame(data)
        except DecodeError:
            self._session.transport_broken(self, CloseReason.PARSE_ERROR)
            return
        if limit and len(packet.data) > limit:
            self.too_big()
            return
        if pause_s := self._session.received(self, packet):
            self._leave_alone(pause_s)

    def _strained(self) -> None:
        if self.state == self.STATE_OPEN and (pause_s := self._session.strained(self)):
            self._leave_alone(pause_s)

    def _leave_alone(self, seconds: float) -> None:
        """Read nothing from the client for a while, or never again.

        What has come already is kept unparsed meanwhile.
        """
        if seconds == inf:
            self._hear_no_more()
        elif self.state == self.STATE_OPEN and self.reading:
            self.reading = False
            self.transport.pauseProducing()
            self._pause = self._clock.callLater(seconds, self._read_again)

    def _read_again(self) -> None:
        self._pause = None
        self.read_on()
        if self.reading and self.state != self.STATE_CLOSED:
            self.transport.resumeProducing()

    def _onPing(self, payload: bytes) -> None:
        if self.state != self.STATE_OPEN:
            return
        self._strained()
        if self.writable:
            self._write(frame(PONG, payload))
        else:
            # While nothing can be written, only the last ping is answered (RFC 6455, 5.5.3).
            self._pong = payload

    def _onPong(self, payload: bytes) -> None:
        # Pongs may also come unasked (RFC 6455, section 5.5.3).
        if self._pinged and payload == _PROOF:
            self._pinged = False
            self._session.transport_proved(self)
        else:
            self._strained()

    # Closing

    def close(self) -> None:
        """Close normally, after what was sent."""
        self.sendCloseFrame(_NORMAL)

    def fail(self) -> None:
        """Close as going away, after what was sent."""
        self.sendCloseFrame(_GOING_AWAY)

    def sendCloseFrame(self, code: int, **_: Any) -> None:
        """Send a close frame, once; the answer, or what else ends the connection, is awaited."""
        if self.state != self.STATE_OPEN:
            return
        self._write(close_frame(code))
        self.state = self.STATE_CLOSING
        self._write_no_more()
        if self._pause is not None:
            # The answer is awaited.
            self._pause.reset(0)
        self._closing = self._clock.callLater(CLOSE_TIMEOUT_S, self._cut)

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> bool:
        """The client closes, or answers our close frame."""
        was_open = self.state == self.STATE_OPEN
        stop = bool(super().onCloseFrame(code, reasonRaw))
        if was_open and not stop:
            self._session.transport_lost(self)
        return stop

    def dropConnection(self, **_: Any) -> None:
        """The closing handshake is over: close the socket once everything is sent."""
        self.state = self.STATE_CLOSED
        self.transport.loseConnection()

    def _fail_connection(self, code: int, reason: str) -> None:
        """The client broke RFC 6455: say so, and read no further."""
        was_open = self.state == self.STATE_OPEN
        if was_open:
            self._write(close_frame(code, reason.encode()[:123]))
            self._write_no_more()
        self._hear_no_more()
        if was_open:
            bad_text = code == INVALID_PAYLOAD
            why = CloseReason.PARSE_ERROR if bad_text else CloseReason.TRANSPORT_ERROR
            self._session.transport_broken(self, why)

    def _hear_no_more(self) -> None:
        """Parse nothing more, and wait a moment for the client to read our last words and close."""
        self.state = self.STATE_CLOSED
        self._forget_timers()
        linger(self.transport, self._clock, LINGER_S, LINGER_BYTES)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The socket is closed; tell the session unless it knows."""
        was_open = self.state == self.STATE_OPEN
        self.state = self.STATE_CLOSED
        self.writable = False
        self._direct = None
        self._forget_timers()
        if was_open:
            self._session.transport_lost(self)

    def _forget_timers(self) -> None:
        for timer in (self._closing, self._pause):
            if timer is not None:
                timer.cancel()
        self._closing = self._pause = None

    def _cut(self) -> None:
        self._closing = None
        self.transport.abortConnection()
