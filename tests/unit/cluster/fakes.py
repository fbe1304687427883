"""Ends for the cluster's parts: a subscriber, a store of news, and a node, that record what they are told."""

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from reward_push.access.interfaces import StoreUnavailable
from reward_push.cluster.history import History
from reward_push.cluster.interfaces import ILocalNews, INewsStore, ISubscriber
from reward_push.rewards.interfaces import TakenBack
from reward_push.rewards.message import Message


@implementer(ISubscriber)
class FakeSubscriber:
    """Confirms at once while ``connected``, else once :meth:`confirm` is called."""

    def __init__(self) -> None:
        self.connected = True
        self.channels: set[str] = set()
        self.dropped = 0
        self._waiting: list[Deferred[None]] = []

    def subscribe(self, channels: Iterable[str]) -> "Deferred[None]":
        self.channels |= set(channels)
        if self.connected:
            return succeed(None)
        waiter: Deferred[None] = Deferred(lambda cancelled: self._waiting.remove(cancelled))
        self._waiting.append(waiter)
        return waiter

    def unsubscribe(self, channels: Iterable[str]) -> None:
        self.channels -= set(channels)

    def drop(self) -> None:
        self.dropped += 1

    def confirm(self) -> None:
        """Redis has confirmed everything."""
        self.connected = True
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)


@implementer(INewsStore)
class FakeNewsStore:
    """Has ``pages`` of history; fails while ``away``."""

    def __init__(self) -> None:
        self.away = False
        self.pages: list[Any] = []
        self.asked: list[tuple[int, int]] = []
        self.canaries: list[str] = []
        self.published: list[tuple[str, str]] = []

    def news_since(self, no: int, limit: int) -> "Deferred[History]":
        self.asked.append((no, limit))
        if self.away:
            return fail(StoreUnavailable("away"))
        page = self.pages.pop(0) if self.pages else History((), complete=True, more_after=None)
        return page if isinstance(page, Deferred) else succeed(page)

    def canary(self, node_id: str) -> "Deferred[int]":
        if self.away:
            return fail(StoreUnavailable("away"))
        self.canaries.append(node_id)
        return succeed(0)

    def publish(self, channel: str, text: str) -> "Deferred[None]":
        if self.away:
            return fail(StoreUnavailable("away"))
        self.published.append((channel, text))
        return succeed(None)


@implementer(ILocalNews)
class RecordingNode:
    """Notes what it is to do."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.breaks_on: str | None = None

    def _note(self, what: str, name: str) -> None:
        if name == self.breaks_on:
            raise RuntimeError("broken")
        self.log.append(f"{what} {name}")

    def live(self, message: Message) -> None:
        self._note("live", message.id)

    def due(self, message: Message, superseded: Iterable[TakenBack]) -> None:
        self._note("due", " ".join([message.id, *(f"-{each.message_id}" for each in superseded)]))

    def ended(self, taken_back: TakenBack) -> None:
        self._note("ended", taken_back.message_id)

    def key_revoked(self, key_id: str) -> None:
        self._note("key", key_id)
