"""What a session sends: packets that belong together, encoded once for each wire form and shared by all sessions."""

from collections.abc import Callable

from .packet import Packet, PacketType

Encoder = Callable[[tuple[Packet, ...]], bytes]
"""A pure function from packets to the bytes of one wire form. The function itself is the cache key,
so it must be a module-level function or another object that lives as long as the process."""


class Outgoing:
    """One or more packets that go out contiguously, in order, on one transport.

    A Socket.IO packet with attachments is one ``Outgoing``: its header and its buffers may never be
    torn apart (Socket.IO protocol, binary events). A broadcast is one ``Outgoing`` for all its
    receivers: each wire form is made at its first use and kept.
    """

    __slots__ = ("_encoder", "_form", "_forms", "packets", "size")

    packets: tuple[Packet, ...]
    size: int
    """Characters or bytes of all payloads: what counts against a session's queue limit."""

    def __init__(self, *packets: Packet) -> None:
        self.packets = packets
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
