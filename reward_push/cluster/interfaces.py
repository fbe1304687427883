"""The seam to Redis: everything that is asked of it goes through :class:`IRedis`."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from ..rewards.interfaces import TakenBack
from ..rewards.message import Message


@attrs.frozen
class Script:
    """A Lua script: one atomic step in Redis. It takes no ``KEYS``, only ``ARGV``."""

    name: str
    """For logs and metrics."""
    source: str = attrs.field(repr=False)
    sha1: str = attrs.field(init=False, repr=False)
    """What Redis knows it by."""

    @sha1.default
    def _digest(self) -> str:
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


class IRedis(Interface):
    """The one connection to Redis that state is read and changed through.

    Calls take effect and answer in the order made. Strings come back as ``str``, integers as ``int``, nil as
    ``None``, arrays as lists. Every call may fail with ``access.interfaces.StoreUnavailable``: Redis is
    away, slow (time-out), loading, a read-only replica, out of memory, or too much waits.
    """

    def run(script: Script, args: Sequence[str | bytes | int]) -> "Deferred[Any]":
        """Run ``script`` with ``args`` as its ``ARGV``; it is loaded again when Redis has forgotten it."""

    def command(name: str, *args: str | bytes | int) -> "Deferred[Any]":
        """Run a single command."""


class ISubscriber(Interface):
    """The connection to Redis that news come in through, in the order in which they were published.

    What is subscribed to is subscribed to again on each new connection.
    """

    def subscribe(channels: Iterable[str]) -> "Deferred[None]":
        """Listen to ``channels``, too; fire once Redis has confirmed all of them, however long that takes.

        At once when they were confirmed on this connection before. Cancelling gives up waiting, not the
        subscription.
        """

    def unsubscribe(channels: Iterable[str]) -> None:
        """Listen to ``channels`` no more."""

    def drop() -> None:
        """Give up the connection, which seems to be dead, and make another."""


class ILocalNews(Interface):
    """What a node does, for its own sockets, about news it has heard."""

    def live(message: Message) -> None:
        """Deliver a message that is due now."""

    def due(message: Message, superseded: Sequence[TakenBack]) -> None:
        """Hold a message until its moment, then deliver it and take back what it supersedes."""

    def ended(taken_back: TakenBack) -> None:
        """Take a message back."""

    def key_revoked(key_id: str) -> None:
        """Forget a key and send its sockets away."""


@attrs.frozen
class LiveNews:
    """A message became live, or will at its moment."""

    number: int
    message: Message
    due: bool = False
    """Whether it was claimed a little early: it is to be held until its moment."""
    superseded: tuple[TakenBack, ...] = ()


@attrs.frozen
class EndedNews:
    """A message has ended."""

    number: int
    taken_back: TakenBack


@attrs.frozen
class KeyNews:
    """A key was revoked."""

    number: int
    key_id: str


@attrs.frozen
class CanaryNews:
    """A node's own canary: all news up to ``number`` have been published before it."""

    number: int


News = LiveNews | EndedNews | KeyNews | CanaryNews


@attrs.frozen
class NewsPage:
    """News that a node has not heard, in their order."""

    news: tuple[News, ...]
    last: int
    """The number to go on after."""
    more: bool
    complete: bool
    """Whether everything after the number asked for was still there."""


class INewsStore(Interface):
    """The store's side of news. Calls fail with ``StoreUnavailable``."""

    def news_since(number: int, limit: int) -> "Deferred[NewsPage]":
        """Return up to ``limit`` news after ``number``."""

    def send_canary(channel: str) -> "Deferred[None]":
        """Publish on ``channel`` the number of the last news."""

    def publish(channel: str, text: str) -> "Deferred[None]":
        """Publish ``text``."""
