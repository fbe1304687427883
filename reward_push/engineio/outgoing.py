"""What a session sends: packets that belong together, encoded once for each wire form and shared by all sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .packet import Packet, PacketType

if TYPE_CHECKING:
    from .interfaces import ITracker

Encoder = Callable[[tuple[Packet, ...]], bytes]
"""A pure function from packets to the bytes of one wire form. The function itself is the cache key,
so it must be a module-level function or another object that lives as long as the process."""


class Outgoing:
    """One or more packets that go out contiguously, in order, on one transport.

    A Socket.IO packet with attachments is one ``Outgoing``: its header and its buffers may never be
    torn apart (Socket.IO protocol, binary events). A broadcast is one ``Outgoing`` for all its
    receivers: each wire form is made at its first use and kept.
    """

    __slots__ = ("_encoder", "_form", "_forms", "packets", "size", "tracker")

    packets: tuple[Packet, ...]
    size: int
    """Characters or bytes of all payloads: what counts against a session's queue limit."""
    tracker: ITracker | None
    """Who wants to know how far it has come; a session tells."""

    def __init__(self, *packets: Packet, tracker: ITracker | None = None) -> None:
        self.packets = packets
        self.tracker = tracker
        self.size = sum(len(packet.data) for packet in packets)
        # Nearly all receivers share one form: it has a place of its own, before the dictionary.
        self._encoder: Encoder | None = None
        self._form = b""
        self._forms: dict[Encoder, bytes] | None = None

    def encoded(self, encoder: Encoder) -> bytes:
        """Return ``encoder(packets)``, computed at most once for each encoder."""
        if self._encoder is encoder:
            return self._form
        if self._encoder is None:
            self._encoder = encoder
            self._form = encoder(self.packets)
            return self._form
        if self._forms is None:
            self._forms = {}
        form = self._forms.get(encoder)
        if form is None:
            form = self._forms[encoder] = encoder(self.packets)
        return form

    def current(self) -> Outgoing | None:
        """Return what is to be written in place of this, now that its turn has come after a wait.

        ``None``: nothing, its time is over. This class never changes; subclasses do.
        """
        return self

    @property
    def over(self) -> bool:
        """Whether nothing is to be written in place of this any more: :meth:`current` without the work."""
        return False

    def __repr__(self) -> str:
        kinds = ",".join(packet.type.name for packet in self.packets)
        return f"<Outgoing {kinds} {self.size}>"


def message(*data: str | bytes) -> Outgoing:
    """Return the messages ``data`` as one contiguous :class:`Outgoing`."""
    return Outgoing(*(Packet(PacketType.MESSAGE, each) for each in data))


CLOSE = Outgoing(Packet(PacketType.CLOSE))
NOOP = Outgoing(Packet(PacketType.NOOP))
PING = Outgoing(Packet(PacketType.PING))
PONG = Outgoing(Packet(PacketType.PONG))
PROBE_PONG = Outgoing(Packet(PacketType.PONG, "probe"))
