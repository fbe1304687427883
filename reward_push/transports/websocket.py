# ruff: noqa: N803, N815  (Autobahn's names)
"""The WebSocket transport of Engine.IO.

Frames are Autobahn's: it checks and assembles what comes in. The connection's life is ours: the
handshake, writing, closing and telling the session. So an idle connection holds little more than its
socket: Autobahn's settings, counters, timers and futures are values of the class here.
"""

from collections.abc import Sequence
from typing import Any

import attrs
from autobahn.websocket.protocol import TrafficStats, WebSocketServerProtocol
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ..engineio.errors import CloseReason, DecodeError
from ..engineio.interfaces import ISession, ITransport
from ..engineio.options import EngineOptions
from ..engineio.outgoing import Outgoing
from . import handshake
from .deadline import Clock
from .linger import linger
from .request import EdgeRequest
from .sockets import descriptor_under, plain_tcp
from .wire import PONG, SMALL, close_frame, frame, frames_encoder, parse_small, write

CLOSE_TIMEOUT_S = 5.0
"""How long a client may take to answer a close frame, or to take in what is still to be sent."""
LINGER_S = 2.0
"""How long a client that broke the protocol may take to read why, and close."""
LINGER_BYTES = 1 << 20
"""How much of what such a client still sends is read and thrown away."""

_NORMAL = 1000
_GOING_AWAY = 1001
_PROTOCOL_ERROR = 1002
_INVALID_PAYLOAD = 1007
_TOO_BIG = 1009

_SLICE = 4096
"""Input is parsed in pieces of this size, as each frame copies the rest of the piece."""


class _Factory:
    """What Autobahn wants to know of a protocol's factory."""

    isServer = True


@attrs.frozen
class _Shared:
    """What all connections of an acceptor have in common."""

    clock: Clock
    max_packet_bytes: int
    max_binary_bytes: int
    """Bound on a binary message: a packet and, in revision 3, its type."""
    max_text_bytes: int
    """Bound on a text message before it can be known whether it is base64."""
    max_small_bytes: int
    """Bound on a message that is parsed the short way."""


