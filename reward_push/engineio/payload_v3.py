"""Engine.IO revision 3 on the wire.

Polling, text framing: ``<length>:<packet>`` repeated, UTF-8, where the length counts the UTF-16
code units of the packet (JavaScript's ``string.length``), type digit included. A binary message is
``b4`` and base64, counted the same way. ::

    6:4hello2:4€10:b4AQIDBA==

Polling, binary framing ("XHR2"): for each packet a byte 00 (text) or 01 (binary), the decimal digits
of its length in bytes as the values 0 to 9, the byte ff, and its bytes. A text packet starts with
the digit of its type, a binary one with the bare number, and the length includes it. (The published
document of the protocol leaves out the type byte; its test suite and all implementations have it.) ::

    00 04 ff 34 e2 82 ac    01 05 ff 04 01 02 03 04        messages "€" and <01 02 03 04>

WebSocket: one packet a frame; text frames are the packet's text, binary frames begin with ``04``.
"""

import re
from collections.abc import Iterator, Sequence

from .encoding import check_text, decode_base64, decode_utf8, encode_base64
from .errors import DecodeError
from .outgoing import Outgoing
from .packet import Packet, PacketType

MAX_LENGTH_DIGITS = 10
"""Longest length accepted in either framing: more than any body can have."""

MAX_EMPTY = 16
"""Packets of no length that are skipped in one payload, as the reference does with all. No client sends any."""

_TYPES = {str(kind.value): kind for kind in PacketType}
_BINARY_MESSAGE = bytes([PacketType.MESSAGE])
_LENGTH_ASCII = re.compile(rb"([0-9]{1,%d}):" % MAX_LENGTH_DIGITS)
_LENGTH_UTF16 = re.compile(rb"((?:[0-9]\0){1,%d}):\0" % MAX_LENGTH_DIGITS)
_BINARY_HEADER = re.compile(rb"([\x00\x01])([\x00-\x09]{1,%d})\xff" % MAX_LENGTH_DIGITS)
_TO_DIGITS = bytes.maketrans(bytes(range(10)), b"0123456789")
_TO_VALUES = bytes.maketrans(b"0123456789", bytes(range(10)))


def encode_frame(packet: Packet, base64: bool) -> str | bytes:
    """Return ``packet`` as a WebSocket frame: ``str`` for a text frame, ``bytes`` for a binary one.

    With ``base64`` a binary message becomes a text frame.

    :raises EncodeError: the text has a lone surrogate.
    """
    if isinstance(packet.data, bytes) and not base64:
        return _BINARY_MESSAGE + packet.data
    return _text(packet)


def decode_frame(frame: str | bytes) -> Packet:
    """Return the packet of one WebSocket frame (``str``: a text frame; ``bytes``: a binary one).

    :raises DecodeError: no packet of revision 3; only messages can be binary.
    """
    if isinstance(frame, bytes):
        if frame[:1] != _BINARY_MESSAGE:
            raise DecodeError("binary packet that is no message" if frame else "empty packet")
        return Packet(PacketType.MESSAGE, frame[1:])
    first = frame[:1]
    kind = _TYPES.get(first)
    if kind is not None:
        return Packet(kind, frame[1:])
    if first == "b":
        if frame[1:2] != "4":
            raise DecodeError("binary packet that is no message")
        return Packet(PacketType.MESSAGE, decode_base64(frame[2:]))
    raise DecodeError(f"unknown packet type {first!a}" if first else "empty packet")


def encode_text_unit(packets: tuple[Packet, ...]) -> bytes:
    """Return ``packets`` in text framing; an ``Encoder`` of :class:`.Outgoing`.

    :raises EncodeError: a text has a lone surrogate.
    """
    return b"".join([_encode_text(packet) for packet in packets])


def encode_binary_unit(packets: tuple[Packet, ...]) -> bytes:
    """Return ``packets`` in binary framing; an ``Encoder`` of :class:`.Outgoing`.

    :raises EncodeError: a text has a lone surrogate.
    """
    return b"".join([_encode_binary(packet) for packet in packets])


def encode_text_payload(units: Sequence[Outgoing]) -> bytes:
    """Return the polling payload of ``units`` in text framing, each encoded at most once in its life.

    :raises EncodeError: a text has a lone surrogate.
    """
    return b"".join([unit.encoded(encode_text_unit) for unit in units])


def encode_binary_payload(units: Sequence[Outgoing]) -> bytes:
    """Return the polling payload of ``units`` in binary framing, each encoded at most once.

    :raises EncodeError: a text has a lone surrogate.
    """
    return b"".join([unit.encoded(encode_binary_unit) for unit in units])


def decode_text_payload(body: bytes) -> Iterator[Packet]:
    """Yield the packets of a payload in text framing, each decoded when it is asked for.

    ``0:`` is skipped, up to :data:`MAX_EMPTY` times. A body that is not UTF-8 yields nothing, as lengths cannot be counted in it.

    :raises DecodeError: at the first packet that is none; those before it have been yielded.
    """
    # Lengths count UTF-16 code units. ASCII has one byte for each; the rest is brought to two bytes
    # each, so that finding a packet's end is arithmetic, and the whole walk linear.
    if body.isascii():
        source, width, codec, length_pattern = body, 1, "ascii", _LENGTH_ASCII
    else:
        source = decode_utf8(body).encode("utf-16-le")
        width, codec, length_pattern = 2, "utf-16-le", _LENGTH_UTF16
    if not source:
        raise DecodeError("empty payload")
    at = empty = 0
    while at < len(source):
        header = length_pattern.match(source, at)
        if header is None:
            raise DecodeError("no packet length")
        start = header.end()
        at = start + int(header[1][::width]) * width
        if at > len(source):
            raise DecodeError("payload shorter than its packet's length")
        if at > start:
            try:
                text = source[start:at].decode(codec)
            except UnicodeDecodeError:
                raise DecodeError("packet length splits a surrogate pair") from None
            yield decode_frame(text)
        else:
            empty += 1
            if empty > MAX_EMPTY:
                raise DecodeError("too many packets without anything in them")


def decode_binary_payload(body: bytes) -> Iterator[Packet]:
    """Yield the packets of a payload in binary framing, each decoded when it is asked for.

    :raises DecodeError: at the first packet that is none; those before it have been yielded.
    """
    if not body:
        raise DecodeError("empty payload")
    at = 0
    while at < len(body):
        header = _BINARY_HEADER.match(body, at)
        if header is None:
            raise DecodeError("no packet header")
        start = header.end()
        at = start + int(header[2].translate(_TO_DIGITS))
        if at > len(body):
            raise DecodeError("payload shorter than its packet's length")
        data = body[start:at]
        yield decode_frame(data if header[1] == b"\x01" else decode_utf8(data))


def _text(packet: Packet) -> str:
    """Return the text form of ``packet``, which all packets have."""
    if isinstance(packet.data, bytes):
        return "b4" + encode_base64(packet.data)
    return f"{packet.type.value}{check_text(packet.data)}"


def _encode_text(packet: Packet) -> bytes:
    text = _text(packet)
    units = len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
    return f"{units}:{text}".encode()


def _encode_binary(packet: Packet) -> bytes:
    if isinstance(packet.data, bytes):
        kind, data = b"\x01", _BINARY_MESSAGE + packet.data
    else:
        kind, data = b"\x00", _text(packet).encode()
    length = str(len(data)).encode("ascii").translate(_TO_VALUES)
    return b"%b%b\xff%b" % (kind, length, data)
