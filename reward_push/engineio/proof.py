"""Which tracked units have been written to a client, and which of them are proved to have arrived.

A transport delivers in order. So whatever answers something that was written after a unit (a pong, the
next poll, an acknowledgement by the application) proves that unit and all before it.

The next poll proves that a unit was read, not that the client has nothing to say to it: polls and posts go different
ways, and an acknowledgement may be lost on its own. A unit that wants an answer is proved by a post, as a client's
posts come one after the other, and the acknowledgement comes first.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from zope.interface import implementer

from .interfaces import ITimed, ITracker, IWheel

PROOF_DELAY_S = 0.25
"""How long after a tracked unit a proof is asked for. An acknowledgement within that time spares it."""

MAX_UNPROVEN = 10_000
"""Units remembered for a client that never proves anything; older ones are not waited for any more."""

SLICE = 1000
"""Sessions reminded in one go: after a large broadcast they are all of a node's, and each writes a ping."""


class _Asking(Enum):
    """How far the question for a proof has come."""

    NOT = auto()
    SOON = auto()
    NOW = auto()


class Unproven:
    """The tracked units of one session that were written and not proved, oldest first."""

    __slots__ = ("_asking", "_marked", "_read", "_trackers", "_unanswered")

    def __init__(self) -> None:
        self._unanswered = 0
        self._trackers: list[ITracker] = []
        self._marked = 0
        self._read = 0
        self._asking = _Asking.NOT

    def add(self, tracker: ITracker) -> None:
        """A unit was written."""
        self._unanswered += 1
        self._trackers.append(tracker)
        if len(self._trackers) > MAX_UNPROVEN:
            self._take(MAX_UNPROVEN // 10)

    def answered(self) -> bool:
        """The application acknowledges something; return whether there was anything left to acknowledge.

        Whether it is the same does not matter: there are no more answers than there were units.
        """
        if not self._unanswered:
            return False
        self._unanswered -= 1
        return True

    def wanted(self) -> bool:
        """Whether the question has to be put on its way, which is then done."""
        if not self._trackers or self._asking is not _Asking.NOT:
            return False
        self._asking = _Asking.SOON
        return True

    def ask(self, *, polling: bool) -> bool:
        """Whether the question has to be asked now: not when all was proved meanwhile, or the next poll comes first."""
        is_wanted = bool(self._read if polling else self._trackers)
        self._asking = _Asking.NOW if is_wanted else _Asking.NOT
        return is_wanted

    def mark(self) -> None:
        """Something that will be answered is written now."""
        self._marked = len(self._trackers)

    def mark_read(self) -> None:
        """The client will post again, after what it has to say to what it has read."""
        self._marked = self._read

    def read(self) -> Sequence[ITracker]:
        """A poll came, after all was read: remove and return the units that want no answer."""
        proved = [each for each in self._trackers if not each.wants_answer]
        if proved:
            self._marked = sum(each.wants_answer for each in self._trackers[: self._marked])
            self._trackers = [each for each in self._trackers if each.wants_answer]
        self._read = len(self._trackers)
        return proved

    def proved(self) -> Sequence[ITracker]:
        """It was answered: remove and return the units written before it."""
        if self._asking is _Asking.NOW:
            self._asking = _Asking.NOT
        return self._take(self._marked)

    def through(self, tracker: ITracker) -> Sequence[ITracker]:
        """``tracker``'s unit has arrived: remove and return it and all before it."""
        try:
            last = self._trackers.index(tracker)
        except ValueError:
            return ()
        return self._take(last + 1)

    def _take(self, count: int) -> Sequence[ITracker]:
        taken = self._trackers[:count]
        del self._trackers[:count]
        self._marked = max(0, self._marked - count)
        self._read = max(0, self._read - count)
        return taken


class Provable(Protocol):
    """What a :class:`Prover` reminds."""

    def prove(self) -> None:
        """Ask for a proof now."""


@implementer(ITimed)
class Prover:
    """Reminds sessions to ask for a proof, those of a moment together, as many as may be in one go."""

    def __init__(self, wheel: IWheel) -> None:
        self.due = 0.0
        self.bucket = 0
        self._wheel = wheel
        self._sessions: list[Provable] = []

    def add(self, session: Provable) -> None:
        """Call ``session.prove()`` soon."""
        self._sessions.append(session)
        if len(self._sessions) == 1:
            self.due = self._wheel.now() + PROOF_DELAY_S
            self._wheel.file(self)

    def expire(self, now: float) -> None:
        """See :class:`.interfaces.ITimed`."""
        sessions, self._sessions = self._sessions[:SLICE], self._sessions[SLICE:]
        if self._sessions:
            self.due = now
            self._wheel.file(self)
        for session in sessions:
            session.prove()
