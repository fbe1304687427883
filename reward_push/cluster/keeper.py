"""Keeps one connection to Redis: makes it, notices its loss, makes another."""

import random
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from txredisapi import RedisProtocol, SubscriberProtocol

from .connector import Connector

FIRST_DELAY_S = 0.1
MAX_DELAY_S = 1.0
"""The longest pause between two attempts: a Redis that is back is noticed within two seconds."""

P = TypeVar("P", RedisProtocol, SubscriberProtocol)


class Keeper(Generic[P]):
    """Connects again and again until it is stopped."""

    def __init__(
        self,
        connector: Connector,
        make: Callable[[], P],
        reactor: Any,
        *,
        up: Callable[[P], object],
        down: Callable[[str], object],
    ) -> None:
        """``make`` makes a protocol. ``up`` is called with each that is connected and logged in; ``down``
        with the reason, for each attempt that failed and each connection that was lost.
        """
        self._connector = connector
        self._make = make
        self._reactor = reactor
        self._up = up
        self._down = down
        self._delay_s = FIRST_DELAY_S
        self._retry: IDelayedCall | None = None
        self._connecting: Deferred[Any] | None = None
        self._running = False
        self._why: str | None = None
        self.protocol: P | None = None
        """The connection, while there is one."""

    def start(self) -> None:
        """Begin to connect."""
        self._running = True
        self._connect()

    def stop(self) -> "Deferred[None]":
        """Connect no more; fire when the connection is closed."""
        self._running = False
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._connecting is not None:
            self._connecting.cancel()
        if self.protocol is None:
            return succeed(None)
        closed: Deferred[None] = self.protocol.whenDisconnected().addCallback(lambda _: None)
        self.protocol.transport.abortConnection()
        return closed

    def drop(self, why: str) -> None:
        """Give up the connection that there is, and make another."""
        if self.protocol is not None:
            self._why = why
            self.protocol.transport.abortConnection()

    def _connect(self) -> None:
        self._retry = None
        self._connecting = self._connector.connect(self._make)
        self._connecting.addCallbacks(self._connected, self._failed)

    def _connected(self, protocol: P) -> None:
        self._connecting = None
        if not self._running:
            protocol.transport.abortConnection()
            return
        self.protocol = protocol
        self._delay_s = FIRST_DELAY_S
        protocol.whenDisconnected().addCallback(self._lost)
        self._up(protocol)

    def _failed(self, failure: Failure) -> None:
        self._connecting = None
        if self._running:
            self._again(failure.getErrorMessage())

    def _lost(self, _: object) -> None:
        self.protocol = None
        why, self._why = self._why or "the connection was lost", None
        if self._running:
            self._again(why)

    def _again(self, why: str) -> None:
        # Not all nodes at the same moment.
        delay_s = self._delay_s * random.uniform(0.5, 1.0)  # noqa: S311
        self._delay_s = min(self._delay_s * 2, MAX_DELAY_S)
        self._retry = self._reactor.callLater(delay_s, self._connect)
        self._down(why)
