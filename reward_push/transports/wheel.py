"""Thousands of deadlines on one timer.

A timer a session would cost more than the session. Items that fall due within the same tick share a
bucket; the reactor is asked only for the next bucket that holds something, so an idle node sleeps.
"""

from math import ceil

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from ..engineio.interfaces import ITimed, IWheel

TICK_S = 0.05
"""How late an item may be told: small against the usual timers of the protocol."""

STALL_S = 1.0
"""A turn later than this: the process, or its machine, stood still. What has come in meanwhile is read first."""

_NEVER = 1 << 62


def tick_for(*timers_s: float) -> float:
    """Return a tick that is small against all of ``timers_s``, too."""
    return max(0.001, min(TICK_S, min(timers_s) / 100))


@implementer(IWheel)
class Wheel:
    """Files items by their due time and calls them once it has come."""

    _log = Logger()

    def __init__(self, clock: IReactorTime, tick_s: float = TICK_S) -> None:
        self._clock = clock
        self._tick_s = tick_s
        self._buckets: dict[int, set[ITimed]] = {}
        self._call: IDelayedCall | None = None
        self._has_waited = False
        self._next = _NEVER
        """The bucket the timer is set for; 0 during a turn, which sets it at its end."""
        self.now = clock.seconds

    def file(self, item: ITimed) -> None:
        """See :class:`..engineio.interfaces.IWheel`."""
        bucket = max(1, ceil(item.due / self._tick_s))
        if bucket == item.bucket:
            return
        self.discard(item)
        item.bucket = bucket
        self._buckets.setdefault(bucket, set()).add(item)
        if bucket < self._next:
            self._arm(bucket)

    def discard(self, item: ITimed) -> None:
        """See :class:`..engineio.interfaces.IWheel`."""
        if item.bucket:
            items = self._buckets[item.bucket]
            items.discard(item)
            if not items:
                del self._buckets[item.bucket]
            item.bucket = 0

    def stop(self) -> None:
        """Call nobody any more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._next = 0
        for items in self._buckets.values():
            for item in items:
                item.bucket = 0
        self._buckets.clear()

    def _arm(self, bucket: int) -> None:
        if self._call is not None:
            self._call.cancel()
        self._next = bucket
        delay_s = max(0.0, bucket * self._tick_s - self._clock.seconds())
        self._call = self._clock.callLater(delay_s, self._turn)

    def _turn(self) -> None:
        self._call = None
        now = self._clock.seconds()
        if now - self._next * self._tick_s > STALL_S and not self._has_waited:
            # The pong of a client may have come in time, and wait to be read: the reactor does that before the next turn.
            self._has_waited = True
            self._call = self._clock.callLater(0, self._turn)
            return
        self._has_waited = False
        self._next = 0
        # Rounding in the reactor's own arithmetic may wake us a hair early.
        last = int(now / self._tick_s + 0.001)
        for bucket in sorted(each for each in self._buckets if each <= last):
            for item in list(self._buckets.get(bucket, ())):
                if item.bucket == bucket:
                    self.discard(item)
                    try:
                        item.expire(now)
                    except Exception:
                        # One broken item must not stop the heartbeat of all others.
                        self._log.failure("{item!r} failed at its deadline", item=item)
        if self._buckets:
            self._arm(min(self._buckets))
        else:
            self._next = _NEVER
