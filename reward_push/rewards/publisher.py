"""Publishing: read, keep, deliver, in that order, and in the order the messages came."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import attrs
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from .errors import ErrorCode, Refused
from .interfaces import IDelivery, IMessageStore, Kept
from .message import MessageRecord, Receipts, State
from .parsing import MessageParser, too_late
from .structure import shown


class Schedule(Protocol):
    """Who has to know when accepted messages begin and end."""

    def note_due(self, at_ms: int) -> None:
        """A message is scheduled for then."""

    def note_end(self, at_ms: int) -> None:
        """A live message ends then."""


@attrs.frozen
class Accepted:
    """A message that is kept."""

    record: MessageRecord
    fresh: bool
    """Whether it is new; else the same came earlier, and ``record`` is what became of it."""


Outcome = Accepted | Refused
"""What became of one posted message."""


@attrs.define(eq=False)
class _Turn:
    """One call of :meth:`Publisher.publish` waiting for the store, in line."""

    read: Sequence[MessageRecord | Refused]
    answer: "Deferred[list[Outcome]]"
    kept: "Sequence[Kept | None] | Failure | None" = None
    settled_ids: list[str] = attrs.Factory(list)
    """Messages settled while this turn was the last in line: what it, or one before it, was told by the
    store may be older than that."""


class Publisher:
    """Accepts messages: delivers what is due, and leaves what is not to the schedule.

    Messages are delivered in the order of the :meth:`publish` calls, whatever the order in which the
    store's commits are reported.
    """

    _log = Logger()

    def __init__(
        self,
        store: IMessageStore,
        delivery: IDelivery,
        schedule: Schedule,
        now_ms: Callable[[], int],
        namespaces: Collection[str],
    ) -> None:
        """``now_ms`` is the store's clock; ``namespaces`` are all the node serves, ``/`` among them."""
        self._store = store
        self._delivery = delivery
        self._schedule = schedule
        self._now_ms = now_ms
        self._parser = MessageParser(namespaces)
        self._line: deque[_Turn] = deque()
        # Delivered messages whose receipts the store did not know yet when it was last asked.
        self._unsettled: dict[str, MessageRecord] = {}

    def publish(
        self, bodies: Sequence[object], allowed: Collection[str] | None = None
    ) -> "Deferred[list[Outcome]]":
        """Accept and deliver ``bodies`` (JSON values); return one outcome each, in order.

        The good ones go through though others are bad. An id that comes twice, in one call or in two, is
        one message when the bodies are equal, else a conflict. ``allowed`` limits the namespaces.

        Fails with ``StoreUnavailable``: nothing was accepted or delivered.
        """
        now_ms = self._now_ms()
        read = [self._read(body, allowed, now_ms) for body in bodies]
        records = [each for each in read if isinstance(each, MessageRecord)]
        if not records:
            return succeed([each for each in read if isinstance(each, Refused)])
        turn = _Turn(read, Deferred())
        self._line.append(turn)
        Deferred.fromCoroutine(self._keep(records)).addBoth(self._kept, turn)
        return turn.answer

    async def _keep(self, records: Sequence[MessageRecord]) -> list[Kept | None]:
        """Have the store keep what is in time, and look for what is not: it may have come before."""
        late = [record for record in records if record.state is State.EXPIRED]
        new = [record for record in records if record.state is not State.EXPIRED]
        # All calls at once: they are answered in this order.
        accepting = self._store.accept(new) if new else None
        earlier = [self._store.get(record.message.id) for record in late]
        kept = iter([] if accepting is None else await accepting)
        found = iter([await each for each in earlier])
        results: list[Kept | None] = []
        for record in records:
            if record.state is not State.EXPIRED:
                results.append(next(kept))
            else:
                known = next(found)
                results.append(None if known is None else Kept(known[0]))
        return results

    def _read(
        self, body: object, allowed: Collection[str] | None, now_ms: int
    ) -> MessageRecord | Refused:
        try:
            record = self._parser.parse(body, now_ms)
        except Refused as refused:
            return refused.with_traceback(None)
        namespace = record.message.namespace
        if allowed is not None and namespace not in allowed:
            return Refused(
                ErrorCode.FORBIDDEN,
                f"this key may not publish to namespace {shown(namespace)}",
                "namespace",
            )
        return record

    def _kept(self, kept: Sequence[Kept | None] | Failure, turn: _Turn) -> None:
        """The store answered one turn: serve all whose predecessors are served."""
        turn.kept = kept
        while self._line and self._line[0].kept is not None:
            self._serve(self._line[0])

    def _serve(self, turn: _Turn) -> None:
        """Deliver what is new, then leave the line, and only then answer: that may bring the next call."""
        outcomes: list[Outcome] = []
        if not isinstance(turn.kept, Failure):
            stored = iter(turn.kept or ())
            outcomes = [
                each if isinstance(each, Refused) else self._outcome(each, next(stored))
                for each in turn.read
            ]
        self._line.popleft()
        for message_id in turn.settled_ids:
            self._unsettled.pop(message_id, None)
        if isinstance(turn.kept, Failure):
            turn.answer.errback(turn.kept)
        else:
            turn.answer.callback(outcomes)

    def _outcome(self, posted: MessageRecord, kept: Kept | None) -> Outcome:
        if kept is None:
            return too_late(posted.message)
        record = kept.record
        if record is posted:
            return Accepted(self._begin(posted, kept), fresh=True)
        if record.digest != posted.digest:
            return Refused(
                ErrorCode.CONFLICT,
                f"there is another message with the id {shown(posted.message.id)}",
                "id",
            )
        return Accepted(self._unsettled.get(record.message.id, record), fresh=False)

    def _begin(self, record: MessageRecord, kept: Kept) -> MessageRecord:
        """Start a new message's life; return its record with what has come of it already."""
        message = record.message
        if record.state is State.SCHEDULED:
            self._schedule.note_due(message.deliver_at_ms)
            return record
        if message.expires_at_ms is not None:
            self._schedule.note_end(message.expires_at_ms)
        delivered = self._deliver(record)
        for ended in kept.superseded:
            self._delivery.revoke(ended)
        return delivered

    def _deliver(self, record: MessageRecord) -> MessageRecord:
        message = record.message
        try:
            sent = self._delivery.deliver(message)
        except Exception:  # A fault of ours must not take the rest of a batch along.
            self._log.failure("message {id} was accepted, but not delivered", id=message.id)
            return record
        if not sent:
            return record
        settled = attrs.evolve(record, receipts=Receipts(sent=sent))
        self._unsettled[message.id] = settled
        maybeDeferred(self._store.settle, message.id, sent).addBoth(self._settled, settled)
        return settled

    def _settled(self, result: object, record: MessageRecord) -> None:
        """The receipts are in the store, or lost: then it keeps saying that nothing was sent."""
        if self._line:
            self._line[-1].settled_ids.append(record.message.id)
        else:
            self._unsettled.pop(record.message.id, None)
        if isinstance(result, Failure):
            self._log.warn(
                "the receipts of message {id} were not kept: {reason}",
                id=record.message.id,
                reason=result.getErrorMessage(),
            )
