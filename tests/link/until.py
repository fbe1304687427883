"""Waiting for something to become so."""

from collections.abc import Callable

from twisted.internet.task import deferLater

from ..stopwatch import Stopwatch

WITHIN_S = 60.0


async def until(condition: Callable[[], object]) -> float:
    """Return once ``condition()`` holds: after how many seconds, pauses of the machine left out. Fails in the end."""
    from twisted.internet import reactor

    watch = Stopwatch()
    while not condition():
        assert watch.passed_s < WITHIN_S, f"not so within {WITHIN_S} s: {condition}"
        await deferLater(reactor, 0.005)
    return watch.lived_s


async def connected(link) -> float:
    """Return once ``link`` can be used: after how many seconds."""
    return await until(lambda: link.trouble() is None)
