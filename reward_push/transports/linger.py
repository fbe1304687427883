"""Close a connection on which the peer may still be sending, so that our last words reach it.

Closing a socket with unread input resets the connection, and a reset destroys what the peer has not
read yet: the very answer that tells it what was wrong. So the write side is closed, input is read and
thrown away for a while, and the peer's own close ends it.
"""

from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from .deadline import Clock, Deadline
from .sockets import plain_tcp, set_protocol

LINGER_S = 5.0
"""How long the peer has for reading the answer and closing."""
LINGER_BYTES = 16 * 1024 * 1024
"""How much input is thrown away at most; after that the socket is left unread."""


def linger(
    transport: Any, clock: Clock, seconds: float = LINGER_S, limit_bytes: int = LINGER_BYTES
) -> None:
    """Take ``transport`` away from its protocol, which is not told, and close it as said above.

    Everything has been written and no producer is registered. After ``seconds`` the connection is
    cut, whatever is left to send.
    """
    protocol = _Lingering(clock, seconds, limit_bytes)
    set_protocol(transport, protocol)
    protocol.makeConnection(transport)


class _Lingering(Protocol):
    """Reads and forgets."""

    transport: Any

    def __init__(self, clock: Clock, seconds: float, limit_bytes: int) -> None:
        self._room = limit_bytes
        self._deadline = Deadline(clock, self._cut)
        self._deadline.within(seconds)

    def connectionMade(self) -> None:
        """Close the write side where that is possible without cutting a layer in between."""
        connection = plain_tcp(self.transport)
        if connection is not None:
            connection.loseWriteConnection()
        self.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        """Forget ``data``; stop reading when it was too much."""
        self._room -= len(data)
        if self._room < 0:
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The peer is gone."""
        self._deadline.end()

    def _cut(self) -> None:
        self.transport.abortConnection()
