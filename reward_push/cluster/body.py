"""Bodies on their way between two nodes."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from .failures import AnswerTooLarge

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""The largest answer taken from another node: much more than a session ever puts into one."""


@implementer(IBodyProducer)
class LaterBody:
    """The body of a request whose head goes ahead of it.

    So the other node knows of a body under way as soon as this one does, and of its loss: the connection
    is cut then.
    """

    def __init__(self, length: Any) -> None:
        """``length``: as declared, or ``UNKNOWN_LENGTH``."""
        self.length = length
        self.begun: Deferred[None] = Deferred()
        """Fires when the head has been written."""
        self._data: bytes | None = None
        self._consumer: IConsumer | None = None
        self._written: Deferred[None] | None = None

    def complete(self, data: bytes) -> None:
        """All of it is here."""
        self._data = data
        self._write()

    def startProducing(self, consumer: IConsumer) -> "Deferred[None]":
        """See ``IBodyProducer``."""
        self._consumer = consumer
        self._written = written = Deferred[None]()
        self._write()
        self.begun.callback(None)
        return written

    def stopProducing(self) -> None:
        """See ``IBodyProducer``."""
        self._consumer = None

    def pauseProducing(self) -> None:
        """See ``IBodyProducer``: the body is written in one go."""

    def resumeProducing(self) -> None:
        """See ``IBodyProducer``."""

    def _write(self) -> None:
        if self._consumer is None or self._data is None or self._written is None:
            return
        consumer, self._consumer = self._consumer, None
        if self._data:
            consumer.write(self._data)
        self._written.callback(None)


def whole_body(data: bytes) -> LaterBody | None:
    """Return the body of a request that has all of ``data``; ``None``: it has none."""
    if not data:
        return None
    body = LaterBody(len(data))
    body.complete(data)
    return body


def read_body(response: IResponse) -> "Deferred[bytes]":
    """Return the whole body of another node's answer.

    Fails when it is cut off, and with :class:`.failures.AnswerTooLarge`. Cancelling closes the connection.
    """
    reader = _Reader()
    response.deliverBody(reader)
    return reader.whole


class _Reader(Protocol):
    transport: Any

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred(self._cancel)
        self._pieces: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_ANSWER_BYTES:
            self._pieces.clear()
            self._end(Failure(AnswerTooLarge()))
            self.transport.loseConnection()
        else:
            self._pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(b"".join(self._pieces) if reason.check(ResponseDone) else reason)

    def _end(self, result: bytes | Failure) -> None:
        if not self.whole.called:
            self.whole.callback(result)

    def _cancel(self, _: "Deferred[bytes]") -> None:
        self.transport.loseConnection()
