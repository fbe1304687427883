"""What a node does every now and then."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger


class Upkeep:
    """Calls what has to be called again and again, never twice at once. A failure is logged and ends nothing."""

    _log = Logger()

    def __init__(self, clock: Any) -> None:
        """``clock`` is the reactor, or a test's ``Clock``."""
        self._clock = clock
        self._loops: list[tuple[LoopingCall, float]] = []
        self._at_stop: list[Callable[[], Deferred[Any]]] = []

    def every(self, period_s: float, work: Callable[[], Any], *, at_stop: bool = False) -> None:
        """Call ``work`` each ``period_s`` seconds, the first time that long after the start.

        It may return a Deferred. ``at_stop``: once more when the node stops.
        """

        def guarded() -> "Deferred[Any]":
            return maybeDeferred(work).addErrback(self._failed)

        loop = LoopingCall(guarded)
        loop.clock = self._clock
        self._loops.append((loop, period_s))
        if at_stop:
            self._at_stop.append(guarded)

    def start(self) -> None:
        """Begin."""
        for loop, period_s in self._loops:
            loop.start(period_s, now=False)

    def stop(self) -> "Deferred[Any]":
        """Call nothing more but what is to be done at the stop; fire when that is done."""
        for loop, _ in self._loops:
            if loop.running:
                loop.stop()
        return DeferredList([work() for work in self._at_stop])

    def _failed(self, failure: Any) -> None:
        self._log.failure("something that a node does every now and then failed", failure)
