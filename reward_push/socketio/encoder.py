"""Socket.IO packets → what Engine.IO carries: a text, and right after it the buffers it announces."""

from typing import Any

from ..strict_json import JSONError, Written, dumps
from .attachments import deconstruct
from .errors import EncodeError
from .packet import MAX_ACK_ID, Packet, PacketType, is_event_name

_BINARY = {PacketType.EVENT: PacketType.BINARY_EVENT, PacketType.ACK: PacketType.BINARY_ACK}


def encode(packet: Packet) -> tuple[str | bytes, ...]:
    """Return the Engine.IO messages of ``packet``: a text, then a buffer for each ``bytes`` in its data.

    They must go out with nothing in between. Where there are ``bytes``, EVENT becomes BINARY_EVENT and
    ACK becomes BINARY_ACK. The JSON is ASCII. An argument that is :class:`..strict_json.Written` goes
    out as it is.

    :raises EncodeError: data that does not fit the type or has no JSON form, a reserved event name,
        an ACK without id, an id out of range, or an impossible namespace.
    """
    kind, namespace, data, ack_id = packet
    _check(kind, data, ack_id)
    buffers: list[bytes] = []
    attachments = ""
    if kind in _BINARY:
        data, buffers = deconstruct(data)
        if buffers:
            kind = _BINARY[kind]
            attachments = f"{len(buffers)}-"
    try:
        payload = "" if data is None else _payload(data)
    except JSONError as error:
        raise EncodeError(str(error)) from None
    where = "" if namespace == "/" else _checked(namespace) + ","
    number = "" if ack_id is None else str(ack_id)
    return f"{kind.value}{attachments}{where}{number}{payload}", *buffers


def _payload(data: Any) -> str:
    if not isinstance(data, list) or not any(type(each) is Written for each in data):
        return dumps(data)
    return f"[{','.join([each if type(each) is Written else dumps(each) for each in data])}]"


def _check(kind: PacketType, data: Any, ack_id: int | None) -> None:
    """Refuse what the receiver would close the connection for."""
    if kind is PacketType.EVENT:
        if not isinstance(data, list | tuple) or not data or not is_event_name(data[0]):
            raise EncodeError(
                "an event is an array whose first item is a name that is not reserved"
            )
    elif kind is PacketType.ACK:
        if not isinstance(data, list | tuple):
            raise EncodeError("an ack is an array")
        if ack_id is None:
            raise EncodeError("an ack has an id")
    elif kind in (PacketType.BINARY_EVENT, PacketType.BINARY_ACK):
        raise EncodeError("the binary types exist on the wire only: send EVENT or ACK")
    elif kind is PacketType.DISCONNECT and data is not None:
        raise EncodeError("a disconnect has no payload")
    if ack_id is not None and not 0 <= ack_id <= MAX_ACK_ID:
        raise EncodeError("ack id out of range")


def _checked(namespace: str) -> str:
    """Return ``namespace`` if every receiver reads it back as it is."""
    if not namespace.startswith("/") or "," in namespace or "\x1e" in namespace:
        raise EncodeError(f"impossible namespace {namespace!a}")
    if not namespace.isascii():
        try:
            namespace.encode("utf-8")
        except UnicodeEncodeError:
            raise EncodeError(f"impossible namespace {namespace!a}") from None
    return namespace
