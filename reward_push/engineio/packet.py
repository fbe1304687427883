"""Engine.IO packets: one type and one payload, the same seven types in revisions 3 and 4.

How packets become bytes differs by revision and transport: see :mod:`.payload_v3` and
:mod:`.payload_v4`, chosen in :mod:`.revision`.
"""

from enum import IntEnum
from typing import NamedTuple


class PacketType(IntEnum):
    """The packet types of Engine.IO; the value is the digit on the wire."""

    OPEN = 0
    """Server only: first packet of a session, a JSON object."""
    CLOSE = 1
    """Either side ends the session."""
    PING = 2
    """Revision 3: from the client. Revision 4: from the server. ``2probe`` always from the client."""
    PONG = 3
    """The answer to a ping, carrying the ping's data."""
    MESSAGE = 4
    """Application data, text or binary."""
    UPGRADE = 5
    """Client only: the WebSocket replaces polling from here on."""
    NOOP = 6
    """Server only: ends a poll that has nothing else to say."""


class Packet(NamedTuple):
    """One Engine.IO packet. ``data`` is ``bytes`` only for a binary message."""

    type: PacketType
    data: str | bytes = ""
