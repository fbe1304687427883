"""Gives memory that is free back to the system.

Where large texts have lain among small things that stay, glibc's heap keeps their room for the next ones, and the
process looks as large as it ever was: of its own accord glibc gives back only what is free at the heap's end.
``malloc_trim`` gives back whole pages wherever they are. Where there is none (musl, macOS) nothing is done here.
"""

import ctypes
import resource
import time
from collections.abc import Callable

LOOK_S = 5.0
"""How often to look for something to give back."""
WORTH_BYTES = 2 * 1024 * 1024
"""A look that brings less was for nothing, and its cost counts."""
MOST_SHARE = 1 / 2_000
"""How much of the time may go into looks that are for nothing: they take the longer the more free pieces there are."""


class Heap:
    """The process's heap. Called on the event loop: a look takes about a microsecond for each free piece."""

    def __init__(
        self,
        now: Callable[[], float],
        *,
        trim: Callable[[], object] | None = None,
        resident: Callable[[], int] | None = None,
        cpu_s: Callable[[], float] = time.thread_time,
    ) -> None:
        """``now`` is a monotonic clock in seconds; the others are the process's own unless they are given."""
        self._now = now
        self._trim = trim or malloc_trim()
        self._resident = resident or resident_bytes
        self._cpu_s = cpu_s
        self._not_before = 0.0

    def tidy(self) -> None:
        """Give back what is free, unless that was for nothing not long ago."""
        if self._trim is None or self._now() < self._not_before:
            return
        before = self._resident()
        began_s = self._cpu_s()
        self._trim()
        cost_s = self._cpu_s() - began_s
        if before - self._resident() < WORTH_BYTES:
            self._not_before = self._now() + cost_s / MOST_SHARE


def malloc_trim() -> Callable[[], object] | None:
    """Return glibc's ``malloc_trim``, if the process has it and can see what it brings."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
        resident_bytes()
    except (OSError, AttributeError, TypeError):
        return None
    trim.argtypes = [ctypes.c_size_t]
    trim.restype = ctypes.c_int
    return lambda: trim(0)


def resident_bytes() -> int:
    """Return the resident memory of this process. Raises ``OSError`` where there is no ``/proc``."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
