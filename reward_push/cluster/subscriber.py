"""The connection to Redis that news come in through."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from zope.interface import implementer

from ..access.interfaces import StoreUnavailable
from .address import RedisAddress
from .connection.calls import GRACE_S, STALLED_S
from .connection.greeting import Server
from .connection.keeper import Keeper
from .connection.wire import NewsWire
from .interfaces import ISubscriber
from .waiters import Waiters

BATCH = 1_000
"""Channels asked for at one time; the next are asked for when these are confirmed."""
CONFIRM_S = 5.0
"""How long a batch may take to be confirmed; then the connection counts as dead."""

Received = Callable[[str, str | bytes], object]
"""Called with the channel and what was published; bytes where that is no UTF-8."""


@implementer(ISubscriber)
class Subscriber:
    """Listens to what is wanted, over one connection that is made again whenever it is lost.

    What is wanted and what Redis has confirmed are two sets. Where they may differ is noted, and batch by
    batch Redis is asked for the difference.
    """

    def __init__(
        self,
        address: RedisAddress,
        reactor: Any,
        *,
        patterns: Iterable[str] = (),
        name: str = "reward-push",
    ) -> None:
        """Make a subscriber that does not connect yet.

        Args:
            address: where Redis is.
            reactor: Twisted's.
            patterns: of channels that are always listened to, besides.
            name: what Redis calls the connection.

        Raises:
            ValueError: the certificates to trust cannot be read.
        """
        self._reactor = reactor
        self._patterns = tuple(dict.fromkeys(patterns))
        self._keeper: Keeper[NewsWire] = Keeper(
            "subscriber",
            address,
            reactor,
            make=lambda: NewsWire(self._published, self._confirmed),
            ready=self._connected,
            lost=self._gone,
            name=name,
        )
        self._received: Received = lambda _channel, _text: None
        self._ready: Callable[[], object] = lambda: None
        self._lost: Callable[[], object] = lambda: None
        self._wire: NewsWire | None = None
        self._wanted: dict[str, None] = {}
        self._heard: set[str] = set()
        """Confirmed on this connection, and not asked to be ended since."""
        self._unsettled: dict[str, None] = {}
        """Where the two above may differ."""
        self._asked: set[str] = set()
        """The batch under way: what is not confirmed of it yet."""
        self._to_restore: set[str] = set()
        """What is missing of all that was wanted when the connection was made."""
        self._is_ready = False
        self._waiters = Waiters()
        self._timer: IDelayedCall | None = None
        self._due_s = 0.0
        self.connections = 0
        """How often a connection was made."""

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
        """Listen no more; fire when the connection is closed. Who waits gets ``StoreUnavailable``."""
        self._end()
        self._waiters.fail(Failure(StoreUnavailable("the subscriber is stopped")))
        return self._keeper.stop()

    def trouble(self) -> str | None:
        """Return why not everything wanted is heard now, or ``None``."""
        away = self._keeper.trouble()
        return away or (None if self._is_ready else "not everything is subscribed to yet")

    def __len__(self) -> int:
        """Return how many channels are wanted."""
        return len(self._wanted)

    def subscribe(self, channels: Iterable[str]) -> "Deferred[None]":
        """See :class:`.interfaces.ISubscriber`."""
        asked = dict.fromkeys(channels)
        missing = set()
        for channel in asked:
            self._wanted[channel] = None
            if channel not in self._heard:
                missing.add(channel)
                self._unsettled[channel] = None
        if not missing:
            return succeed(None)
        heard = self._waiters.wait(frozenset(asked), missing)
        self._ask()
        return heard

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """See :class:`.interfaces.ISubscriber`."""
        for channel in channels:
            if channel in self._wanted:
                del self._wanted[channel]
                self._unsettled[channel] = None
                self._waiters.heard(channel)
                self._restored(channel)
        self._ask()

    def drop(self) -> None:
        """See :class:`.interfaces.ISubscriber`."""
        self._keeper.drop("nothing comes through it")

    # One connection.

    def _connected(self, wire: NewsWire, _: Server) -> None:
        self.connections += 1
        self._wire = wire
        self._unsettled = dict(self._wanted)
        self._to_restore = {*self._wanted, *self._patterns}
        self._restored("")
        if self._patterns:
            self._asked = set(self._patterns)
            self._arm(CONFIRM_S)
            wire.tell("PSUBSCRIBE", *self._patterns)
        else:
            self._ask()

    def _ask(self) -> None:
        """Ask for the next batch, when the one before is confirmed."""
        while self._wire is not None and self._unsettled and not self._asked:
            some = list(islice(self._unsettled, BATCH))
            for each in some:
                del self._unsettled[each]
            fresh = [each for each in some if each in self._wanted and each not in self._heard]
            stale = [each for each in some if each not in self._wanted and each in self._heard]
            self._heard.difference_update(stale)
            self._asked = {*fresh, *stale}
            if self._asked:
                self._arm(CONFIRM_S)
            if fresh:
                self._wire.tell("SUBSCRIBE", *fresh)
            if stale:
                self._wire.tell("UNSUBSCRIBE", *stale)

    def _confirmed(self, kind: str, name: str) -> None:
        self._asked.discard(name)
        if not self._asked:
            self._disarm()
        if kind == "subscribe":
            self._heard.add(name)
        if kind != "unsubscribe":
            self._restored(name)
        if kind == "subscribe":
            self._waiters.heard(name)
        self._ask()

    def _restored(self, name: str) -> None:
        self._to_restore.discard(name)
        if self._wire is not None and not self._to_restore and not self._is_ready:
            self._is_ready = True
            self._ready()

    def _published(self, channel: str, text: str | bytes) -> None:
        self._received(channel, text)

    def _gone(self, _reason: str) -> None:
        was_ready = self._is_ready
        self._end()
        self._waiters.deaf()
        if was_ready:
            self._lost()

    def _end(self) -> None:
        self._wire = None
        self._is_ready = False
        self._heard.clear()
        self._asked.clear()
        self._to_restore.clear()
        self._disarm()

    # Time.

    def _arm(self, after_s: float) -> None:
        self._disarm()
        self._due_s = self._reactor.seconds() + after_s
        self._timer = self._reactor.callLater(after_s, self._late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        # Noticed so late, confirmations may have come while this process did not run.
        if self._reactor.seconds() - self._due_s > STALLED_S:
            self._arm(GRACE_S)
        else:
            self._keeper.drop(f"subscriptions not confirmed in {CONFIRM_S:g} s")
