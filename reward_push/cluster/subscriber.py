"""The connection to Redis that news come in through."""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from txredisapi import SubscriberProtocol
from zope.interface import implementer

from .address import RedisAddress
from .connector import Connector
from .interfaces import ISubscriber
from .keeper import Keeper

BATCH = 1_000
"""Channels in one command."""

Received = Callable[[str, str | bytes], object]
"""Called with the channel and what was published; bytes where that is no UTF-8."""


class _Protocol(SubscriberProtocol):  # type: ignore[misc]
    """Passes on messages, and confirmations one by one."""

    def __init__(self) -> None:
        super().__init__(charset="utf-8", convertNumbers=False)
        # The library's factory sets this for its own subscribers.
        self.convertNumbers = False
        self.received: Received = lambda _channel, _text: None
        self.confirmed: Callable[[str], object] = lambda _channel: None

    def messageReceived(self, pattern: str | None, channel: str, message: str | bytes) -> None:
        self.received(channel, message)

    def replyReceived(self, reply: Any) -> None:
        if isinstance(reply, list) and len(reply) == 3:
            kind, name = reply[0], reply[1]
            if kind in ("subscribe", "psubscribe"):
                self.confirmed(name)
                return
            if kind in ("unsubscribe", "punsubscribe"):
                return
        super().replyReceived(reply)

    def send(self, *words: str) -> None:
        """Write a command whose replies come one by one, for each channel."""
        self.transport.write(self._build_command(*words))


@attrs.define(eq=False)
class _Waiter:
    """Somebody who waits for channels to be confirmed."""

    missing: set[str]
    confirmed: "Deferred[None]"


@implementer(ISubscriber)
class Subscriber:
    """Keeps a connection on which everything wanted is subscribed to."""

    _log = Logger()

    def __init__(
        self, address: RedisAddress, reactor: Any, *, patterns: Iterable[str] = ()
    ) -> None:
        """``patterns`` are subscribed to besides channels."""
        self._patterns = tuple(patterns)
        self._keeper: Keeper[Any] = Keeper(
            Connector(address, reactor), _Protocol, reactor, up=self._up, down=self._down
        )
        self._wanted: dict[str, None] = {}
        self._confirmed: set[str] = set()
        self._waiters: dict[str, deque[_Waiter]] = {}
        self._received: Received = lambda _channel, _text: None
        self._ready: Callable[[], object] = lambda: None
        self._lost: Callable[[], object] = lambda: None
        self._is_ready = False
        self.connections = 0
        """How often a connection was made."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection on which everything wanted is subscribed to."""
        return self._is_ready

    def start(
        self,
        received: Received,
        ready: Callable[[], object] = lambda: None,
        lost: Callable[[], object] = lambda: None,
    ) -> None:
        """Begin. ``ready`` is called once everything wanted is confirmed on a new connection, ``lost`` when
        a connection that was ready is lost.
        """
        self._received, self._ready, self._lost = received, ready, lost
        self._keeper.start()

    def stop(self) -> "Deferred[None]":
        """Listen no more; fire when the connection is closed."""
        return self._keeper.stop()

    def subscribe(self, channels: Iterable[str]) -> "Deferred[None]":
        """See :class:`.interfaces.ISubscriber`."""
        missing = {each for each in channels if each not in self._confirmed}
        fresh = [each for each in missing if each not in self._wanted]
        self._wanted.update(dict.fromkeys(fresh))
        self._send("SUBSCRIBE", fresh)
        if not missing:
            return succeed(None)
        waiter = _Waiter(missing, Deferred(lambda _: None))
        for each in missing:
            self._waiters.setdefault(each, deque()).append(waiter)
        return waiter.confirmed

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """See :class:`.interfaces.ISubscriber`."""
        gone = [each for each in channels if each in self._wanted]
        for each in gone:
            del self._wanted[each]
            self._confirmed.discard(each)
            self._waiters.pop(each, None)
        self._send("UNSUBSCRIBE", gone)

    def drop(self) -> None:
        """See :class:`.interfaces.ISubscriber`."""
        self._keeper.drop("nothing comes through it")

    # How.

    def _send(self, command: str, names: Iterable[str]) -> None:
        protocol = self._keeper.protocol
        rest = iter(names)
        while protocol is not None and (some := list(islice(rest, BATCH))):
            protocol.send(command, *some)

    def _up(self, protocol: Any) -> None:
        self.connections += 1
        protocol.received = self._received
        protocol.confirmed = self._confirm
        self._send("PSUBSCRIBE", self._patterns)
        self._send("SUBSCRIBE", self._wanted)
        self._look()

    def _down(self, _why: str) -> None:
        self._confirmed.clear()
        was_ready, self._is_ready = self._is_ready, False
        if was_ready:
            self._lost()

    def _confirm(self, channel: str) -> None:
        if channel in self._wanted:
            self._confirmed.add(channel)
            for waiter in self._waiters.pop(channel, ()):
                waiter.missing.discard(channel)
                if not waiter.missing and not waiter.confirmed.called:
                    waiter.confirmed.callback(None)
        self._look()

    def _look(self) -> None:
        if not self._is_ready and len(self._confirmed) == len(self._wanted):
            self._is_ready = True
            self._ready()
