"""Which channels a node listens to: those it has sockets for, and no others."""

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from ..access.interfaces import StoreUnavailable
from .interfaces import ISubscriber

LINGER_S = 10.0
"""How long a channel that nobody needs any more is kept: most clients that leave come back."""
CONFIRM_S = 5.0
"""How long a socket waits for its channels before it is sent away to come back."""


class Subscriptions:
    """Counts who needs which channel, and keeps the subscriber in step."""

    def __init__(self, subscriber: ISubscriber, clock: IReactorTime) -> None:
        self._subscriber = subscriber
        self._clock: Any = clock
        self._needed: dict[str, int] = {}
        """Channel → how many need it; 0: it lingers."""
        self._lingering: dict[str, float] = {}
        """Channel → when it is given up, oldest first."""
        self._timer: IDelayedCall | None = None

    def add(self, channels: Iterable[str]) -> "Deferred[None]":
        """Need ``channels`` once more; fire when everything published on them from then on is heard.

        Fails with ``StoreUnavailable`` when that takes too long; they count as needed all the same.
        """
        for channel in channels:
            self._needed[channel] = self._needed.get(channel, 0) + 1
            self._lingering.pop(channel, None)
        heard = self._subscriber.subscribe(channels)
        if not heard.called:
            heard.addTimeout(CONFIRM_S, self._clock)
        return heard.addErrback(_unavailable)

    def remove(self, channels: Iterable[str]) -> None:
        """Need ``channels`` once less."""
        for channel in channels:
            left = self._needed[channel] = self._needed[channel] - 1
            if not left:
                self._lingering[channel] = self._clock.seconds() + LINGER_S
        self._arm()

    def __len__(self) -> int:
        """Return how many channels are listened to."""
        return len(self._needed)

    def stop(self) -> None:
        """Give nothing up any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is None and self._lingering:
            first = next(iter(self._lingering.values()))
            self._timer = self._clock.callLater(
                max(0.0, first - self._clock.seconds()), self._give_up
            )

    def _give_up(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        over = []
        for channel, until in self._lingering.items():
            if until > now:
                break
            over.append(channel)
        for channel in over:
            del self._lingering[channel]
            del self._needed[channel]
        self._subscriber.unsubscribe(over)
        self._arm()


def _unavailable(failure: Failure) -> None:
    failure.trap(GaveUp)
    raise StoreUnavailable("not subscribed in time")
