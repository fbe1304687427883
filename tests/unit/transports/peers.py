"""Real connections over loopback, and the client at their other end."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

PATIENCE_S = 60
"""A test that waits longer has failed."""


def reactor() -> Any:
    """Return the reactor, which pytest-twisted has installed by the time a test runs."""
    from twisted.internet import reactor

    return reactor


class Waiting:
    """Something that changes now and then; :meth:`until` waits for it to be as wanted."""

    def __init__(self) -> None:
        self._waits: list[tuple[Callable[[], object], Deferred[None]]] = []

    def until(self, condition: Callable[[], object]) -> "Deferred[None]":
        """Fire once ``condition()`` is true."""
        done: Deferred[None] = Deferred()
        self._waits.append((condition, done))
        self.changed()
        return done.addTimeout(PATIENCE_S, reactor())

    def changed(self, *_: object) -> None:
        """Look at all conditions again."""
        waits, self._waits = self._waits, []
        for condition, done in waits:
            if done.called:
                continue
            if condition():
                done.callback(None)
            else:
                self._waits.append((condition, done))


class Peer(Protocol, Waiting):
    """A client that keeps what it gets and knows how it ended."""

    def __init__(self) -> None:
        Waiting.__init__(self)
        self.received = bytearray()
        self.ended: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.changed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended = reason
        self.changed()


async def connect(endpoint: Any, first: bytes = b"") -> Peer:
    """Connect a :class:`Peer` to ``endpoint`` and send ``first``."""
    peer = await connectProtocol(endpoint, Peer())
    if first:
        peer.transport.write(first)
    return peer


class Accepting(Factory, Waiting):
    """Keeps the server's ends of its connections."""

    noisy = False

    def __init__(self) -> None:
        Waiting.__init__(self)
        self.made: list[Peer] = []

    def buildProtocol(self, addr: object) -> Peer:
        accepting = self

        class End(Peer):
            def connectionMade(self) -> None:
                accepting.made.append(self)
                accepting.changed()

        return End()