@implementer(ITransport)
class WebSocketTransport(WebSocketServerProtocol):  # type: ignore[misc]
    """One WebSocket of one session."""

    name = "websocket"
    writable = True

    log = _log = Logger()
    factory = _Factory

    # What Autobahn would copy or make for each connection.
    trafficStats = TrafficStats()
    requireMaskedClientFrames = True
    applyMask = True
    # A text is decoded in one go, strictly, once it is whole.
    utf8validateIncoming = False
    failByDrop = False
    echoCloseCodeReason = False
    logFrames = False
    websocket_version = 13
    trackedTimings = None
    autoPingPending = None
    autoPingTimeoutCall = None
    closeHandshakeTimeoutCall = None
    _perMessageCompress = None
    state = WebSocketServerProtocol.STATE_OPEN
    data = b""
    inside_message = False
    current_frame = None
    current_frame_masker = None

    transport: Any
    _message: bytes | bytearray = b""
    _message_size = 0
    _message_is_binary = False
    _head = b""
    _pong: bytes | None = None
    _closing: IDelayedCall | None = None

    def __init__(self, session: ISession, shared: _Shared) -> None:
        # Autobahn's own is left out: two futures and a table of observers a connection.
        self._session = session
        self._shared = shared
        self._encoder = frames_encoder(session.revision, session.base64)

    # Opening

    def open(self, transport: Any, head: bytes) -> None:
        """Take over ``transport``: write the handshake's answer ``head`` and tell the session."""
        self.transport = transport
        self._out = plain_tcp(transport) or transport
        self._watched = descriptor_under(transport)
        if self._watched is None:
            # Not a socket: all we can know of its buffer is when it asks to pause.
            transport.registerProducer(self, True)
        # The first frame usually is at hand: it goes out in one piece with the answer.
        self._head = head
        self._session.transport_opened(self)
        if self._head:
            self._write(b"")

    # Writing

    def send(self, units: Sequence[Outgoing]) -> None:
        """Write the frames of all ``units`` in one go."""
        if self.state != self.STATE_OPEN:
            return
        if len(units) == 1:
            data = units[0].encoded(self._encoder)
        else:
            encoder = self._encoder
            data = b"".join([unit.encoded(encoder) for unit in units])
        if self._head:
            self._write(data)
        elif not write(self._out, data):
            self._wait_until_drained()

    def _write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if not write(self._out, head + data):
            self._wait_until_drained()

    def _wait_until_drained(self) -> None:
        watched = self._watched
        if watched is not None and watched.producer is None and not watched.disconnected:
            self.writable = False
            watched.registerProducer(self, True)
            # Called a paused one, a producer is resumed when the buffer is empty, however little
            # was in it.
            watched.producerPaused = True

    def _stop_waiting(self) -> None:
        self.writable = False
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
        if self._pong is not None:
            pong, self._pong = self._pong, None
            self._write(frame(PONG, pong))
        if self.writable:
            self._session.transport_drained(self)

    def stopProducing(self) -> None:
        """The connection is lost, as :meth:`connectionLost` is told too."""

    # Receiving

    def makeConnection(self, transport: Any) -> None:
        """The connection was made long ago: see :meth:`open`."""

    def dataReceived(self, data: bytes) -> None:
        """Parse what has come in."""
        if len(data) <= _SLICE:
            self._parse(data)
            return
        for start in range(0, len(data), _SLICE):
            self._parse(data[start : start + _SLICE])

    def _parse(self, data: bytes) -> None:
        if self.data or self.current_frame is not None or self.inside_message:
            self.data += data
        else:
            # Between two messages: heartbeats, acks and most events need no state to be parsed.
            while self.state == self.STATE_OPEN and (
                small := parse_small(data, self._shared.max_small_bytes)
            ):
                data = data[small.end :]
                self._deliver(small.payload, small.is_binary)
            self.data = data
        if self.data and self.state != self.STATE_CLOSED:
            self.consumeData()

    def _onMessageBegin(self, isBinary: bool) -> None:
        self._message = b""
        self._message_size = 0
        self._message_is_binary = isBinary

    def _onMessageFrameBegin(self, length: int) -> None:
        shared = self._shared
        if shared.max_packet_bytes:
            self._message_size += length
            is_binary = self._message_is_binary
            if self._message_size > (
                shared.max_binary_bytes if is_binary else shared.max_text_bytes
            ):
                self._too_big()

    def _onMessageFrameData(self, payload: bytes) -> None:
        if not self._message:
            self._message = payload
        elif isinstance(self._message, bytearray):
            self._message += payload
        else:
            # Not a list of pieces: many tiny fragments must not take more room than their bytes.
            self._message = bytearray(self._message + payload)

    def _onMessageFrameEnd(self) -> None:
        pass

    def _onMessageEnd(self) -> None:
        message, self._message = bytes(self._message), b""
        if self.state == self.STATE_OPEN:
            self._deliver(message, self._message_is_binary)

    def _deliver(self, payload: bytes, is_binary: bool) -> None:
        limit = self._shared.max_packet_bytes
        if limit and len(payload) > limit + 1 and not payload.startswith(b"b"):
            self._too_big()
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
            self._too_big()
            return
        self._session.received(self, packet)

    def onFrameEnd(self) -> bool | None:
        """A frame is complete: keep nothing of it."""
        go_on: bool | None = super().onFrameEnd()
        self.current_frame_masker = None
        return go_on

    def _onPing(self, payload: bytes) -> None:
        """Answer a ping; while nothing can be written, only the last one (RFC 6455, 5.5.3)."""
        if self.state != self.STATE_OPEN:
            return
        if self.writable:
            self._write(frame(PONG, payload))
        else:
            self._pong = payload

    def _onPong(self, payload: bytes) -> None:
        pass

    # Closing

    def close(self) -> None:
        """Close normally, after what was sent."""
        self._start_closing(_NORMAL)

    def fail(self) -> None:
        """Close as going away, after what was sent."""
        self._start_closing(_GOING_AWAY)

    def _start_closing(self, code: int) -> None:
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code)

    def sendCloseFrame(self, code: int, **_: Any) -> None:
        """Send a close frame, once; the answer, or what else ends the connection, is awaited."""
        if self.state != self.STATE_OPEN:
            return
        self._write(close_frame(code))
        self.state = self.STATE_CLOSING
        self._stop_waiting()
        self._closing = self._shared.clock.callLater(CLOSE_TIMEOUT_S, self._cut)

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

    def _too_big(self) -> None:
        self._fail_connection(_TOO_BIG, "the message is too big")

    def _protocol_violation(self, reason: str) -> bool:
        self._fail_connection(_PROTOCOL_ERROR, reason)
        return True

    def _invalid_payload(self, reason: str) -> bool:
        self._fail_connection(_INVALID_PAYLOAD, reason)
        return True

    def _fail_connection(self, code: int = _GOING_AWAY, reason: str = "") -> None:
        """The client broke RFC 6455: say so, and read no further."""
        if self.state == self.STATE_CLOSED:
            return
        was_open = self.state == self.STATE_OPEN
        self.state = self.STATE_CLOSED
        self.data = b""
        if was_open:
            self._write(close_frame(code, reason.encode()[:123]))
            self._stop_waiting()
        self._forget_closing()
        linger(self.transport, self._shared.clock, LINGER_S, LINGER_BYTES)
        if was_open:
            bad_text = code == _INVALID_PAYLOAD
            why = CloseReason.PARSE_ERROR if bad_text else CloseReason.TRANSPORT_ERROR
            self._session.transport_broken(self, why)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        """The socket is closed; tell the session unless it knows."""
        was_open = self.state == self.STATE_OPEN
        self.state = self.STATE_CLOSED
        self.writable = False
        self._forget_closing()
        if was_open:
            self._session.transport_lost(self)

    def _forget_closing(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def _cut(self) -> None:
        self._closing = None
        self.transport.abortConnection()


class WebSocketAcceptor:
    """Turns upgrade requests into the WebSockets of sessions."""

    _log = Logger()

    def __init__(self, options: EngineOptions, clock: Clock) -> None:
        most = options.max_packet_bytes
        # Base64 makes four characters of three bytes and has up to two for the type.
        small = min(most, SMALL) if most else SMALL
        self._shared = _Shared(clock, most, most + 1, 4 * -(-most // 3) + 2, small)

    def wants_upgrade(self, request: EdgeRequest) -> bool:
        """Return whether ``request`` asks for a WebSocket, well or badly."""
        return handshake.wants_upgrade(request.requestHeaders)

    def validate(self, request: EdgeRequest) -> str | None:
        """Return what is wrong with an upgrade request, to be answered 400; ``None``: nothing."""
        return handshake.refusal(request.method, request.clientproto, request.requestHeaders)

    def accept(self, request: EdgeRequest, session: ISession) -> int:
        """Answer a valid upgrade ``request`` with 101 and give its connection to ``session``.

        To be returned from ``render``, or called later while the request is held. Headers and
        cookies set on the request go out with the 101. The request is over then, without
        ``notifyFinish``. Where the client has left meanwhile, the session is told so.
        """
        protocol = WebSocketTransport(session, self._shared)
        channel = request.channel
        if channel is None:
            session.transport_lost(protocol)
            return NOT_DONE_YET
        if request.cookies:
            request.responseHeaders.setRawHeaders(b"Set-Cookie", request.cookies)
        head = handshake.answer(request.requestHeaders, request.responseHeaders)
        transport, early = channel.hand_over(protocol)
        try:
            protocol.open(transport, head)
            if early:
                protocol.dataReceived(early)
        except Exception:
            self._log.failure("a session failed to open its WebSocket")
            transport.abortConnection()
        return NOT_DONE_YET
