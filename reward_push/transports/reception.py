# ruff: noqa: N803, N815  (Autobahn's names)
"""What comes in on a WebSocket: Autobahn's frame parser with nothing of the rest.

Autobahn checks frames and keeps track of fragments and control frames. What it would copy or make
for every connection (settings, counters, timers, futures, a UTF-8 validator) are values of the class
here or left out, so that an idle connection holds next to nothing.
"""

from typing import Any

import attrs
from autobahn.websocket.protocol import TrafficStats, WebSocketServerProtocol
from twisted.logger import Logger

from .wire import SMALL, parse_small

PROTOCOL_ERROR = 1002
INVALID_PAYLOAD = 1007
TOO_BIG = 1009

_SLICE = 4096
"""Input is parsed in pieces of this size, as each frame copies the rest of the piece."""


@attrs.frozen
class Limits:
    """Bounds on incoming messages, in bytes."""

    packet: int
    """The largest packet, without what its encoding adds; 0: no limit."""
    binary: int
    """The largest binary message: a packet and, in revision 3, its type."""
    text: int
    """The largest text message as long as it may be base64."""
    small: int
    """The largest message that is parsed the short way."""


def limits_for(packet: int) -> Limits:
    """Return the bounds that follow from the largest packet; 0: none."""
    # Base64 makes four characters of three bytes, and has up to two for the type before them.
    base64 = 4 * -(-packet // 3) + 2
    return Limits(packet, packet + 1, base64, min(packet, SMALL) if packet else SMALL)


class FrameReader(WebSocketServerProtocol):  # type: ignore[misc]
    """Parses frames and hands over whole messages, pings and close frames.

    For subclasses: ``message``, ``_onPing``, ``_strained`` and ``_fail_connection`` (after which nothing
    more is parsed), and Autobahn's ``onCloseFrame``, ``sendCloseFrame`` and ``dropConnection``.
    """

    class factory:  # noqa: N801
        """What Autobahn wants to know of a protocol's factory."""

        isServer = True

    log = Logger()
    state = WebSocketServerProtocol.STATE_OPEN

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

    reading = True
    """Whether what comes in is parsed; while it is not, it is kept."""

    data = b""
    inside_message = False
    current_frame: Any = None
    current_frame_masker = None

    limits: Limits
    _message: bytes | bytearray = b""
    _message_size = 0
    _message_is_binary = False

    def __init__(self, limits: Limits) -> None:
        # Autobahn's own is left out: two futures and a table of observers a connection.
        self.limits = limits

    def message(self, payload: bytes, is_binary: bool) -> None:
        """A whole message has come: for subclasses, which know what to do with it."""
        raise NotImplementedError  # Autobahn's class is no ABC, and this one is never made by itself.

    def makeConnection(self, transport: Any) -> None:
        """The connection was made long ago, as an HTTP request's."""

    def dataReceived(self, data: bytes) -> None:
        """Parse what has come in."""
        if len(data) <= _SLICE:
            self._parse(data)
            return
        for start in range(0, len(data), _SLICE):
            self._parse(data[start : start + _SLICE])

    def _parse(self, data: bytes) -> None:
        if not self.reading:
            self.data += data
            return
        if self.data or self.current_frame is not None or self.inside_message:
            self.data += data
        else:
            # Between two messages: heartbeats, acks and most events need no state to be parsed.
            while (
                self.reading
                and self.state == self.STATE_OPEN
                and (small := parse_small(data, self.limits.small))
            ):
                data = data[small.end :]
                self.message(small.payload, small.is_binary)
            self.data = data
        if self.state == self.STATE_CLOSED:
            self.data = b""
        elif self.data:
            self.consumeData()

    def processData(self) -> bool:
        """Parse one step; return whether there may be another."""
        return self.reading and bool(super().processData())

    def read_on(self) -> None:
        """Parse what has been kept since :attr:`reading` was off."""
        self.reading = True
        kept, self.data = self.data, b""
        if kept:
            self.dataReceived(kept)

    def too_big(self) -> None:
        """The message is larger than allowed."""
        self._fail_connection(TOO_BIG, "the message is too big")

    def _protocol_violation(self, reason: str) -> bool:
        self._fail_connection(PROTOCOL_ERROR, reason)
        return True

    def _invalid_payload(self, reason: str) -> bool:
        self._fail_connection(INVALID_PAYLOAD, reason)
        return True

    def _onMessageBegin(self, isBinary: bool) -> None:
        self._message = b""
        self._message_size = 0
        self._message_is_binary = isBinary

    def _onMessageFrameBegin(self, length: int) -> None:
        limits = self.limits
        if limits.packet:
            # Before anything of the frame is kept: the declared length is enough.
            self._message_size += length
            if self._message_size > (limits.binary if self._message_is_binary else limits.text):
                self.too_big()

    def _onMessageFrameData(self, payload: bytes) -> None:
        if not self._message:
            self._message = payload
        elif isinstance(self._message, bytearray):
            self._message += payload
        else:
            # Not a list of pieces: many tiny fragments must not take more room than their bytes.
            self._message = bytearray(self._message + payload)

    def _onMessageFrameEnd(self) -> None:
        if not self.current_frame.fin:
            self._strained()

    def _onMessageEnd(self) -> None:
        message, self._message = bytes(self._message), b""
        if self.state == self.STATE_OPEN:
            self.message(message, self._message_is_binary)

    def onFrameEnd(self) -> bool | None:
        """A frame is complete: keep nothing of it."""
        go_on: bool | None = super().onFrameEnd()
        self.current_frame_masker = None
        return go_on

    def _onPong(self, payload: bytes) -> None:
        self._strained()

    def _strained(self) -> None:
        """Something has come that is no message: a fragment, a ping, a pong that nobody asked for."""
