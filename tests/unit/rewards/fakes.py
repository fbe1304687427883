"""In-memory ends of the domain: a store that keeps its interface word for word, and ends that record."""

from collections.abc import Collection, Mapping, Sequence

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from reward_push.access.interfaces import StoreUnavailable
from reward_push.rewards.interfaces import (
    Agenda,
    Device,
    DeviceReceipt,
    Due,
    Ended,
    IDelivery,
    IMessageStore,
    Kept,
    Level,
    Missed,
    OwedRevoke,
    Page,
    Reason,
    Receipt,
    TakenBack,
)
from reward_push.rewards.lifecycle import ENDED, TRANSITIONS, Event
from reward_push.rewards.message import AudienceKind, Message, MessageRecord, Receipts, State
from reward_push.rewards.rooms import rooms_of

DEVICES_KEPT = 20


@attrs.define(eq=False)
class Row:
    """A message in the store."""

    record: MessageRecord
    number: int
    """In the order of acceptance."""
    live_number: int | None = None
    """In the order of becoming live."""
    reason: Reason | None = None
    receipts: dict[int, Receipt] = attrs.Factory(dict)
    """By device."""
    settled: int = 0
    taken_by: int | None = None
    told: set[int] = attrs.Factory(set)

    @property
    def id(self) -> str:
        return self.record.message.id

    def current(self) -> MessageRecord:
        levels = [receipt.level for receipt in self.receipts.values()]
        posted = self.record.receipts
        counted = Receipts(
            max(posted.sent, self.settled, len(levels)),
            max(posted.delivered, sum(level >= Level.DELIVERED for level in levels)),
            max(posted.acked, sum(level >= Level.ACKED for level in levels)),
        )
        return self.record if counted == posted else attrs.evolve(self.record, receipts=counted)

    def step(self, event: Event, now_ms: int, reason: Reason | None = None) -> None:
        """Change the state by the table; there must be a row for it."""
        state = TRANSITIONS[self.record.state, event]
        ended = self.record.ended_at_ms
        if state in ENDED and ended is None:
            ended = now_ms
        self.record = attrs.evolve(self.record, state=state, ended_at_ms=ended)
        self.reason = reason or self.reason


