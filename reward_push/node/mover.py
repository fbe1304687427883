"""Moving a node's clients elsewhere, evenly, so that the others are not stormed."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..engineio.errors import CloseReason

STEP_S = 0.05
"""How often some are sent away."""


class Guest(Protocol):
    """Who can be sent away: a session, or a client whose session is on another node."""

    @property
    def settling(self) -> bool:
        """Whether an upgrade is under way: some stock clients would not notice that it was cut."""

    def when_idle(self, call: Callable[[], object]) -> None:
        """Call ``call`` once nothing waits for the client."""

    def evict(self, reason: CloseReason) -> None:
        """End the connection so that the client comes back elsewhere. Idempotent."""


class Mover:
    """Sends clients away at engine level, so that stock clients come back by themselves, elsewhere."""

    _log = Logger()

    def __init__(self, guests: Callable[[], Iterable[Guest]], clock: Any) -> None:
        """``guests`` returns all there are."""
        self._guests = guests
        self._clock = clock
        self._over_at_s = 0.0
        self._owed = 0.0
        """The part of a client that should have gone by now."""
        self._moving: LoopingCall | None = None
        self._going: set[Guest] = set()
        """Those that go once what waits for them is written."""
        self._moved: list[Deferred[None]] = []

    def move(self, within_s: float) -> "Deferred[None]":
        """Send everybody away within ``within_s`` seconds; fire when nobody is left, or the time is over.

        Asked again meanwhile, the shorter time counts.
        """
        over_at_s = self._clock.seconds() + within_s
        moved: Deferred[None] = Deferred()
        self._moved.append(moved)
        if self._moving is None:
            self._over_at_s = over_at_s
            self._moving = LoopingCall(self._step)
            self._moving.clock = self._clock
            self._moving.start(STEP_S).addErrback(self._failed)
        else:
            self._over_at_s = min(self._over_at_s, over_at_s)
            self._step()
        return moved

    def _step(self) -> None:
        left_s = self._over_at_s - self._clock.seconds()
        guests = list(self._guests())
        if left_s <= 0:
            for guest in guests:
                self._send_away(guest)
        else:
            staying = [each for each in guests if not (each in self._going or each.settling)]
            self._owed += len(staying) / (left_s / STEP_S)
            share = int(self._owed)
            self._owed -= share
            for guest in staying[:share]:
                self._going.add(guest)
                guest.when_idle(partial(self._send_away, guest))
        if left_s <= 0 or not any(True for _ in self._guests()):
            self._finish()

    def _send_away(self, guest: Guest) -> None:
        try:
            guest.evict(CloseReason.SHUTTING_DOWN)
        except Exception:  # Whatever it is: the others have to be sent away.
            self._log.failure("a client could not be sent away")

    def _finish(self) -> None:
        moving, self._moving = self._moving, None
        if moving is not None:
            moving.stop()
        self._going.clear()
        moved, self._moved = self._moved, []
        for each in moved:
            each.callback(None)

    def _failed(self, failure: Any) -> None:
        self._log.failure("moving clients away failed", failure)
