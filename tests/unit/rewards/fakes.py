"""In-memory ends of the domain: they keep what they are given and record it in lists."""

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from reward_push.access.interfaces import StoreUnavailable
from reward_push.rewards.interfaces import IDelivery, IMessageStore
from reward_push.rewards.message import Message, MessageRecord


@implementer(IMessageStore)
@attrs.define(eq=False)
class MemoryStore:
    """Keeps records in a dictionary; commits at once, or when told to."""

    records: dict[str, MessageRecord] = attrs.Factory(dict)
    accepted: list[list[str]] = attrs.Factory(list)
    settled: list[MessageRecord] = attrs.Factory(list)
    away: bool = False
    holds: bool = False
    """Whether commits are reported only by :meth:`report`."""
    held: list[tuple[Deferred[object], object]] = attrs.Factory(list)

    def accept(self, records: Sequence[MessageRecord]) -> "Deferred[list[MessageRecord]]":
        self.accepted.append([record.message.id for record in records])
        if self.away:
            return fail(StoreUnavailable("no disk"))
        kept = [self.records.setdefault(record.message.id, record) for record in records]
        return self._answer(kept)

    def settle(self, record: MessageRecord) -> "Deferred[None]":
        self.settled.append(record)
        if self.away:
            return fail(StoreUnavailable("no disk"))
        self.records[record.message.id] = record
        return self._answer(None)

    def _answer(self, value):
        if not self.holds:
            return succeed(value)
        deferred = Deferred()
        self.held.append((deferred, value))
        return deferred

    def report(self, index: int = 0) -> None:
        """Report the commit at ``index`` of those held."""
        deferred, value = self.held.pop(index)
        deferred.callback(value)


@implementer(IDelivery)
@attrs.define(eq=False)
class RecordingDelivery:
    """Counts a fixed number of sockets for each message."""

    sockets: int = 1
    delivered: list[Message] = attrs.Factory(list)
    breaks_on: str | None = None
    """The id of a message whose delivery fails."""

    def deliver(self, message: Message) -> int:
        if message.id == self.breaks_on:
            raise RuntimeError("delivery broke")
        self.delivered.append(message)
        return self.sockets

    @property
    def ids(self) -> list[str]:
        return [message.id for message in self.delivered]