@implementer(IMessageStore)
@attrs.define(eq=False)
class MemoryStore:
    """Does everything at once; tells of it at once, too, or in its order when told to."""

    rows: dict[str, Row] = attrs.Factory(dict)
    devices: dict[int, Device] = attrs.Factory(dict)
    """All there ever were: receipts name them."""
    named: dict[tuple[str, str], dict[str, Device]] = attrs.Factory(dict)
    """Devices by key and streamer, then by name, the last used last."""
    count: int = 0
    calls: list[str] = attrs.Factory(list)
    accepted: list[list[str]] = attrs.Factory(list)
    settled: list[tuple[str, int]] = attrs.Factory(list)
    noted: list[dict[str, list[Receipt]]] = attrs.Factory(list)
    away: bool = False
    fails: set[str] = attrs.Factory(set)
    """Names of calls that fail though the store is there."""
    holds: bool = False
    """Whether answers are given only by :meth:`report`."""
    held: list[tuple[Deferred[object], object]] = attrs.Factory(list)

    def accept(self, records: Sequence[MessageRecord]) -> "Deferred[list[Kept]]":
        self.accepted.append([record.message.id for record in records])
        return self._do("accept", lambda: [self._accept(record) for record in records])

    def settle(self, message_id: str, sent: int) -> "Deferred[None]":
        self.settled.append((message_id, sent))

        def settle() -> None:
            if message_id in self.rows:
                self.rows[message_id].settled = sent

        return self._do("settle", settle)

    def claim(
        self, now_ms: int, until_ms: int, missed_before_ms: int, limit: int
    ) -> "Deferred[list[Due]]":
        def claim() -> list[Due]:
            due = [
                row
                for row in self.rows.values()
                if row.record.state is State.SCHEDULED
                and row.record.message.deliver_at_ms <= until_ms
            ]
            due.sort(key=lambda row: (row.record.message.deliver_at_ms, row.number))
            return [self._claim(row, now_ms, missed_before_ms) for row in due[:limit]]

        return self._do("claim", claim)

    def expire(self, now_ms: int, limit: int) -> "Deferred[list[Ended]]":
        def expire() -> list[Ended]:
            over = [row for row in self._live() if row.record.message.expires_at_ms <= now_ms]
            over.sort(key=lambda row: row.record.message.expires_at_ms)
            return [self._end(row, Event.EXPIRE, now_ms, Reason.EXPIRED) for row in over[:limit]]

        return self._do("expire", expire)

    def agenda(self) -> "Deferred[Agenda]":
        def agenda() -> Agenda:
            due = [
                row.record.message.deliver_at_ms
                for row in self.rows.values()
                if row.record.state is State.SCHEDULED
            ]
            ends = [row.record.message.expires_at_ms for row in self._live()]
            return Agenda(min(due, default=None), min(ends, default=None))

        return self._do("agenda", agenda)

    def cancel(
        self, message_id: str, now_ms: int
    ) -> "Deferred[tuple[MessageRecord, Ended | None] | None]":
        def cancel() -> tuple[MessageRecord, Ended | None] | None:
            row = self.rows.get(message_id)
            if row is None:
                return None
            if row.record.state in ENDED:
                return row.current(), None
            ended = self._end(row, Event.CANCEL, now_ms, Reason.CANCELLED)
            return ended.record, ended

        return self._do("cancel", cancel)

    def take(self, message_id: str, device: int, now_ms: int) -> "Deferred[Ended | None]":
        def take() -> Ended | None:
            row = self.rows.get(message_id)
            if row is None or row.taken_by is not None or not row.record.message.once:
                return None
            endless = row.record.message.expires_at_ms is None
            if row.record.state is not State.LIVE and not (
                row.record.state is State.DONE and endless
            ):
                return None
            row.taken_by = device
            row.receipts[device] = Receipt(device, Level.ACKED, now_ms)
            return self._end(row, Event.TAKE, now_ms, Reason.TAKEN)

        return self._do("take", take)

    def get(self, message_id: str) -> "Deferred[tuple[MessageRecord, list[DeviceReceipt]] | None]":
        def get() -> tuple[MessageRecord, list[DeviceReceipt]] | None:
            row = self.rows.get(message_id)
            if row is None:
                return None
            receipts = []
            for number, level, at_ms in row.receipts.values():
                device = self.devices[number]
                receipts.append(
                    DeviceReceipt(device.key_id, device.streamer, device.name, level, at_ms)
                )
            return row.current(), receipts

        return self._do("get", get)

    def page(
        self, state: State | None, streamer: str | None, limit: int, cursor: int | None
    ) -> "Deferred[Page]":
        def page() -> Page:
            rows = [
                row
                for row in sorted(self.rows.values(), key=lambda row: -row.number)
                if (state is None or row.record.state is state)
                and (streamer is None or _is_addressed(row.record.message, streamer))
                and (cursor is None or row.number <= cursor)
            ]
            rest = rows[limit:]
            return Page(
                tuple(row.current() for row in rows[:limit]), rest[0].number if rest else None
            )

        return self._do("page", page)

    def note(self, receipts: Mapping[str, Sequence[Receipt]]) -> "Deferred[None]":
        def note() -> None:
            self.noted.append({each: list(some) for each, some in receipts.items()})
            for message_id, some in receipts.items():
                row = self.rows.get(message_id)
                if row is None:
                    continue
                for receipt in some:
                    if row.record.message.once and receipt.level is Level.ACKED:
                        # Who has it is for take() to say.
                        receipt = receipt._replace(level=Level.DELIVERED)
                    earlier = row.receipts.get(receipt.device)
                    known = receipt.device in self.devices
                    if known and (earlier is None or receipt.level > earlier.level):
                        row.receipts[receipt.device] = receipt

        return self._do("note", note)

    def open_device(
        self, key_id: str, streamer: str, name: str | None, now_ms: int
    ) -> "Deferred[Device]":
        def open_device() -> Device:
            named = self.named.setdefault((key_id, streamer), {})
            device = None if name is None else named.pop(name, None)
            if device is None:
                self.count += 1
                device = Device(self.count, key_id, streamer, name)
                self.devices[device.number] = device
            if name is not None:
                named[name] = device
                if len(named) > DEVICES_KEPT:
                    del named[next(iter(named))]
            return device

        return self._do("open_device", open_device)

    def missed(
        self,
        device: int,
        namespace: str,
        rooms: Sequence[str],
        now_ms: int,
        cursor: int | None,
        limit: int,
        since_ms: int | None = None,
    ) -> "Deferred[Missed]":
        def missed() -> Missed:
            rows = [
                row
                for row in sorted(self._live(), key=lambda row: row.live_number)
                if (cursor is None or row.live_number >= cursor)
                and _may_come(row.record.message, namespace, rooms, now_ms)
                and _level(row, device) < Level.DELIVERED
                and (since_ms is None or _at_ms(row, device) < since_ms)
            ]
            rest = rows[limit:]
            messages = tuple(row.record.message for row in rows[:limit])
            return Missed(messages, rest[0].live_number if rest else None)

        return self._do("missed", missed)

    def had(self, message_id: str, devices: Collection[int]) -> "Deferred[list[int]]":
        def had() -> list[int]:
            row = self.rows.get(message_id)
            return [] if row is None else [each for each in devices if each in row.receipts]

        return self._do("had", had)

    def owed(self, device: int, namespace: str) -> "Deferred[list[OwedRevoke]]":
        def owed() -> list[OwedRevoke]:
            known = self.devices.get(device)
            if known is None or known.name is None:
                return []
            if self.named[known.key_id, known.streamer].get(known.name) is not known:
                return []  # It is forgotten.
            return [
                OwedRevoke(row.id, row.reason)
                for row in self.rows.values()
                if row.reason is not None
                and row.record.message.namespace == namespace
                and device in row.receipts
                and device not in row.told
                and device != row.taken_by
            ]

        return self._do("owed", owed)

    def told(self, message_id: str, devices: Sequence[int]) -> "Deferred[None]":
        def told() -> None:
            if message_id in self.rows:
                self.rows[message_id].told.update(devices)

        return self._do("told", told)

    # For tests

    def prune(self, before_ms: int) -> None:
        """Forget what had ended by then."""
        for row in list(self.rows.values()):
            if row.record.ended_at_ms is not None and row.record.ended_at_ms <= before_ms:
                del self.rows[row.id]

    def record(self, message_id: str) -> MessageRecord:
        """A message as it is now."""
        return self.rows[message_id].current()

    def state(self, message_id: str) -> State:
        return self.rows[message_id].record.state

    def report(self, index: int = 0) -> None:
        """Give the answer at ``index`` of those held."""
        deferred, value = self.held.pop(index)
        if isinstance(value, Exception):
            deferred.errback(value)
        else:
            deferred.callback(value)

    def report_all(self) -> None:
        """Give all answers held, also those to what is asked meanwhile."""
        while self.held:
            self.report()

    def _do(self, name, work):
        self.calls.append(name)
        value = StoreUnavailable("no disk") if self.away or name in self.fails else work()
        if self.holds:
            deferred = Deferred()
            self.held.append((deferred, value))
            return deferred
        return fail(value) if isinstance(value, Exception) else succeed(value)

    def _live(self) -> list[Row]:
        return [row for row in self.rows.values() if row.record.state is State.LIVE]

    def _accept(self, record: MessageRecord) -> Kept:
        earlier = self.rows.get(record.message.id)
        if earlier is not None:
            return Kept(earlier.current())
        row = Row(record, self._next())
        self.rows[row.id] = row
        return Kept(record, self._begin(row, record.message.created_at_ms))

    def _claim(self, row: Row, now_ms: int, missed_before_ms: int) -> Due:
        event = claim_event(row.record.message, now_ms, missed_before_ms)
        # It may be claimed a little early: nothing ends before it was due.
        at_ms = max(now_ms, row.record.message.deliver_at_ms)
        row.step(event, at_ms)
        return Due(row.current(), self._begin(row, at_ms))

    def _begin(self, row: Row, now_ms: int) -> tuple[Ended, ...]:
        """A message may have become live or done: number it, and end what it supersedes."""
        message, state = row.record.message, row.record.state
        if state is State.LIVE:
            row.live_number = self._next()
        if message.replace is None or state not in (State.LIVE, State.DONE):
            return ()
        return tuple(
            self._end(other, Event.SUPERSEDE, now_ms, Reason.REPLACED)
            for other in self._live()
            if other is not row and _slot(other.record.message) == _slot(message)
        )

    def _end(self, row: Row, event: Event, now_ms: int, reason: Reason) -> Ended:
        row.step(event, now_ms, reason)
        devices = tuple(each for each in row.receipts if each != row.taken_by)
        return Ended(row.current(), reason, devices)

    def _next(self) -> int:
        self.count += 1
        return self.count


