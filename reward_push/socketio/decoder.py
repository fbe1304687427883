"""What Engine.IO carries → Socket.IO packets::

    <type 0-6>[<attachments>"-"][<namespace>","][<ack id>][<JSON>]      then so many binary messages

One :class:`Decoder` a connection: a packet with attachments comes in several messages.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import attrs

from ..strict_json import JSONError, loads
from .attachments import Slot, fill_slots, find_slots
from .errors import DecodeError
from .packet import MAX_ACK_ID, Packet, PacketType, is_event_name

_TYPES = {str(kind.value): kind for kind in PacketType}
_PLAIN = {PacketType.BINARY_EVENT: PacketType.EVENT, PacketType.BINARY_ACK: PacketType.ACK}
_ATTACHMENTS = re.compile(r"([0-9]{1,9})-")
_ACK_ID = re.compile(r"[0-9]+")
_MAX_ACK_ID_DIGITS = len(str(MAX_ACK_ID))


@attrs.frozen
class Limits:
    """How large a packet may be. The size of each single message is bounded by Engine.IO."""

    attachments: int = 10
    """Most attachments of a packet."""
    attachment_bytes: int = 1_000_000
    """Most bytes of all attachments of a packet together."""
    namespace_characters: int = 4096
    """Longest namespace, with the query that revision 4 clients append."""


DEFAULT_LIMITS = Limits()


class Head(NamedTuple):
    """What the text of a packet says."""

    packet: Packet
    """The packet, with placeholders in its data where attachments belong."""
    attachments: int = 0
    """How many binary messages follow."""
    slots: Sequence[Slot] = ()
    """Where they belong."""


@attrs.define
class _Partial:
    """A packet whose attachments have not all come."""

    head: Head
    missing: int
    room: int
    buffers: list[bytes] = attrs.Factory(list)


class Decoder:
    """Turns the Engine.IO messages of one connection into Socket.IO packets."""

    __slots__ = ("_limits", "_partial")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._partial: _Partial | None = None

    def add(self, data: str | bytes) -> Packet | None:
        """Return the packet that ``data`` completes, or ``None`` while attachments are missing.

        :raises DecodeError: naming what is wrong. The connection is to be closed; what had come of a
            packet is forgotten.
        """
        partial, self._partial = self._partial, None
        if isinstance(data, bytes):
            if partial is None:
                raise DecodeError("binary message where no attachment is missing")
            return self._add_attachment(partial, data)
        if partial is not None:
            raise DecodeError("text message where an attachment is missing")
        head = decode_text(data, self._limits)
        if head.attachments == 0:
            return head.packet
        self._partial = _Partial(head, head.attachments, self._limits.attachment_bytes)
        return None

    def _add_attachment(self, partial: _Partial, data: bytes) -> Packet | None:
        partial.room -= len(data)
        if partial.room < 0:
            raise DecodeError(f"attachments of more than {self._limits.attachment_bytes} bytes")
        partial.buffers.append(data)
        partial.missing -= 1
        if partial.missing:
            self._partial = partial
            return None
        fill_slots(partial.head.slots, partial.buffers)
        return partial.head.packet


def decode_text(text: str, limits: Limits = DEFAULT_LIMITS) -> Head:
    """Return what ``text``, the first or only message of a packet, says.

    :raises DecodeError: naming what is wrong.
    """
    kind = _TYPES.get(text[:1])
    if kind is None:
        raise DecodeError(f"unknown packet type {text[:1]!a}" if text else "empty packet")
    at = 1
    count: int | None = None
    if kind in _PLAIN:
        kind = _PLAIN[kind]
        count, at = _decode_count(text, at, limits)
    namespace = "/"
    if text.startswith("/", at):
        end = text.find(",", at)
        if end < 0:
            end = len(text)
        if end - at > limits.namespace_characters:
            raise DecodeError(f"namespace of more than {limits.namespace_characters} characters")
        namespace = text[at:end]
        # Revision 4 of Engine.IO separates packets by it: no answer could name this namespace.
        if "\x1e" in namespace:
            raise DecodeError("namespace with U+001E")
        at = end + 1
    ack_id, at = _decode_ack_id(text, at)
    packet = Packet(kind, namespace, _decode_payload(kind, text[at:]), ack_id)
    if count is None:
        return Head(packet)
    return Head(packet, count, find_slots(packet.data, count))


def _decode_count(text: str, at: int, limits: Limits) -> tuple[int, int]:
    match = _ATTACHMENTS.match(text, at)
    if match is None:
        raise DecodeError("binary packet without a number of attachments")
    count = int(match[1])
    if count > limits.attachments:
        raise DecodeError(f"more than {limits.attachments} attachments")
    return count, match.end()


def _decode_ack_id(text: str, at: int) -> tuple[int | None, int]:
    match = _ACK_ID.match(text, at)
    if match is None:
        return None, at
    if match.end() - at > _MAX_ACK_ID_DIGITS or int(match[0]) > MAX_ACK_ID:
        raise DecodeError("ack id out of range")
    return int(match[0]), match.end()


def _decode_payload(kind: PacketType, text: str) -> Any:
    """Return the value of ``text``, the rest of a packet, if it fits ``kind``. No text is ``None``."""
    if not text:
        if kind is PacketType.EVENT or kind is PacketType.ACK:
            raise DecodeError(f"{kind.name} without a payload")
        return None
    # Other decoders read a space before the payload as ack id 0.
    if text[0].isspace():
        raise DecodeError("space before the payload")
    try:
        value = loads(text)
    except JSONError as error:
        raise DecodeError(f"payload is not JSON: {error}") from None
    if not _fits(kind, value):
        raise DecodeError(f"payload does not fit {kind.name}")
    return value


def _fits(kind: PacketType, value: Any) -> bool:
    match kind:
        case PacketType.EVENT:
            return isinstance(value, list) and bool(value) and is_event_name(value[0])
        case PacketType.ACK:
            return isinstance(value, list)
        case PacketType.CONNECT:
            return isinstance(value, dict)
        case PacketType.DISCONNECT:
            return False
        case _:
            return True  # CONNECT_ERROR: any value in revision 4
