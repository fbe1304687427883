"""Who is connected: the sockets of a streamer, on whatever node."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface


class PresentSocket(NamedTuple):
    """A connected socket of a streamer: a client in one namespace."""

    socket_id: str
    namespace: str
    device: str | None
    """The name of its device; ``None``: it named none."""
    transport: str
    """What its connection uses now: ``polling`` or ``websocket``."""
    revision: int
    """The Engine.IO revision that its client speaks."""
    since_ms: int
    """When it joined the namespace."""
    rtt_ms: float | None
    """The last round-trip time measured; ``None``: none yet."""
    node: str
    """The node that it is connected to."""


@attrs.frozen
class Present:
    """A streamer's sockets, in no particular order."""

    sockets: Sequence[PresentSocket]
    silent: Sequence[str] = ()
    """Nodes that have not told of theirs in time."""


class IPresence(Interface):
    """Tells who is connected, to whatever node, and closes connections.

    Calls may fail with ``StoreUnavailable`` when other nodes cannot be asked.
    """

    def sockets_of(streamer: str) -> "Deferred[Present]":
        """List the connected sockets of ``streamer``."""

    def disconnect(streamer: str, namespaces: Collection[str] | None) -> "Deferred[int]":
        """Close, at engine level, each connection with a socket of ``streamer`` in one of ``namespaces``.

        ``None``: in any. A connection may hold other sockets: they go along. Returns how many
        connections are closed; stock clients come back by themselves.
        """
