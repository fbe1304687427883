"""Memory that is free goes back to the system, and looking for it costs little."""

import subprocess
import sys

import pytest

from reward_push.ops.heap import MOST_SHARE, WORTH_BYTES, Heap, malloc_trim


class Process:
    """A process with a heap, as :class:`Heap` sees it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.cpu_s = 0.0
        self.resident = 100 * WORTH_BYTES
        self.free = 0
        self.look_s = 0.001
        self.looks = 0
        self.heap = Heap(
            lambda: self.now,
            trim=self._trim,
            resident=lambda: self.resident,
            cpu_s=lambda: self.cpu_s,
        )

    def _trim(self) -> None:
        self.looks += 1
        self.cpu_s += self.look_s
        self.resident -= self.free
        self.free = 0

    def tidy_after(self, seconds: float) -> int:
        """Let time pass; return how often it was looked since the last time."""
        before = self.looks
        self.now += seconds
        self.heap.tidy()
        return self.looks - before


@pytest.fixture
def process() -> Process:
    return Process()


def test_as_long_as_it_brings_something_it_is_looked_again(process: Process) -> None:
    process.look_s = 10.0
    for _ in range(3):
        process.free = WORTH_BYTES
        assert process.tidy_after(1) == 1
    assert process.resident == 97 * WORTH_BYTES


def test_looks_that_are_for_nothing_take_a_small_share_of_the_time(process: Process) -> None:
    """The dearer they are, the seldomer."""
    for look_s in (0.001, 0.1):
        process.look_s = look_s
        process.free = WORTH_BYTES - 1
        assert process.tidy_after(1_000) == 1
        assert process.tidy_after(look_s / MOST_SHARE - 0.01) == 0
        assert process.tidy_after(0.02) == 1


_FRAGMENTED = """
import time
from reward_push.ops.heap import Heap, resident_bytes
heap = Heap(time.monotonic)
before = resident_bytes()
large, small = [], []
for _ in range(2_000):
    large.append(bytes(16_000))
    small.append(bytes(1_000))
full = resident_bytes()
large.clear()
left = resident_bytes()
heap.tidy()
print(full - before, left - before, resident_bytes() - before)
"""


@pytest.mark.skipif(malloc_trim() is None, reason="the C library has no malloc_trim, or no /proc")
def test_what_lies_between_things_that_stay_is_given_back() -> None:
    """Which is what the C library does not do of its own accord."""
    out = subprocess.run(
        [sys.executable, "-c", _FRAGMENTED], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    full, left, tidied = map(int, out.split())
    assert full > 32_000_000
    assert left > 0.8 * full
    assert tidied < 0.4 * full


def test_where_there_is_nothing_to_call_nothing_is_done(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with other C libraries, and without ``/proc``."""
    for name, stand_in in (("ctypes.CDLL", lambda _: object()), ("builtins.open", _no_file)):
        with monkeypatch.context() as patched:
            patched.setattr(name, stand_in)
            assert malloc_trim() is None
            heap = Heap(lambda: 0.0)
            heap.tidy()
            heap.tidy()


def _no_file(*_: object, **__: object) -> object:
    raise FileNotFoundError
