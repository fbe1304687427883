"""A pause of a process passes, and is not lived."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from .stopwatch import Stopwatch
from .until import until

MEASURE = """
from tests.stopwatch import Stopwatch
watch = Stopwatch()
print(flush=True)
input()
print(watch.passed_s, watch.lived_s)
"""
PAUSE_S = 1.0


def test_a_pause_passes_and_is_not_lived() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", MEASURE],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as measuring:
        assert measuring.stdout is not None
        measuring.stdout.readline()
        measuring.send_signal(signal.SIGSTOP)
        paused_at_s = time.monotonic()
        until(lambda: time.monotonic() - paused_at_s > PAUSE_S)
        measuring.send_signal(signal.SIGCONT)
        passed_s, lived_s = map(float, measuring.communicate("\n")[0].split())
    assert passed_s > 0.9 * PAUSE_S
    assert lived_s < passed_s - 0.8 * PAUSE_S


def test_what_is_lived_has_passed() -> None:
    watch = Stopwatch()
    until(lambda: watch.lived_s > 0.3)
    assert watch.passed_s > 0.29
