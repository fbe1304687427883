"""Socket.IO packets as values; revisions 4 and 5 share one text form (:mod:`.encoder`, :mod:`.decoder`)."""

from enum import IntEnum
from typing import Any, NamedTuple

RESERVED_EVENTS = frozenset(
    (
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    )
)
"""Names that client libraries use for themselves: no event may bear them."""

MAX_ACK_ID = 2**53 - 1
"""Largest ack id: beyond it JavaScript's numbers are no longer exact."""


class PacketType(IntEnum):
    """The packet types of Socket.IO; the value is the digit on the wire."""

    CONNECT = 0
    """Client: wants to join a namespace. Server: has joined it."""
    DISCONNECT = 1
    """Either side leaves a namespace."""
    EVENT = 2
    """An array of the event's name (a string or a number) and its arguments."""
    ACK = 3
    """The answer to an event that had an ack id: an array of arguments."""
    CONNECT_ERROR = 4
    """Server only: a namespace is refused. ERROR in revision 4."""
    BINARY_EVENT = 5
    """On the wire only: an EVENT with ``bytes`` in it."""
    BINARY_ACK = 6
    """On the wire only: an ACK with ``bytes`` in it."""


class Packet(NamedTuple):
    """One Socket.IO packet, attachments in place.

    ``type`` is EVENT or ACK also where the wire says BINARY_EVENT or BINARY_ACK: whether ``data``
    holds ``bytes`` says the same.
    """

    type: PacketType
    namespace: str = "/"
    data: Any = None
    """EVENT, ACK: a list. CONNECT, CONNECT_ERROR: any JSON value, ``None`` for no payload."""
    id: int | None = None
    """The ack id. 0 is one."""


def is_event_name(value: object) -> bool:
    """Whether an event may be called ``value``: a string that is not reserved, or a number."""
    if isinstance(value, str):
        return value not in RESERVED_EVENTS
    return isinstance(value, int | float) and not isinstance(value, bool)
