"""How late the event loop is: what every client feels when something holds it up."""

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

EVERY_S = 0.25


class LoopLag(Service):
    """Sets a timer again and again, and tells how late each comes."""

    def __init__(self, clock: IReactorTime, observe: Callable[[float], object]) -> None:
        """``observe`` is told seconds; ``clock`` is the reactor, on a monotonic clock."""
        self._clock = clock
        self._observe = observe
        self._due = 0.0
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._set()

    def stopService(self) -> None:
        """Set no more timers."""
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _set(self) -> None:
        self._due = self._clock.seconds() + EVERY_S
        self._call = self._clock.callLater(EVERY_S, self._late)

    def _late(self) -> None:
        self._observe(self._clock.seconds() - self._due)
        self._set()
