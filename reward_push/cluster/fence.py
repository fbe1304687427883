"""Waiting until everything that was published before now has been heard.

State is read through one connection to Redis and news come in through another, so what is read may be
newer than what was heard: its news are still on their way.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..access.interfaces import StoreUnavailable

WITHIN_S = 5.0
"""How long a canary may take to come back."""


class Fence:
    """Sends a canary for who waits, and lets them pass when it, or a later one, is back.

    Who comes while one is being sent waits for the next: there is one for all of them, however many they are.
    """

    def __init__(self, send: "Callable[[], Deferred[int]]", clock: IReactorTime) -> None:
        """``send`` sends a canary and fires with its number; it fails with ``StoreUnavailable``."""
        self._send = send
        self._clock = clock
        self._sending = False
        self._next: list[Deferred[None]] = []
        self._sent: list[tuple[int, list[Deferred[None]]]] = []
        """By the number of the canary, in order."""
        self._came = -1

    def passed(self) -> "Deferred[None]":
        """Fire when all that was published until now has been heard. Fails with ``StoreUnavailable``."""
        passed: Deferred[None] = Deferred()
        self._next.append(passed)
        if not self._sending:
            self._go()
        return passed.addTimeout(WITHIN_S, self._clock).addErrback(_unavailable)

    def came(self, number: int) -> None:
        """The canary of this number is back."""
        self._came = number
        while self._sent and self._sent[0][0] <= number:
            _tell(self._sent.pop(0)[1], None)

    def lost(self) -> None:
        """Nothing is heard now: canaries on their way will not come back."""
        self._came = -1
        sent, self._sent = self._sent, []
        for _, waiters in sent:
            _tell(waiters, Failure(StoreUnavailable("the link to Redis was lost")))

    def _go(self) -> None:
        waiters, self._next = self._next, []
        self._sending = True
        self._send().addCallbacks(
            self._is_sent, self._is_not, callbackArgs=(waiters,), errbackArgs=(waiters,)
        )

    def _is_sent(self, number: int, waiters: "list[Deferred[None]]") -> None:
        self._sent.append((number, waiters))
        # Through its own connection it may be back before its number is known here.
        self.came(self._came)
        self._more()

    def _is_not(self, failure: Failure, waiters: "list[Deferred[None]]") -> None:
        _tell(waiters, failure)
        self._more()

    def _more(self) -> None:
        self._sending = False
        if self._next:
            self._go()


def _tell(waiters: "list[Deferred[None]]", result: Any) -> None:
    for each in waiters:
        if not each.called:
            each.callback(result)


def _unavailable(failure: Failure) -> Any:
    if failure.check(GaveUp):
        raise StoreUnavailable("the link to Redis is late")
    return failure
