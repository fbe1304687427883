"""The seam to Redis: everything that is asked of it goes through :class:`IRedis`."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from ..rewards.interfaces import TakenBack
from ..rewards.message import Message
from .history import History


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

    def run(script: Script, args: "Sequence[str | bytes | int]") -> "Deferred[Any]":
        """Run ``script`` with ``args`` as its ``ARGV``; it is loaded again when Redis has forgotten it."""

    def command(name: str, *args: "str | bytes | int") -> "Deferred[Any]":
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


class INewsStore(Interface):
    """The store's side of news. Calls fail with ``StoreUnavailable``."""

    def news_since(no: int, limit: int) -> "Deferred[History]":
        """Return up to ``limit`` of what has happened after the news of that number."""

    def canary(node_id: str) -> "Deferred[int]":
        """Publish the number of the last news to the node's own channel; return it."""

    def publish(channel: str, text: str) -> "Deferred[None]":
        """Publish ``text``."""
