"""One timer for whoever has several things to wait for."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

MAX_SLEEP_S = 1.0
"""Nobody sleeps for longer: a wall clock that was stepped forward is noticed after this long."""


class Alarm:
    """Calls ``wake`` when the earliest of what was asked for has come; then it has to be set again."""

    def __init__(self, clock: IReactorTime, wake: Callable[[], object]) -> None:
        """``clock`` is monotonic."""
        self._clock = clock
        self._wake = wake
        self._call: IDelayedCall | None = None
        self._at_s = 0.0

    def within(self, seconds: float) -> None:
        """Wake in ``seconds``, in :data:`MAX_SLEEP_S` at the latest, unless it will wake earlier anyway."""
        delay_s = min(MAX_SLEEP_S, max(0.0, seconds))
        at_s = self._clock.seconds() + delay_s
        if self._call is not None:
            if self._at_s <= at_s:
                return
            self._call.cancel()
        self._at_s = at_s
        self._call = self._clock.callLater(delay_s, self._ring)

    def stop(self) -> None:
        """Wake no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _ring(self) -> None:
        self._call = None
        self._wake()
