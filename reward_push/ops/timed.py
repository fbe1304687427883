"""An object whose answers are timed: it stands before another one and hands every call on."""

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure
from zope.interface import directlyProvides
from zope.interface.interface import InterfaceClass

Observe = Callable[[float, bool], object]
"""Told how many seconds an answer took, and whether it was a failure."""


class Timed:
    """Provides some interfaces, all of whose methods answer by Deferreds, as ``target`` does."""

    def __init__(
        self,
        target: Any,
        interfaces: Iterable[InterfaceClass],
        observer: Callable[[str], Observe],
        seconds: Callable[[], float],
    ) -> None:
        """``observer`` is asked once for each method, by its name; ``seconds`` is a monotonic clock."""
        interfaces = tuple(interfaces)
        directlyProvides(self, *interfaces)
        for interface in interfaces:
            for name in interface.names(all=True):
                setattr(self, name, _timed(getattr(target, name), observer(name), seconds))


def _timed(
    call: Callable[..., "Deferred[Any]"], observe: Observe, seconds: Callable[[], float]
) -> Callable[..., "Deferred[Any]"]:
    def timed(*args: Any, **named: Any) -> "Deferred[Any]":
        asked_at = seconds()

        def answered(result: Any) -> Any:
            observe(seconds() - asked_at, isinstance(result, Failure))
            return result

        return maybeDeferred(call, *args, **named).addBoth(answered)

    return timed