def _is_addressed(message: Message, streamer: str) -> bool:
    by_name = (AudienceKind.STREAMER, AudienceKind.STREAMERS)
    return message.to.kind in by_name and streamer in message.to.names


def _may_come(message: Message, namespace: str, rooms: Sequence[str], now_ms: int) -> bool:
    return (
        message.namespace == namespace
        and bool(set(rooms) & set(rooms_of(message.to)))
        and message.deliver_at_ms <= now_ms < message.expires_at_ms
    )


def _level(row: Row, device: int) -> int:
    receipt = row.receipts.get(device)
    return 0 if receipt is None else receipt.level


def _at_ms(row: Row, device: int) -> int:
    receipt = row.receipts.get(device)
    return 0 if receipt is None else receipt.at_ms


def _slot(message: Message) -> tuple[object, ...]:
    return message.namespace, message.to, message.replace


@implementer(IDelivery)
@attrs.define(eq=False)
class RecordingDelivery:
    """Counts a fixed number of sockets for each message."""

    sockets: int = 1
    delivered: list[Message] = attrs.Factory(list)
    revoked: list[TakenBack] = attrs.Factory(list)
    log: list[str] = attrs.Factory(list)
    """Ids delivered, and revoked ones with a minus, in order."""
    breaks_on: str | None = None
    """The id of a message whose delivery, or revocation, fails."""

    def deliver(self, message: Message) -> int:
        if message.id == self.breaks_on:
            raise RuntimeError("delivery broke")
        self.delivered.append(message)
        self.log.append(message.id)
        return self.sockets

    def revoke(self, taken_back: TakenBack) -> None:
        if taken_back.message_id == self.breaks_on:
            raise RuntimeError("revocation broke")
        self.revoked.append(taken_back)
        self.log.append(f"-{taken_back.message_id}")

    @property
    def ids(self) -> list[str]:
        return [message.id for message in self.delivered]


@attrs.define(eq=False)
class RecordingSchedule:
    """A schedule that nothing is ever due on."""

    due: list[int] = attrs.Factory(list)
    ends: list[int] = attrs.Factory(list)

    def note_due(self, deliver_at_ms: int) -> None:
        self.due.append(deliver_at_ms)

    def note_end(self, expires_at_ms: int) -> None:
        self.ends.append(expires_at_ms)


def claim_event(message: Message, now_ms: int, missed_before_ms: int) -> Event:
    """Return what claiming a scheduled message is, by its end and by since when a node has run."""
    if message.expires_at_ms is None:
        missed = message.deliver_at_ms < missed_before_ms
        return Event.CLAIM_MISSED if missed else Event.CLAIM_ENDLESS
    return Event.CLAIM if message.expires_at_ms > now_ms else Event.CLAIM_LATE
