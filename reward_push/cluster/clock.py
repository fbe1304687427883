"""The cluster's clock: that of Redis, whatever the machine's own says."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..access.interfaces import StoreUnavailable
from .interfaces import IRedis

EVERY_S = 2.0
SAMPLES = 8
GOOD_S = 0.002
"""An answer that cannot be more wrong than that is good enough."""
TRIES = 5
"""Answers asked for one after the other, at most, to get a good one: the first on a connection is often slow."""
STEP_MS = 1_000
"""A larger correction is made at once, also backwards, and logged."""
DRIFT = 0.000_5
"""How wrong a monotonic clock may go, in seconds a second: 500 ppm, what NTP corrects at most."""
SLACK_S = 0.005
"""How much two answers may contradict each other before a clock counts as set."""


@attrs.frozen
class _Sample:
    """One answer of Redis."""

    at_s: float
    offset_s: float
    """Redis' time less ours, if the way there took as long as the way back."""
    error_s: float
    """How wrong that may be: half of both ways."""

    def error_at(self, now_s: float) -> float:
        """How wrong it may be by now."""
        return self.error_s + (now_s - self.at_s) * DRIFT


class ClusterClock:
    """Redis' time, by this machine's monotonic clock in between.

    It never goes back, unless it has to by more than a second: when it is a little ahead it stands still
    until it is right again. Until Redis has answered for the first time it is this machine's own clock.
    """

    _log = Logger()

    def __init__(
        self,
        redis: IRedis,
        clock: Any,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        """``clock`` is monotonic; ``wall_s`` is this machine's own time, in epoch seconds."""
        self._redis = redis
        self._clock = clock
        self._wall_s = wall_s
        self._offset_s = wall_s() - clock.seconds()
        self._latest_ms = 0
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._answered = False
        self._loop = LoopingCall(self._again)
        self._loop.clock = clock

    def now_ms(self) -> int:
        """Return the time in epoch milliseconds."""
        now_ms = int((self._clock.seconds() + self._offset_s) * 1000)
        if now_ms < self._latest_ms:
            return self._latest_ms
        self._latest_ms = now_ms
        return now_ms

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

    async def find(self) -> None:
        """Ask until there is a good answer, a few times at most. Raises ``StoreUnavailable``."""
        for _ in range(TRIES):
            await self.read()
            now_s = self._clock.seconds()
            if min(each.error_at(now_s) for each in self._samples) <= GOOD_S:
                return

    async def read(self) -> None:
        """Ask for the time. Raises ``StoreUnavailable``."""
        asked_s = self._clock.seconds()
        seconds, micros = await self._redis.command("TIME")
        now_s = self._clock.seconds()
        error_s = (now_s - asked_s) / 2
        offset_s = int(seconds) + int(micros) / 1_000_000 - (asked_s + error_s)
        self._take(_Sample(now_s, offset_s, error_s))

    def _take(self, sample: _Sample) -> None:
        now_s = sample.at_s
        if any(_contradict(sample, each, now_s) for each in self._samples):
            self._samples.clear()
        self._samples.append(sample)
        best = min(self._samples, key=lambda each: each.error_at(now_s))
        step_ms = (best.offset_s - self._offset_s) * 1000
        self._offset_s = best.offset_s
        if abs(step_ms) > STEP_MS:
            self._latest_ms = 0
            self._log.warn(
                "the clock of Redis was set by {ms} ms"
                if self._answered
                else "this machine's clock is {ms} ms behind that of Redis, which counts",
                ms=round(step_ms),
            )
        self._answered = True

    def _again(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self.read()).addErrback(self._not_read)

    def _not_read(self, failure: Failure) -> None:
        # While Redis is away the time goes on by our own clock; that it is away is told elsewhere.
        if failure.check(StoreUnavailable) is None:
            self._log.failure("the time of Redis could not be read", failure)


def _contradict(one: _Sample, other: _Sample, now_s: float) -> bool:
    apart_s = abs(one.offset_s - other.offset_s)
    return apart_s > one.error_at(now_s) + other.error_at(now_s) + SLACK_S
