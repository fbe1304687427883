"""Who else is alive, as this node judges by their beats.

Time is counted on this node's own clock, and only while Redis answers: when Redis is away, or has come back
empty, nobody is taken for dead on that account.
"""

from collections.abc import Callable, Iterable

import attrs
from twisted.logger import Logger

from .member import Member

BEAT_S = 2.0
"""How often a node shows that it is alive."""
EXPIRY_S = 6.0
"""How long a node is believed to be alive after its last beat."""


@attrs.define
class _Known:
    """What is known of another node."""

    member: Member
    heard_s: float
    """When its last new beat was read, in the time during which Redis answered."""


class Roster:
    """The other nodes of the cluster."""

    _log = Logger()

    def __init__(self, my_id: str) -> None:
        """``my_id``: the node that is not among the others."""
        self._my_id = my_id
        self._others: dict[str, _Known] = {}
        self._gone: list[Callable[[Member], object]] = []
        self._attended_s = 0.0
        """For how long Redis has been answering, gaps left out."""
        self.answered_s: float | None = None
        """When Redis answered last; ``None``: it has not yet."""

    def __len__(self) -> int:
        return len(self._others)

    def on_gone(self, callback: Callable[[Member], object]) -> None:
        """Call ``callback`` whenever a node that was alive is so no more, with its last record.

        One that was started anew is gone, too; it is found again under its name.
        """
        self._gone.append(callback)

    def find(self, node_id: str) -> Member | None:
        """Return a node that is alive."""
        known = self._others.get(node_id)
        return None if known is None else known.member

    def names(self) -> list[str]:
        """Name those that are alive."""
        return list(self._others)

    def heard(self, now_s: float) -> list[tuple[Member, float]]:
        """Return those that are alive, and how many seconds ago each was heard of."""
        # What is not heard while Redis is away is old all the same.
        silent_s = now_s - (self.answered_s or 0.0)
        return [
            (known.member, self._attended_s - known.heard_s + silent_s)
            for known in self._others.values()
        ]

    def read(self, members: Iterable[Member], now_s: float) -> None:
        """Redis has answered, with all records that there are; this node's own may be among them."""
        if self.answered_s is not None:
            self._attended_s += min(now_s - self.answered_s, 1.5 * BEAT_S)
        self.answered_s = now_s
        for member in members:
            if member.node_id != self._my_id:
                self._heard(member)
        for known in list(self._others.values()):
            if self._attended_s - known.heard_s >= EXPIRY_S:
                self._forget(known.member, "it was not heard of for {silent:g} s")

    def _heard(self, member: Member) -> None:
        known = self._others.get(member.node_id)
        if member.left:
            if known is not None:
                self._forget(known.member, "it has stopped")
            return
        if known is not None and known.member.instance != member.instance:
            self._forget(known.member, "it was started anew")
            known = None
        if known is None:
            self._log.info("node {node} is there", node=member.node_id)
            self._others[member.node_id] = _Known(member, self._attended_s)
        elif known.member.beat != member.beat:
            known.member, known.heard_s = member, self._attended_s

    def _forget(self, member: Member, why: str) -> None:
        self._log.info(f"node {{node}} is gone: {why}", node=member.node_id, silent=EXPIRY_S)
        del self._others[member.node_id]
        for callback in self._gone:
            try:
                callback(member)
            except Exception:
                self._log.failure("a node's end was not attended to")
