"""What becomes of messages: due, over, cancelled, taken. All inside a transaction of the caller."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import attrs

from ...rewards.interfaces import Agenda, Due, Ended, Level, Reason
from ...rewards.message import MessageRecord, State
from . import live
from .live import Ending, Move
from .receipts import Step, advance
from .records import COLUMNS, Row, find, read
from .statements import gather

_NEXT = """
SELECT (SELECT min(deliver_at_ms) FROM messages INDEXED BY messages_due WHERE state = 'scheduled'),
    (SELECT min(expires_at_ms) FROM messages INDEXED BY messages_over WHERE state = 'live')
"""

_DUE = f"""
SELECT json_array({COLUMNS}) AS found FROM messages AS m INDEXED BY messages_due
WHERE m.state = 'scheduled' AND m.deliver_at_ms <= ? ORDER BY m.deliver_at_ms, m.seq LIMIT ?
"""  # noqa: S608 - our own columns

_OVER = f"""
SELECT json_array({COLUMNS}) AS found FROM messages AS m INDEXED BY messages_over
WHERE m.state = 'live' AND m.expires_at_ms <= ? ORDER BY m.expires_at_ms, m.seq LIMIT ?
"""  # noqa: S608 - our own columns


class Claim(NamedTuple):
    """The arguments of ``IMessageStore.claim``."""

    now_ms: int
    until_ms: int
    missed_before_ms: int
    limit: int


class Take(NamedTuple):
    """The arguments of ``IMessageStore.take``."""

    message_id: str
    device: int
    now_ms: int


def agenda(connection: sqlite3.Connection, calls: Sequence[None]) -> list[Agenda]:
    """See ``IMessageStore.agenda``."""
    [row] = connection.execute(_NEXT).fetchall()
    return [Agenda(*row)] * len(calls)


def claim(connection: sqlite3.Connection, calls: Sequence[Claim]) -> list[list[Due]]:
    """See ``IMessageStore.claim``."""
    return [_claim(connection, call) for call in calls]


def expire(connection: sqlite3.Connection, calls: Sequence[tuple[int, int]]) -> list[list[Ended]]:
    """For each ``(now_ms, limit)``, see ``IMessageStore.expire``."""
    answers = []
    for now_ms, limit in calls:
        rows = map(read, gather(connection, _OVER, (now_ms, limit)))
        endings = [Ending(row, State.EXPIRED, Reason.EXPIRED, now_ms) for row in rows]
        answers.append(live.end(connection, endings))
    return answers


def cancel(
    connection: sqlite3.Connection, calls: Sequence[tuple[str, int]]
) -> list[tuple[MessageRecord, Ended | None] | None]:
    """For each ``(message_id, now_ms)``, see ``IMessageStore.cancel``."""
    rows = find(connection, [message_id for message_id, _ in calls])
    endings: dict[str, Ending] = {}
    for message_id, now_ms in calls:
        row = rows.get(message_id)
        if row is not None and row.record.state in (State.SCHEDULED, State.LIVE):
            endings.setdefault(message_id, Ending(row, State.CANCELLED, Reason.CANCELLED, now_ms))
    ended = live.end(connection, list(endings.values()))
    by_this = {each.record.message.id: each for each in ended}
    records = {name: row.record for name, row in rows.items()}
    records.update({name: each.record for name, each in by_this.items()})
    return [
        (records[message_id], by_this.pop(message_id, None)) if message_id in records else None
        for message_id, _ in calls
    ]


def take(connection: sqlite3.Connection, calls: Sequence[Take]) -> list[Ended | None]:
    """See ``IMessageStore.take``."""
    rows = find(connection, [call.message_id for call in calls])
    winners: dict[str, int] = {}
    for place, call in enumerate(calls):
        row = rows.get(call.message_id)
        if row is not None and _to_be_had(row):
            winners.setdefault(call.message_id, place)
    won = [calls[place] for place in winners.values()]
    advance(
        connection,
        [Step(rows[call.message_id].seq, call.device, Level.ACKED, call.now_ms) for call in won],
    )
    rows = find(connection, winners)
    endings = [
        Ending(rows[call.message_id], State.DONE, Reason.TAKEN, _ended_at(call, rows), call.device)
        for call in won
    ]
    answers: list[Ended | None] = [None] * len(calls)
    for place, ended in zip(winners.values(), live.end(connection, endings), strict=True):
        answers[place] = ended
    return answers


def _claim(connection: sqlite3.Connection, call: Claim) -> list[Due]:
    rows = [read(found) for found in gather(connection, _DUE, (call.until_ms, call.limit))]
    moves = [_move(row, call) for row in rows]
    count = sum(each.state is State.LIVE for each in moves)
    if count:
        numbers = iter(range(first := live.next_numbers(connection, count), first + count))
        moves = [
            each._replace(live_no=next(numbers)) if each.state is State.LIVE else each
            for each in moves
        ]
    live.move(connection, moves)
    messages = [row.record.message for row in rows]
    live.enter(
        connection,
        [
            (each.live_no, each.seq, message)
            for message, each in zip(messages, moves, strict=True)
            if each.live_no is not None
        ],
    )
    superseded = live.supersede(
        connection,
        [
            (message, max(call.now_ms, message.deliver_at_ms))
            for message, each in zip(messages, moves, strict=True)
            if each.state in (State.LIVE, State.DONE)
        ],
    )
    return [
        Due(
            attrs.evolve(row.record, state=each.state, ended_at_ms=each.ended_at_ms),
            superseded.get(row.record.message.id, ()),
        )
        for row, each in zip(rows, moves, strict=True)
    ]


def _move(row: Row, call: Claim) -> Move:
    """Decide what becomes of a message that is due."""
    message = row.record.message
    # It may be claimed a little early: nothing has ended before it was due.
    at_ms = max(call.now_ms, message.deliver_at_ms)
    if message.expires_at_ms is None:
        if message.deliver_at_ms < call.missed_before_ms:
            return Move(row.seq, State.EXPIRED, at_ms)
        return Move(row.seq, State.DONE, at_ms)
    if message.expires_at_ms <= call.now_ms:
        return Move(row.seq, State.EXPIRED, at_ms)
    return Move(row.seq, State.LIVE)


def _to_be_had(row: Row) -> bool:
    """Whether a device that acknowledges a message now is the first to."""
    message = row.record.message
    if not message.once or row.reason is not None:
        return False
    # One without an end is done since it was sent.
    return row.record.state is (State.DONE if message.expires_at_ms is None else State.LIVE)


def _ended_at(call: Take, rows: dict[str, Row]) -> int:
    ended_at_ms = rows[call.message_id].record.ended_at_ms
    return call.now_ms if ended_at_ms is None else ended_at_ms
