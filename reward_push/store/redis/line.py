"""The way to Redis: what waits for it is bounded, lane by lane, and what it says of its health is kept."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...access.interfaces import StoreUnavailable
from ...cluster.interfaces import IRedis, Script
from ..lanes import Lane

Argument = str | bytes | int

PROBE_KEPT_MS = 60_000

_CLOSED = "the store is closed"


class Line:
    """Hands calls to a link and counts what is not answered yet.

    Its own order is that of the link: calls take effect, and answer, as they are made.
    """

    _log = Logger()

    def __init__(self, link: IRedis, prefix: str, max_waiting: int) -> None:
        """``prefix`` begins every key and channel.

        ``max_waiting`` bounds, in each lane, the weight of what was asked and is not answered.
        """
        self.prefix = prefix
        self._link = link
        self._max_waiting = max_waiting
        self._probing = False
        self._waiting: Counter[Lane] = Counter()
        self._running = False
        self._reason: str | None = None
        self._stopped: list[Deferred[None]] = []

    @property
    def running(self) -> bool:
        """Whether anything is taken."""
        return self._running

    def start(self) -> None:
        """Take calls."""
        self._running = True
        self._reason = None

    def stop(self) -> "Deferred[None]":
        """Refuse what comes from now on; fire when all that came before is answered."""
        self._running = False
        if not self._waiting.total():
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._stopped.append(waiter)
        return waiter

    def run(
        self, script: Script, args: Sequence[Argument], lane: Lane, weight: int = 1
    ) -> "Deferred[Any]":
        """Run a script; its first argument, the prefix, is added here.

        Fails with :class:`StoreUnavailable` at once when the line is closed or too much waits in the lane
        (what is heavier than the limit is taken when nothing waits there), and when the link does.
        """
        return self._ask(lane, weight, self._link.run, script, (self.prefix, *args))

    def command(self, lane: Lane, weight: int, name: str, *args: Argument) -> "Deferred[Any]":
        """Run a command. Fails as :meth:`run` does."""
        return self._ask(lane, weight, self._link.command, name, *args)

    def trouble(self) -> str | None:
        """Return why a call failed, or that the line is closed; ``None`` when all is well.

        The reason stays until something is written again: that reading works says nothing about writing.
        """
        return self._reason if self._running else _CLOSED

    def probe(self) -> None:
        """Find out whether writing works again, if anything has failed."""
        if self._reason is not None and self._running and not self._probing:
            self._probing = True
            args = ("SET", f"{self.prefix}probe", "1", "PX", PROBE_KEPT_MS)
            self.command(Lane.DUTIES, 1, *args).addCallbacks(self._works, self._fails)

    def _ask(
        self, lane: Lane, weight: int, call: "Callable[..., Deferred[Any]]", *args: Any
    ) -> "Deferred[Any]":
        if not self._running:
            return fail(StoreUnavailable(_CLOSED))
        if self._waiting[lane] and self._waiting[lane] + weight > self._max_waiting * lane.share:
            return fail(StoreUnavailable("too much waits for the store"))
        self._waiting[lane] += weight
        return maybeDeferred(call, *args).addBoth(self._answered, lane, weight)

    def _answered(self, result: object, lane: Lane, weight: int) -> object:
        self._waiting[lane] -= weight
        if not isinstance(result, Failure):
            self.probe()
        elif result.check(StoreUnavailable) is not None:
            reason = result.getErrorMessage()
            if reason != self._reason:
                self._log.error("the store has failed: {reason}", reason=reason)
            self._reason = reason
        if self._stopped and not self._waiting.total():
            stopped, self._stopped = self._stopped, []
            for waiter in stopped:
                waiter.callback(None)
        return result

    def _works(self, _: object) -> None:
        self._probing = False
        self._reason = None
        self._log.info("the store works again")

    def _fails(self, failure: Failure) -> None:
        self._probing = False
        if failure.check(StoreUnavailable) is None:
            self._log.failure("the store could not be probed", failure)
