"""Engine.IO revision 4 on the wire.

Polling: packets joined by the byte ``1e``, UTF-8. A text packet is the digit of its type and its
data; a binary message is ``b`` and base64, without a digit. ::

    4hello 1e 2 1e bAQIDBA==        message "hello", ping, message <01 02 03 04>

WebSocket: one packet a frame. Text frames as above; a binary frame is the bare bytes of a message.
"""

from collections.abc import Iterator, Sequence

from .encoding import check_text, decode_base64, decode_utf8, encode_base64
from .errors import DecodeError, EncodeError
from .outgoing import Outgoing
from .packet import Packet, PacketType

_SEPARATOR = b"\x1e"
_TYPES = {str(kind.value): kind for kind in PacketType}


def encode_frame(packet: Packet, base64: bool) -> str | bytes:
    """Return ``packet`` as a WebSocket frame: ``str`` for a text frame, ``bytes`` for a binary one.

    With ``base64`` a binary message becomes a text frame.

    :raises EncodeError: the text has a lone surrogate.
    """
    if isinstance(packet.data, bytes) and not base64:
        return packet.data
    return _text(packet)


def decode_frame(frame: str | bytes) -> Packet:
    """Return the packet of one WebSocket frame (``str``: a text frame; ``bytes``: a binary one).

    :raises DecodeError: a text that is no packet of revision 4.
    """
    if isinstance(frame, bytes):
        return Packet(PacketType.MESSAGE, frame)
    first = frame[:1]
    kind = _TYPES.get(first)
    if kind is not None:
        return Packet(kind, frame[1:])
    if first == "b":
        return Packet(PacketType.MESSAGE, decode_base64(frame[1:]))
    raise DecodeError(f"unknown packet type {first!a}" if first else "empty packet")


def encode_unit(packets: tuple[Packet, ...]) -> bytes:
    """Return ``packets`` as a piece of a polling payload; an ``Encoder`` of :class:`.Outgoing`.

    :raises EncodeError: a text has a lone surrogate, or the separator ``U+001E`` in it, which the
        client would take for the start of another packet.
    """
    return _SEPARATOR.join([_encode_packet(packet) for packet in packets])


def encode_payload(units: Sequence[Outgoing]) -> bytes:
    """Return the polling payload of ``units``, each encoded at most once in its life.

    :raises EncodeError: see :func:`encode_unit`.
    """
    return _SEPARATOR.join([unit.encoded(encode_unit) for unit in units])


def decode_payload(body: bytes) -> Iterator[Packet]:
    """Yield the packets of a polling payload, each decoded when it is asked for.

    :raises DecodeError: at the first packet that is none; those before it have been yielded. An
        empty body is one empty packet.
    """
    start = 0
    while (end := body.find(_SEPARATOR, start)) >= 0:
        yield decode_frame(decode_utf8(body[start:end]))
        start = end + 1
    yield decode_frame(decode_utf8(body[start:]))


def _text(packet: Packet) -> str:
    """Return the text form of ``packet``, which all packets have."""
    if isinstance(packet.data, bytes):
        return "b" + encode_base64(packet.data)
    return f"{packet.type.value}{check_text(packet.data)}"


def _encode_packet(packet: Packet) -> bytes:
    text = _text(packet)
    if "\x1e" in text:
        raise EncodeError("separator U+001E in a text")
    return text.encode("utf-8")
