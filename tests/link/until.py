"""Waiting for something to become so."""

from collections.abc import Callable

from twisted.internet.task import deferLater

from ..stopwatch import Stopwatch

WITHIN_S = 60.0


async def until(condition: Callable[[], object]) -> Stopwatch:
    """Return once ``condition()`` holds, with what it took. Fails when it does not."""
    from twisted.internet import reactor

    watch = Stopwatch()
    while not condition():
        assert watch.passed_s < WITHIN_S, f"not so within {WITHIN_S} s: {condition}"
        await deferLater(reactor, 0.005)
    return watch


async def connected(link) -> float:
    """Return once ``link`` can be used: after how many seconds, in which this machine did not stand still."""
    return (await until(lambda: link.trouble() is None)).lived_s
