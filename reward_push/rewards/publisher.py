"""Publishing: read, keep, deliver, in that order, and in the order the messages came."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import attrs
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from .errors import ErrorCode, Refused
from .interfaces import Ended, IMessageStore, INews, Kept
from .lifecycle import begin
from .message import MessageRecord, State
from .names import is_name
from .outcome import Accepted, Outcome, no_message, unavailable, word_of
from .parsing import MessageParser, too_late
from .structure import shown

REMEMBERED = 16_384
"""Messages whose first count of sockets is remembered, for who posts them again."""


class Schedule(Protocol):
    """What publishing tells the schedule (:class:`.scheduler.Scheduler`)."""

    def note_due(self, deliver_at_ms: int) -> None:
        """A message was scheduled."""

    def note_end(self, expires_at_ms: int) -> None:
        """A message with an end became live."""


class _Known(NamedTuple):
    """What the store has under the ids of one call."""

    earlier: Mapping[str, Any]
    """What was found under the id of each that would now be too late, or the failure to look."""
    kept: Sequence[Kept]
    """For each of the others, in order."""


@attrs.define(eq=False)
class _Turn:
    """One call of :meth:`Publisher.publish` waiting for the store, in line."""

    read: Sequence[MessageRecord | Refused]
    answer: "Deferred[list[Outcome]]"
    known: _Known | Failure | None = None


class Publisher:
    """Accepts messages: delivers those that are due, leaves the others to the schedule, and cancels.

    Messages are delivered in the order of the :meth:`publish` calls, whatever the order in which the
    store's commits are reported.
    """

    _log = Logger()

    def __init__(
        self,
        store: IMessageStore,
        news: INews,
        schedule: Schedule,
        now_ms: Callable[[], int],
        namespaces: Collection[str],
        *,
        flush: Callable[[], object] | None = None,
    ) -> None:
        """``now_ms`` is the store's clock; ``namespaces`` are all the node serves, ``/`` among them.

        ``flush`` is called before messages are ended, so that the store knows who had them
        (:meth:`.receipts.ReceiptBuffer.flush`).
        """
        self._store = store
        self._news = news
        self._schedule = schedule
        self._now_ms = now_ms
        self._parser = MessageParser(namespaces)
        self._flush = flush or (lambda: None)
        self._line: deque[_Turn] = deque()
        self._sent: OrderedDict[str, int] = OrderedDict()
        self.outcomes: Counter[str] = Counter()
        """Messages posted since the start: the word of their outcome (:func:`.outcome.word_of`),
        ``unavailable`` where the store was."""

    def publish(
        self, bodies: Sequence[object], allowed: Collection[str] | None = None
    ) -> "Deferred[list[Outcome]]":
        """Accept ``bodies`` (JSON values) and deliver what is due; return one outcome each, in order.

        The good ones go through though others are bad. An id that comes twice, in one call or in two, is
        one message when the bodies are equal, else a conflict. ``allowed`` limits the namespaces.

        Fails with ``StoreUnavailable``: nothing was accepted or delivered, unless it is ``AnswerLost``.
        """
        now_ms = self._now_ms()
        read = [self._read(body, allowed, now_ms) for body in bodies]
        records = [each for each in read if isinstance(each, MessageRecord)]
        if not records:
            refused: list[Outcome] = [each for each in read if isinstance(each, Refused)]
            self.outcomes.update(map(word_of, refused))
            return succeed(refused)
        turn = _Turn(read, Deferred())
        self._line.append(turn)
        self._ask(records).addBoth(self._answered, turn)
        return turn.answer

    def cancel(
        self, message_id: str, allowed: Collection[str] | None = None
    ) -> "Deferred[MessageRecord]":
        """Take back a scheduled or live message; return it as it is then.

        Fails with :class:`.errors.Refused`: ``not_found``, also for a message in a namespace that is not
        ``allowed``, or ``conflict`` when it had ended otherwise; or with ``StoreUnavailable``.
        """
        return Deferred.fromCoroutine(self._cancel(message_id, allowed))

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

    def _ask(self, records: Sequence[MessageRecord]) -> "Deferred[_Known]":
        """Have the store keep ``records``, but for those that are too late to be new."""
        late = {each.message.id for each in records if each.state is State.EXPIRED}
        new = [each for each in records if each.state is not State.EXPIRED]
        if any(each.message.replace is not None for each in new):
            self._flush()
        kept: Deferred[list[Kept]] = maybeDeferred(self._store.accept, new) if new else succeed([])
        if late:
            return Deferred.fromCoroutine(self._with_earlier(late, kept))
        return kept.addCallback(lambda kept: _Known({}, kept))

    async def _with_earlier(self, ids: Collection[str], kept: "Deferred[list[Kept]]") -> _Known:
        """Look ``ids`` up, too. That this fails for one is no reason to forget what is kept."""
        looked_up = [maybeDeferred(self._store.get, each) for each in ids]
        both = DeferredList(looked_up, consumeErrors=True)
        kept_now = await kept
        answers = [answer for _, answer in await both]
        return _Known(dict(zip(ids, answers, strict=True)), kept_now)

    def _answered(self, known: _Known | Failure, turn: _Turn) -> None:
        """The store answered one turn: serve all whose predecessors are served."""
        turn.known = known
        while self._line and self._line[0].known is not None:
            self._serve(self._line[0])

    def _serve(self, turn: _Turn) -> None:
        """Deliver what is new, then leave the line, and only then answer: that may bring the next call."""
        known = turn.known
        outcomes: list[Outcome] = []
        if isinstance(known, _Known):
            superseded = [ended for kept in known.kept for ended in kept.superseded]
            ends = {ended.record.message.id: ended.record for ended in superseded}
            stored = iter(known.kept)
            for each in turn.read:
                if isinstance(each, Refused):
                    outcomes.append(each)
                elif each.state is State.EXPIRED:
                    outcomes.append(self._late(each, known.earlier))
                else:
                    outcomes.append(self._outcome(each, next(stored).record, ends))
            if superseded:
                self._told(superseded)
        self._line.popleft()
        if isinstance(known, Failure):
            self.outcomes[ErrorCode.UNAVAILABLE] += len(turn.read)
            turn.answer.errback(known)
        else:
            self.outcomes.update(map(word_of, outcomes))
            turn.answer.callback(outcomes)

    def _late(self, posted: MessageRecord, earlier: Mapping[str, Any]) -> Outcome:
        found = earlier[posted.message.id]
        if isinstance(found, Failure):
            return unavailable()
        return too_late(posted.message) if found is None else self._repeated(posted, found[0])

    def _outcome(
        self, posted: MessageRecord, stored: MessageRecord, ends: Mapping[str, MessageRecord]
    ) -> Outcome:
        if stored is not posted:
            return self._repeated(posted, stored)
        # What a later one of the same call has superseded is not shown any more.
        ended = ends.get(posted.message.id)
        return Accepted(self._begin(posted) if ended is None else ended, fresh=True)

    def _repeated(self, posted: MessageRecord, stored: MessageRecord) -> Outcome:
        if stored.digest != posted.digest:
            return Refused(
                ErrorCode.CONFLICT,
                f"there is another message with the id {shown(posted.message.id)}",
                "id",
            )
        first = begin(stored.message, stored.digest)
        return Accepted(_with_sent(first, self._sent.get(stored.message.id, 0)), fresh=False)

    def _begin(self, record: MessageRecord) -> MessageRecord:
        """Start the life of a new message and return its record with what is known of its receipts."""
        message = record.message
        if record.state is State.SCHEDULED:
            self._schedule.note_due(message.deliver_at_ms)
            return record
        if message.expires_at_ms is not None:
            self._schedule.note_end(message.expires_at_ms)
        try:
            sent = self._news.live(message)
        except Exception:  # A fault of ours must not take the rest of a batch along.
            self._log.failure("message {id} was accepted, but not delivered", id=message.id)
            return record
        if not sent:
            return record
        self._sent[message.id] = sent
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
        if message.expires_at_ms is None:
            settled = maybeDeferred(self._store.settle, message.id, sent)
            settled.addErrback(self._not_settled, message.id)
        return _with_sent(record, sent)

    def _not_settled(self, failure: Failure, message_id: str) -> None:
        """The count is lost: the store keeps saying that nothing was sent."""
        self._log.warn(
            "the receipts of message {id} were not kept: {reason}",
            id=message_id,
            reason=failure.getErrorMessage(),
        )

    async def _cancel(self, message_id: str, allowed: Collection[str] | None) -> MessageRecord:
        if not is_name(message_id):
            raise no_message(message_id)
        if allowed is not None:
            known = await self._store.get(message_id)
            if known is None or known[0].message.namespace not in allowed:
                raise no_message(message_id)
        self._flush()
        found = await self._store.cancel(message_id, self._now_ms())
        if found is None:
            raise no_message(message_id)
        record, ended = found
        if ended is not None:
            self._told([ended])
        if record.state is not State.CANCELLED:
            raise Refused(
                ErrorCode.CONFLICT,
                f"message {shown(message_id)} is {record.state}: it cannot be cancelled any more",
            )
        return record

    def _told(self, ended: Sequence[Ended]) -> None:
        try:
            self._news.ended(ended)
        except Exception:
            self._log.failure("messages were not revoked")


def _with_sent(record: MessageRecord, sent: int) -> MessageRecord:
    return attrs.evolve(record, receipts=attrs.evolve(record.receipts, sent=sent))
