"""Who waits until channels are heard."""

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


@attrs.define(eq=False)
class _Waiter:
    channels: frozenset[str]
    missing: set[str]
    heard: "Deferred[None]"


class Waiters:
    """Each waits for several channels at once."""

    def __init__(self) -> None:
        self._all: dict[_Waiter, None] = {}
        self._by_channel: dict[str, dict[_Waiter, None]] = {}

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._all)

    def wait(self, channels: frozenset[str], missing: set[str]) -> "Deferred[None]":
        """Fire once all of ``missing``, which are among ``channels``, are heard."""

        def given_up(_: "Deferred[None]") -> None:
            self._forget(waiter)

        waiter = _Waiter(channels, missing, Deferred(given_up))
        self._add(waiter)
        return waiter.heard

    def heard(self, channel: str) -> None:
        """``channel`` is heard, or nobody wants it any more."""
        for waiter in self._by_channel.pop(channel, ()):
            waiter.missing.discard(channel)
            if not waiter.missing:
                del self._all[waiter]
                waiter.heard.callback(None)

    def deaf(self) -> None:
        """Nothing is heard any more: all begin anew."""
        self._by_channel.clear()
        for waiter in list(self._all):
            waiter.missing = set(waiter.channels)
            self._add(waiter)

    def fail(self, failure: Failure) -> None:
        """Nobody is to wait any more."""
        waiters, self._all = self._all, {}
        self._by_channel.clear()
        for waiter in waiters:
            waiter.heard.errback(failure)

    def _add(self, waiter: _Waiter) -> None:
        self._all[waiter] = None
        for channel in waiter.missing:
            self._by_channel.setdefault(channel, {})[waiter] = None

    def _forget(self, waiter: _Waiter) -> None:
        self._all.pop(waiter, None)
        for channel in waiter.missing:
            waiting = self._by_channel.get(channel, {})
            waiting.pop(waiter, None)
            if not waiting:
                self._by_channel.pop(channel, None)
