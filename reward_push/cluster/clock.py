"""The cluster's clock: that of Redis, whatever the machine's own says."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..access.interfaces import StoreUnavailable
from .interfaces import IRedis

EVERY_S = 5.0
SAMPLES = 8
"""Of the last answers, the one that took the shortest way tells the time best."""
STEP_MS = 1_000
"""A larger correction is logged."""


class ClusterClock:
    """Redis' time, by this machine's monotonic clock in between."""

    _log = Logger()

    def __init__(
        self,
        redis: IRedis,
        clock: Any,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        """``clock`` is monotonic. Until Redis has answered, the time is ``wall_s``'s."""
        self._redis = redis
        self._clock = clock
        self._wall_s = wall_s
        self._offset_s = wall_s() - clock.seconds()
        self._samples: deque[tuple[float, float]] = deque(maxlen=SAMPLES)
        """The way there and back, and the offset that follows, in seconds."""
        self._loop = LoopingCall(self._again)
        self._loop.clock = clock

    def now_ms(self) -> int:
        """Return the time in epoch milliseconds."""
        return int((self._clock.seconds() + self._offset_s) * 1000)

    def ahead_s(self) -> float:
        """Return how far Redis' clock is ahead of this machine's, in seconds."""
        return float(self._clock.seconds() + self._offset_s - self._wall_s())

    def start(self) -> None:
        """Ask for the time now and then."""
        if not self._loop.running:
            self._loop.start(EVERY_S, now=False)

    def stop(self) -> None:
        """Ask no more."""
        if self._loop.running:
            self._loop.stop()

    async def read(self, *, anew: bool = False) -> None:
        """Ask for the time. ``anew``: what was answered before was another Redis' time.

        Raises ``StoreUnavailable``.
        """
        asked_s = self._clock.seconds()
        seconds, micros = await self._redis.command("TIME")
        way_s = self._clock.seconds() - asked_s
        offset_s = int(seconds) + int(micros) / 1e6 - (asked_s + way_s / 2)
        first = not self._samples
        if anew:
            self._samples.clear()
        self._samples.append((way_s, offset_s))
        best_s = min(self._samples)[1]
        step_ms = (best_s - self._offset_s) * 1000
        if abs(step_ms) > STEP_MS:
            self._log.warn(
                "this machine's clock and that of Redis differ by {ms} ms: that of Redis counts"
                if first
                else "the clock of Redis was set by {ms} ms",
                ms=round(step_ms),
            )
        self._offset_s = best_s

    def _again(self) -> "Deferred[None]":
        reading = Deferred.fromCoroutine(self.read())
        return reading.addErrback(lambda failure: failure.trap(StoreUnavailable))
