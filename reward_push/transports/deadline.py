"""One deadline that moves often and seldom passes."""

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall


class Clock(Protocol):
    """The part of ``IReactorTime`` that is used here."""

    def seconds(self) -> float:
        """Return the time in seconds."""

    def callLater(self, delay: float, callable: Callable[[], object]) -> IDelayedCall:  # noqa: A002
        """Call ``callable`` after ``delay`` seconds."""


def _nothing() -> None:
    pass


class Deadline:
    """Calls ``passed`` once the time last set is over.

    Moving it to a later time or switching it off costs no timer: the pending call finds out when it
    fires. That is what a busy connection does at every request.
    """

    __slots__ = ("_call", "_clock", "_due", "_passed")

    def __init__(self, clock: Clock, passed: Callable[[], object]) -> None:
        self._clock = clock
        self._passed = passed
        self._due: float | None = None
        self._call: IDelayedCall | None = None

    def within(self, seconds: float) -> None:
        """Replace the deadline by one ``seconds`` from now; 0: none."""
        if not seconds:
            self._due = None
            return
        self._due = due = self._clock.seconds() + seconds
        if self._call is not None:
            if self._call.getTime() <= due:
                return
            self._call.cancel()
        self._call = self._clock.callLater(seconds, self._fired)

    def end(self) -> None:
        """Have no deadline for good: leave no timer behind, and let go of ``passed``."""
        self._due = None
        self._passed = _nothing
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _fired(self) -> None:
        self._call = None
        if self._due is None:
            return
        rest = self._due - self._clock.seconds()
        if rest > 0:
            self._call = self._clock.callLater(rest, self._fired)
        else:
            self._due = None
            self._passed()
