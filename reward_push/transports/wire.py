"""WebSocket frames as bytes, and the fast way to the socket.

The server's frames are not masked, so the bytes of a frame are the same for all its receivers
(RFC 6455, section 5.1): they are made once and written many times.
"""

from functools import cache
from socket import socket
from typing import Any, NamedTuple, Protocol

from twisted.internet.tcp import Server

from ..engineio.outgoing import Encoder
from ..engineio.packet import Packet

TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA


class FrameRevision(Protocol):
    """The part of an Engine.IO revision that is needed to send."""

    def encode_frame(self, packet: Packet, base64: bool) -> str | bytes:
        """Return the payload of the frame that carries ``packet``: text or binary."""


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a whole, unfragmented, unmasked frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, size))
    elif size < 1 << 16:
        head = bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big")
    return head + payload


def close_frame(code: int, reason: bytes = b"") -> bytes:
    """Return a close frame; ``reason`` is UTF-8 and at most 123 bytes long."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def message_frame(payload: str | bytes) -> bytes:
    """Return the text or binary frame of a message."""
    if isinstance(payload, bytes):
        return frame(BINARY, payload)
    return frame(TEXT, _utf8(payload))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair cannot be sent: the receiver would have to fail the connection. As
        # JavaScript does: pairs are joined, what stays alone is replaced.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


SMALL = 125
"""The largest payload whose length is in a frame's second byte."""


class SmallFrame(NamedTuple):
    """A whole message that came in one small frame."""

    payload: bytes
    is_binary: bool
    end: int
    """How many bytes the frame takes."""


def parse_small(data: bytes, limit: int) -> SmallFrame | None:
    """Return the message in the frame that ``data`` begins with, if that is all there is to it.

    ``None`` for whatever else ``data`` may begin with: a large, fragmented, unmasked, incomplete or
    control frame, a payload over ``limit`` (at most :data:`SMALL`), or an error.
    """
    if len(data) < 6:
        return None
    first = data[0]
    size = data[1] - 0x80
    if (first != 0x81 and first != 0x82) or not 0 <= size <= limit or len(data) < size + 6:
        return None
    # The mask is applied to the whole payload as one number (RFC 6455, section 5.3).
    mask = int.from_bytes((data[2:6] * (size // 4 + 1))[:size], "big")
    payload = int.from_bytes(data[6 : size + 6], "big") ^ mask
    return SmallFrame(payload.to_bytes(size, "big"), first == 0x82, size + 6)


@cache
def frames_encoder(revision: FrameRevision, base64: bool) -> Encoder:
    """Return the encoder of a unit's packets into frames, always the same one for equal arguments."""

    def frames(packets: tuple[Packet, ...]) -> bytes:
        return b"".join(
            [message_frame(revision.encode_frame(packet, base64)) for packet in packets]
        )

    return frames


def send_at_once(connection: socket, data: bytes) -> bytes:
    """Send what the socket takes now and return the rest; an error leaves everything.

    Only for a socket whose transport has nothing buffered and is not being closed. The rest is to be
    given to ``transport.write``; the transport meets an error again and tells its protocol.
    """
    try:
        sent = connection.send(data)
    except OSError:
        return data
    return data[sent:]


def write(transport: Any, data: bytes) -> bool:
    """Write ``data`` after what was written before; return whether it has all left the process.

    A plain TCP connection with nothing buffered is served by ``send`` at once, which saves the
    buffer, the registration for writing and a turn of the reactor. The rest, if any, and everything
    on other transports goes through ``transport.write``. Never raises: see :func:`send_at_once`.
    """
    if (
        type(transport) is Server
        and transport.connected
        and not transport._tempDataBuffer
        and not transport.dataBuffer
        and not transport.disconnecting
        and not transport._writeDisconnecting
        and not transport._aborting
        and not transport.TLS
    ):
        data = send_at_once(transport.socket, data)
        if not data:
            return True
    transport.write(data)
    return False
