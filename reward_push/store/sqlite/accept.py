"""New messages. Everything here runs inside a transaction of the caller."""

import sqlite3
from collections.abc import Sequence

from ...rewards.interfaces import Kept
from ...rewards.message import MessageRecord, State
from . import live
from .records import find, streamers_of, values
from .statements import write

_INSERT = """
INSERT INTO messages (seq, id, namespace, state, created_at_ms, deliver_at_ms, expires_at_ms,
    ended_at_ms, once, replace_slot, live_no, answered, audience, digest, body)
VALUES {rows} ON CONFLICT (id) DO NOTHING
"""

_ADDRESS = "INSERT OR IGNORE INTO addressed (streamer, seq) VALUES {rows}"

_SETTLE = """
WITH given (id, sent) AS (VALUES {rows})
UPDATE messages SET answered = given.sent FROM given WHERE messages.id = given.id
"""


def accept(
    connection: sqlite3.Connection, calls: Sequence[Sequence[MessageRecord]]
) -> list[list[Kept]]:
    """Insert the records whose id is new; return what is now kept under each record's id.

    See ``IMessageStore.accept``. A record handed in a second time here is the first one, as it has become.
    """
    kept: dict[str, MessageRecord] = {}
    for records in calls:
        for record in records:
            kept.setdefault(record.message.id, record)
    earlier = _insert(connection, list(kept.values()))
    kept.update(earlier)
    superseded = live.supersede(
        connection,
        [
            (record.message, record.message.created_at_ms)
            for name, record in kept.items()
            if record.state is not State.SCHEDULED and name not in earlier
        ],
    )
    answers: list[list[Kept]] = []
    for records in calls:
        answers.append([])
        for record in records:
            # Only the first of an id has superseded anything.
            ended = superseded.pop(record.message.id, ())
            answers[-1].append(Kept(kept[record.message.id], ended))
            for each in ended:  # From here on that is what became of them.
                name = each.record.message.id
                if name in kept:
                    kept[name] = each.record
    return answers


def settle(connection: sqlite3.Connection, calls: Sequence[tuple[str, int]]) -> list[None]:
    """Note for each ``(message_id, sent)`` how many sockets the first answer spoke of."""
    write(connection, _SETTLE, list(dict(calls).items()))
    return [None] * len(calls)


def _insert(
    connection: sqlite3.Connection, records: Sequence[MessageRecord]
) -> dict[str, MessageRecord]:
    """Insert those of ``records`` (different ids) that are new; return the others' earlier records."""
    [last] = connection.execute("SELECT max(seq) FROM messages").fetchone()
    seqs = range((last or 0) + 1, (last or 0) + 1 + len(records))
    lively = [record.message.id for record in records if record.state is State.LIVE]
    live_nos: dict[str, int] = {}
    if lively:
        first = live.next_numbers(connection, len(lively))
        live_nos = dict(zip(lively, range(first, first + len(lively)), strict=True))
    rows = [
        values(record, seq, live_nos.get(record.message.id))
        for record, seq in zip(records, seqs, strict=True)
    ]
    earlier: dict[str, MessageRecord] = {}
    if write(connection, _INSERT, rows) < len(rows):  # Nearly always all are new.
        found = find(connection, [record.message.id for record in records])
        earlier = {name: row.record for name, row in found.items() if row.seq < seqs.start}
    _index(
        connection,
        [
            (record, seq, live_nos.get(record.message.id))
            for record, seq in zip(records, seqs, strict=True)
            if record.message.id not in earlier
        ],
    )
    return earlier


def _index(
    connection: sqlite3.Connection, fresh: Sequence[tuple[MessageRecord, int, int | None]]
) -> None:
    """Make new messages findable by whom they are for."""
    write(
        connection,
        _ADDRESS,
        [(name, seq) for record, seq, _ in fresh for name in streamers_of(record.message.to)],
    )
    live.enter(
        connection,
        [(live_no, seq, record.message) for record, seq, live_no in fresh if live_no is not None],
    )
