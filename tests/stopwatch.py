"""Measures what is promised in seconds, on machines that stand still at times."""

import functools
import threading
import time

_TICK_S = 0.01
_LONGEST_TICK_S = 0.05
"""Two ticks that are further apart say that this process, and mostly the whole machine, did not run."""


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


class _Lived(threading.Thread):
    """Counts the seconds in which this process had its turn."""

    def __init__(self) -> None:
        super().__init__(name="stopwatch", daemon=True)
        self._lock = threading.Lock()
        self._seconds = 0.0
        self._ticked_at_s = time.monotonic()

    def run(self) -> None:
        while True:
            time.sleep(_TICK_S)
            self.seconds()

    def seconds(self) -> float:
        with self._lock:
            now_s = time.monotonic()
            self._seconds += min(now_s - self._ticked_at_s, _LONGEST_TICK_S)
            self._ticked_at_s = now_s
            return self._seconds


@functools.cache
def _lived() -> _Lived:
    counting = _Lived()
    counting.start()
    return counting
