"""Moving a node's clients elsewhere, evenly, so that the others are not stormed."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from .engineio.errors import CloseReason
from .engineio.session import Session

STEP_S = 0.05
"""How often some are sent away."""


class Mover:
    """Sends sessions away at engine level, so that stock clients come back by themselves, elsewhere."""

    _log = Logger()

    def __init__(self, sessions: Iterable[Session], clock: Any) -> None:
        """``sessions`` yields all there are, each time it is iterated over."""
        self._sessions = sessions
        self._clock = clock
        self._over_at_s = 0.0
        self._owed = 0.0
        """The part of a client that should have gone by now."""
        self._moving: LoopingCall | None = None
        self._going: set[Session] = set()
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
        sessions = list(self._sessions)
        if left_s <= 0:
            for session in sessions:
                self._send_away(session)
        else:
            staying = [each for each in sessions if each not in self._going]
            self._owed += len(staying) / (left_s / STEP_S)
            share = int(self._owed)
            self._owed -= share
            for session in staying[:share]:
                self._going.add(session)
                session.when_idle(partial(self._send_away, session))
        if left_s <= 0 or not any(True for _ in self._sessions):
            self._finish()

    def _send_away(self, session: Session) -> None:
        try:
            session.evict(CloseReason.SHUTTING_DOWN)
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
