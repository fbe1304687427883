"""Two connections made one: what comes in on either goes out on the other, byte for byte.

A side that takes nothing stops the other from being read (back-pressure), the end of one side's input is the
end of the other's output (half-close), and a connection that is cut cuts the other.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..transports.deadline import Clock, Deadline
from ..transports.sockets import plain_tcp, set_protocol

CLOSE_TIMEOUT_S = 10.0
"""How long, once one side has closed, the other may take to get the rest, and to close."""


class Splice:
    """Joins two connections. Make it, put its ends on the transports, then :meth:`join`."""

    def __init__(self, clock: Clock, ended: Callable[[], object]) -> None:
        """``ended`` is called once both connections are closed."""
        self.client = End(self)
        """The end on the client's connection."""
        self.owner = End(self)
        """The end on the connection to the other node."""
        self.client.other, self.owner.other = self.owner, self.client
        self._deadline = Deadline(clock, self._cut)
        self._ended = ended

    def join(self, to_client: bytes, to_owner: bytes) -> None:
        """Begin. ``to_client``, ``to_owner``: what is to be written before all else."""
        for end, first in ((self.client, to_client), (self.owner, to_owner)):
            end.transport.registerProducer(end.other.transport, True)
            if first:
                end.transport.write(first)

    def close(self) -> None:
        """Close both connections, after what is on its way."""
        for end in (self.client, self.owner):
            self._finish(end)

    def input_ended(self, end: "End") -> None:
        """The peer of ``end`` will send no more."""
        end.reading = False
        other = end.other
        if not other.reading:
            self.close()
            return
        self._deadline.within(CLOSE_TIMEOUT_S)
        _write_no_more(other.transport)

    def lost(self, end: "End", *, cleanly: bool) -> None:
        """The connection of ``end`` is closed."""
        end.reading = False
        end.open = False
        if not end.other.open:
            self._deadline.end()
            self._ended()
        elif cleanly:
            self._finish(end.other)
        else:
            end.other.transport.abortConnection()

    def _finish(self, end: "End") -> None:
        if end.open:
            self._deadline.within(CLOSE_TIMEOUT_S)
            end.transport.unregisterProducer()
            # It may have been paused for the other side's sake, and would not see its peer close.
            end.transport.loseConnection()

    def _cut(self) -> None:
        for end in (self.client, self.owner):
            if end.open:
                end.transport.abortConnection()


@implementer(IHalfCloseableProtocol)
class End(Protocol):
    """One end of a splice."""

    transport: Any
    other: "End"

    def __init__(self, splice: Splice) -> None:
        self._splice = splice
        self.open = True
        self.reading = True

    def take(self, transport: Any) -> None:
        """Sit on ``transport`` from now on; its present protocol is not told."""
        set_protocol(transport, self)
        self.makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """Pass it on."""
        self.other.transport.write(data)

    def readConnectionLost(self) -> None:
        """See ``IHalfCloseableProtocol``."""
        self._splice.input_ended(self)

    def writeConnectionLost(self) -> None:
        """See ``IHalfCloseableProtocol``: the peer does not need to be told what we did."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is closed."""
        self._splice.lost(self, cleanly=reason.check(ConnectionDone) is not None)


def _write_no_more(transport: Any) -> None:
    """Close the write side after what is buffered; TLS has only the whole connection to close."""
    transport.unregisterProducer()
    half_closeable = plain_tcp(transport) is not None or not hasattr(transport, "wrappedProtocol")
    if half_closeable and hasattr(transport, "loseWriteConnection"):
        transport.loseWriteConnection()
    else:
        transport.loseConnection()
