"""What a message store does, in the simplest words: dictionaries, one call at a time."""

import attrs

from reward_push.rewards.interfaces import (
    Agenda,
    Due,
    Ended,
    Kept,
    Level,
    OwedRevoke,
    Reason,
)
from reward_push.rewards.message import MessageRecord, Receipts, State
from reward_push.rewards.rooms import rooms_of


@attrs.define
class Entry:
    """A message and all that belongs to it."""

    record: MessageRecord
    reason: Reason | None = None
    live_no: int | None = None
    answered: int = 0
    receipts: dict = attrs.Factory(dict)
    """Device → (level, at_ms)."""

    def now(self) -> MessageRecord:
        counts = [sum(level >= least for level, _ in self.receipts.values()) for least in Level]
        return attrs.evolve(
            self.record, receipts=Receipts(max(self.answered, counts[0]), *counts[1:])
        )


class Model:
    """A store whose devices are numbers that the caller gives; ``named`` are those with a name."""

    def __init__(self, named):
        self._named = set(named)
        self._entries: dict[str, Entry] = {}
        self._owed: set[tuple[int, str]] = set()
        self._live_no = 0

    def accept(self, records):
        kept = []
        for record in records:
            entry = self._entries.get(record.message.id)
            if entry is not None:
                kept.append(Kept(entry.now()))
                continue
            entry = self._entries[record.message.id] = Entry(record)
            superseded = ()
            if record.state is not State.SCHEDULED:
                superseded = self._enter(entry, record.message.created_at_ms)
            kept.append(Kept(record, superseded))
        return kept

    def settle(self, message_id, sent):
        if message_id in self._entries:
            self._entries[message_id].answered = sent

    def claim(self, now_ms, until_ms, missed_before_ms, limit):
        due = [
            each
            for each in self._in(State.SCHEDULED)
            if each.record.message.deliver_at_ms <= until_ms
        ]
        due.sort(key=lambda each: each.record.message.deliver_at_ms)
        return [self._begin(each, now_ms, missed_before_ms) for each in due[:limit]]

    def expire(self, now_ms, limit):
        over = [
            each for each in self._in(State.LIVE) if each.record.message.expires_at_ms <= now_ms
        ]
        over.sort(key=lambda each: each.record.message.expires_at_ms)
        return [self._end(each, State.EXPIRED, Reason.EXPIRED, now_ms) for each in over[:limit]]

    def agenda(self):
        due = [each.record.message.deliver_at_ms for each in self._in(State.SCHEDULED)]
        ends = [each.record.message.expires_at_ms for each in self._in(State.LIVE)]
        return Agenda(min(due, default=None), min(ends, default=None))

    def cancel(self, message_id, now_ms):
        entry = self._entries.get(message_id)
        if entry is None:
            return None
        if entry.record.state not in (State.SCHEDULED, State.LIVE):
            return entry.now(), None
        ended = self._end(entry, State.CANCELLED, Reason.CANCELLED, now_ms)
        return ended.record, ended

    def take(self, message_id, device, now_ms):
        entry = self._entries.get(message_id)
        if entry is None or not entry.record.message.once or entry.reason is not None:
            return None
        endless = entry.record.message.expires_at_ms is None
        if entry.record.state is not (State.DONE if endless else State.LIVE):
            return None
        entry.receipts[device] = (Level.ACKED, now_ms)
        ended_at_ms = now_ms if entry.record.ended_at_ms is None else entry.record.ended_at_ms
        return self._end(entry, State.DONE, Reason.TAKEN, ended_at_ms, winner=device)

    def get(self, message_id):
        """Levels and times by device, instead of who the devices are."""
        entry = self._entries.get(message_id)
        return None if entry is None else (entry.now(), sorted(entry.receipts.values()))

    def page(self, state, streamer, limit, cursor):
        """The ids of the page that begins after ``cursor`` messages, and whether there is more."""
        found = [
            name
            for name, each in reversed(self._entries.items())
            if state in (None, each.record.state)
            and (streamer is None or f"streamer:{streamer}" in rooms_of(each.record.message.to))
        ]
        return found[:limit], len(found) > limit

    def note(self, receipts):
        """The (message, device) that came too late."""
        late = []
        for name, of_message in receipts.items():
            entry = self._entries.get(name)
            if entry is None:
                continue
            for device, level, at_ms in of_message:
                if entry.record.message.once:
                    level = min(level, Level.DELIVERED)
                if device not in entry.receipts and entry.reason:
                    late.append((name, device))
                    if device in self._named:
                        self._owed.add((device, name))
                if level > entry.receipts.get(device, (0, 0))[0]:
                    entry.receipts[device] = (level, at_ms)
        return sorted(late)

    def missed(self, device, namespace, rooms, now_ms, limit, since_ms):
        """The first page, and whether there is more."""
        found = [
            each
            for each in self._in(State.LIVE)
            if each.record.message.namespace == namespace
            and set(rooms) & set(rooms_of(each.record.message.to))
            and now_ms < each.record.message.expires_at_ms
            and each.receipts.get(device, (0, 0))[0] < Level.DELIVERED
            and not (since_ms is not None and each.receipts.get(device, (0, -1))[1] >= since_ms)
        ]
        found.sort(key=lambda each: each.live_no)
        messages = tuple(each.record.message for each in found[:limit])
        return messages, len(found) > limit

    def had(self, message_id, devices):
        entry = self._entries.get(message_id)
        return [] if entry is None else sorted(set(devices) & set(entry.receipts))

    def owed(self, device, namespace):
        return sorted(
            OwedRevoke(name, self._entries[name].reason)
            for whose, name in self._owed
            if whose == device and self._entries[name].record.message.namespace == namespace
        )

    def told(self, message_id, devices):
        self._owed -= {(device, message_id) for device in devices}

    def _in(self, state):
        return [each for each in self._entries.values() if each.record.state is state]

    def _begin(self, entry, now_ms, missed_before_ms):
        message = entry.record.message
        at_ms = max(now_ms, message.deliver_at_ms)
        endless = message.expires_at_ms is None
        if endless or message.expires_at_ms <= now_ms:
            late = not endless or message.deliver_at_ms < missed_before_ms
            state = State.EXPIRED if late else State.DONE
            entry.record = attrs.evolve(entry.record, state=state, ended_at_ms=at_ms)
            superseded = () if late else self._enter(entry, at_ms)
            return Due(entry.now(), superseded)
        entry.record = attrs.evolve(entry.record, state=State.LIVE)
        return Due(entry.now(), self._enter(entry, at_ms))

    def _enter(self, entry, at_ms):
        if entry.record.state is State.LIVE:
            self._live_no += 1
            entry.live_no = self._live_no
        mine = entry.record.message
        if mine.replace is None:
            return ()
        return tuple(
            self._end(each, State.CANCELLED, Reason.REPLACED, at_ms)
            for each in self._in(State.LIVE)
            if each is not entry
            for other in [each.record.message]
            if (other.namespace, other.to, other.replace) == (mine.namespace, mine.to, mine.replace)
        )

    def _end(self, entry, state, reason, at_ms, winner=None):
        entry.record = attrs.evolve(entry.record, state=state, ended_at_ms=at_ms)
        entry.reason = reason
        devices = tuple(sorted(each for each in entry.receipts if each != winner))
        name = entry.record.message.id
        self._owed |= {(each, name) for each in devices if each in self._named}
        return Ended(entry.now(), reason, devices)
