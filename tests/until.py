"""Waiting for what other processes do."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 60.0
"""Long: a busy machine may be slow, and what does come is not waited for."""
_PAUSE_S = 0.02

T = TypeVar("T")


def until(
    condition: Callable[[], T], patience_s: float = PATIENCE_S, said: Callable[[], object] = str
) -> T:
    """Ask until ``condition()`` is true, and return what it was.

    Args:
        condition: is asked again and again: there is nothing to wait on but what the others say.
        patience_s: for how long, in seconds.
        said: tells, when it has not come true, what came instead.

    Raises:
        AssertionError: it has not come true in time.
    """
    deadline = time.monotonic() + patience_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not in {patience_s:g} s: {said()}"
        time.sleep(_PAUSE_S)
    return found
