"""One connection to Redis: txredisapi's protocol, behind types of ours.

Only its protocol is used, that is writing commands and reading replies. When to connect, whom to trust,
how long to wait and what to do about a loss is decided here, in this package. Importing txredisapi installs
Twisted's reactor.
"""

from collections.abc import Callable
from typing import Any

import txredisapi
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from .errors import ErrorReply, NotConnected
from .reasons import why
from .replies import BrokenReply, ReplyError, ReplyReader

Word = str | bytes | int

HIREDIS = txredisapi.hiredis is not None
"""Whether replies are read by hiredis, else by :mod:`.replies`."""
_CONFIRMATIONS = ("subscribe", "unsubscribe", "psubscribe")


class Wire(txredisapi.RedisProtocol):  # type: ignore[misc]
    """A connection for commands."""

    def __init__(self) -> None:
        # Numbers stay text: "00123" is a code, not 123.
        super().__init__(charset="utf-8", convertNumbers=False)
        self.lost: Callable[[str], None] = lambda _: None
        """Called once with the reason when the connection is lost."""
        self._reason: str | None = None
        """Why it was lost."""
        self._given_up: str | None = None
        """Why it is given up here."""
        self._closed = False
        self._replies = None if HIREDIS else ReplyReader()

    def ask(self, *words: Word) -> "Deferred[Any]":
        """Send a command; fire with its reply, in the order asked.

        Fails with :class:`.errors.ErrorReply`, or :class:`.errors.NotConnected` when the connection is lost.
        """
        if self._reason is not None:
            return fail(NotConnected(self._reason))
        asked: Deferred[Any] = self.execute_command(*words)
        return asked.addErrback(self._in_our_words)

    def abort(self, reason: str | None = None) -> None:
        """Close the connection now, without a word. ``reason`` is what :attr:`lost` will be told."""
        self._given_up = self._given_up or reason
        if self.transport is not None and self._reason is None:
            self.transport.abortConnection()

    def close(self) -> None:
        """Close the connection once what was sent has gone."""
        if self.transport is not None and self._reason is None:
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Twisted's hook."""
        if self._replies is None:
            super().dataReceived(data)
            return
        try:
            replies = self._replies.feed(data)
        except BrokenReply as broken:
            self.abort(f"Redis broke its protocol: {broken}")
            return
        for reply in replies:
            error = isinstance(reply, ReplyError)
            self.replyReceived(txredisapi.ResponseError(reply) if error else reply)

    def connectionMade(self) -> None:
        """Twisted's hook."""
        self.transport.setTcpNoDelay(True)
        self.transport.setTcpKeepAlive(True)
        super().connectionMade()

    def connectionLost(self, reason: Failure) -> None:
        """Twisted's hook."""
        self._reason = self._given_up or why(reason)
        # txredisapi answers all that waits, by replyReceived.
        super().connectionLost(reason)
        self._closed = True
        self.lost(self._reason)

    def replyReceived(self, reply: Any) -> None:
        """Txredisapi's hook."""
        if self._closed:
            # What had been read before.
            return
        if self.replyQueue.waiting:
            super().replyReceived(reply)
        else:
            # Such as "max number of clients reached". It must not be taken for the next one's reply.
            refused = isinstance(reply, txredisapi.ResponseError)
            self.abort(f"Redis refuses: {ErrorReply.of(str(reply))}" if refused else None)

    def _in_our_words(self, failure: Failure) -> Failure:
        if failure.check(txredisapi.ResponseError):
            raise ErrorReply.of(str(failure.value)) from None
        if failure.check(CancelledError):
            # Its reply may still come, and would be taken for another's.
            self.abort("given up")
            return failure
        # Lost, or what came is no reply at all.
        self.abort("Redis broke its protocol")
        raise NotConnected(self._reason or "Redis broke its protocol") from None


class NewsWire(Wire):
    """A connection that listens to channels. Before that it takes commands."""

    def __init__(
        self,
        published: Callable[[str, str | bytes], object],
        confirmed: Callable[[str, str], object],
    ) -> None:
        """``published`` gets the channel and what was published on it: ``bytes`` if that is not UTF-8.
        ``confirmed`` gets ``subscribe``, ``unsubscribe`` or ``psubscribe``, and the channel or pattern.
        """
        super().__init__()
        self._published = published
        self._confirmed = confirmed

    def tell(self, *words: Word) -> None:
        """Send a command whose replies are confirmations, one for each channel."""
        # txredisapi expects one reply a command.
        if self._reason is None:
            self.transport.write(self._build_command(*words))

    def replyReceived(self, reply: Any) -> None:
        """Txredisapi's hook."""
        kind = reply[0] if isinstance(reply, list) and len(reply) >= 3 else None
        if kind == "message" or kind == "pmessage":
            if self._reason is None:
                self._published(reply[-2], reply[-1])
        elif kind in _CONFIRMATIONS:
            if self._reason is None:
                self._confirmed(kind, reply[1])
        else:
            super().replyReceived(reply)


class WireFactory(Factory):
    """Makes the protocol of one connection."""

    noisy = False

    def __init__(self, make: Callable[[], Wire]) -> None:
        self._make = make

    def buildProtocol(self, addr: object) -> Any:
        """Twisted's hook."""
        wire = self._make()
        wire.factory = self
        return wire
