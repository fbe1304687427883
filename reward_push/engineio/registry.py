"""All sessions of a node, by sid."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

from zope.interface import implementer

from .counts import SessionCounts
from .errors import CloseReason
from .interfaces import ISessionHandler, ISessions, IWheel
from .options import EngineOptions
from .proof import Prover
from .revision import Revision
from .session import Session

SECRET_BYTES = 16
"""Random bytes in a sid. It is all that a later request needs to show, so it must not be guessed."""

SECRET_CHARACTERS = len(secrets.token_urlsafe(SECRET_BYTES))
"""How many characters they are at the end of a sid."""


def node_tag_of(sid: str) -> str:
    """Return the tag of the node that has opened the session ``sid``; empty where there is none."""
    return sid[:-SECRET_CHARACTERS]


@implementer(ISessions)
class Registry:
    """Opens sessions and finds them again.

    A sid is the node's tag followed by 22 random characters (128 bits), so that any node can tell
    whose session it is.
    """

    def __init__(
        self,
        options: EngineOptions,
        wheel: IWheel,
        open_handler: Callable[[Session], ISessionHandler],
        node_tag: str = "",
        forgotten: Callable[[Session], object] = lambda _: None,
    ) -> None:
        """``forgotten`` is told of each session that is over, once."""
        self.options = options
        self.wheel = wheel
        self.counts = SessionCounts()
        self.open_handler = open_handler
        self.draining = False
        """Whether the node stops: no session is opened, and none changes its transport any more."""
        self._node_tag = node_tag
        self._forgotten = forgotten
        self._prover = Prover(wheel)
        self._sessions: dict[str, Session] = {}
        self.pauses = 0
        """How often a client was too fast and not read from for a while, so far."""
        self.ends = dict.fromkeys(CloseReason, 0)
        """Sessions that were open and have ended, so far, by reason."""

    def open(self, revision: Revision, handshake: Any = None, *, base64: bool = False) -> Session:
        """Register a new session; it starts to live when its first transport opens."""
        sid = self._node_tag + secrets.token_urlsafe(SECRET_BYTES)
        session = Session(sid, revision, handshake, self, base64=base64)
        self._sessions[sid] = session
        return session

    def get(self, sid: str) -> Session | None:
        """Return the session, also while its goodbye waits for a last poll; ``None`` once it is over.

        A session whose time is up ends here, though the wheel has not come round to it yet.
        """
        session = self._sessions.get(sid)
        if session is not None and session.due <= (now := self.wheel.now()):
            session.expire(now)
        return self._sessions.get(sid)

    def await_proof(self, session: Session) -> None:
        """See :class:`.interfaces.ISessions`."""
        self._prover.add(session)

    def forget(self, session: Session) -> None:
        """See :class:`.interfaces.ISessions`."""
        if self._sessions.pop(session.sid, None) is not None:
            self._forgotten(session)

    def paused(self) -> None:
        """See :class:`.interfaces.ISessions`."""
        self.pauses += 1

    def ended(self, reason: CloseReason) -> None:
        """See :class:`.interfaces.ISessions`."""
        self.ends[reason] += 1

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        """Iterate over a snapshot, so that sessions may end meanwhile."""
        return iter(list(self._sessions.values()))
