"""Waiting for something to become so."""

from collections.abc import Callable

from twisted.internet.task import deferLater

WITHIN_S = 60.0


async def until(condition: Callable[[], object], within_s: float = WITHIN_S) -> float:
    """Return once ``condition()`` holds: how long that took, in seconds. Fails when it takes too long."""
    from twisted.internet import reactor

    began_s = reactor.seconds()
    while not condition():
        took_s = reactor.seconds() - began_s
        assert took_s < within_s, f"not so within {within_s} s: {condition}"
        await deferLater(reactor, 0.005)
    return reactor.seconds() - began_s


async def connected(link) -> float:
    """Return once ``link`` can be used."""
    return await until(lambda: link.trouble() is None)
