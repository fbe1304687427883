"""Measures what is promised in seconds, on machines that stand still at times."""

import functools
import threading
import time

_TICK_S = 0.01
_LONGEST_TICK_S = 0.05
"""Two ticks that are further apart say that this process, and mostly the whole machine, did not run."""
_PAUSE_S = 0.25
"""So much further apart, it was long enough to be looked at by itself."""


class Stopwatch:
    """Runs from its making."""

    def __init__(self) -> None:
        self._lived_at_s = _lived().seconds()
        self._began_at_s = time.monotonic()

    @property
    def passed_s(self) -> float:
        """All the time that has passed: what must have passed at least is compared with it."""
        return time.monotonic() - self._began_at_s

    @property
    def lived_s(self) -> float:
        """The same without pauses of the machine, of which who is measured can know nothing.

        What may have passed at most is compared with it.
        """
        return _lived().seconds() - self._lived_at_s


def pauses() -> list[tuple[float, float]]:
    """Return when this process stood still for long, since it was first asked or measured: epoch milliseconds."""
    counting = _lived()
    counting.seconds()
    return list(counting.pauses)


class _Lived(threading.Thread):
    """Counts the seconds in which this process had its turn."""

    def __init__(self) -> None:
        super().__init__(name="stopwatch", daemon=True)
        self._lock = threading.Lock()
        self._seconds = 0.0
        self._ticked_at_s = time.monotonic()
        self.pauses: list[tuple[float, float]] = []

    def run(self) -> None:
        while True:
            time.sleep(_TICK_S)
            self.seconds()

    def seconds(self) -> float:
        with self._lock:
            now_s = time.monotonic()
            passed_s = now_s - self._ticked_at_s
            self._seconds += min(passed_s, _LONGEST_TICK_S)
            self._ticked_at_s = now_s
            if passed_s > _PAUSE_S:
                now_ms = time.time() * 1000
                self.pauses.append((now_ms - passed_s * 1000, now_ms))
            return self._seconds


@functools.cache
def _lived() -> _Lived:
    counting = _Lived()
    counting.start()
    return counting
