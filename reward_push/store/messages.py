"""Messages in SQLite. Everything here runs inside a transaction of the caller."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from ..rewards.message import (
    MessageRecord,
    Receipts,
    State,
    message_from_json,
    message_to_json,
)

T = TypeVar("T")

_INSERT = """
INSERT INTO messages (id, namespace, state, created_at_ms, deliver_at_ms, expires_at_ms, ended_at_ms,
    sent, delivered, acked, digest, body)
VALUES {values}
"""

_SELECT = """
SELECT state, ended_at_ms, sent, delivered, acked, digest, body
FROM messages WHERE id IN (VALUES {ids})
"""

_UPDATE = """
UPDATE messages SET state = new.column2, ended_at_ms = new.column3,
    sent = new.column4, delivered = new.column5, acked = new.column6
FROM (VALUES {values}) AS new WHERE messages.id = new.column1
"""

_PRUNE = """
DELETE FROM messages WHERE seq IN
    (SELECT seq FROM messages WHERE ended_at_ms <= ? ORDER BY ended_at_ms LIMIT ?)
"""

_SIZES = (64, 16, 4, 1)
"""Rows a statement: few shapes, so that each is compiled once and kept, and within 999 parameters."""


def accept(
    connection: sqlite3.Connection, calls: Sequence[Sequence[MessageRecord]]
) -> list[list[MessageRecord]]:
    """Insert the records whose id is new; return what is now kept under each record's id.

    That is the record itself when it was new, else the earlier one.
    """
    kept: dict[str, MessageRecord] = {}
    for records in calls:
        for record in records:
            kept.setdefault(record.message.id, record)
    for some in _slices(list(kept.values())):
        kept.update(_insert(connection, some))
    return [[kept[record.message.id] for record in records] for records in calls]


def settle(connection: sqlite3.Connection, records: Sequence[MessageRecord]) -> list[None]:
    """Update state, end and receipts. Of several records under one id the last counts."""
    last = {record.message.id: record for record in records}
    for some in _slices(list(last.values())):
        connection.execute(
            _UPDATE.format(values=_places(len(some), 6)),
            [value for record in some for value in _settled(record)],
        )
    return [None] * len(records)


def prune(connection: sqlite3.Connection, calls: Sequence[tuple[int, int]]) -> list[int]:
    """For each ``(before_ms, limit)`` remove up to ``limit`` messages ended by then; return how many."""
    return [connection.execute(_PRUNE, call).rowcount for call in calls]


def _insert(
    connection: sqlite3.Connection, records: Sequence[MessageRecord]
) -> dict[str, MessageRecord]:
    """Insert those of ``records`` (different ids) that are new; return the others' earlier records."""
    rows = [_row(record) for record in records]
    try:
        _insert_rows(connection, rows)
    except sqlite3.IntegrityError:  # It has undone the whole statement. Nearly always all are new.
        earlier = _find(connection, [record.message.id for record in records])
        if not earlier:
            raise
        for some in _slices([row for row in rows if row[0] not in earlier]):
            _insert_rows(connection, some)
        return earlier
    return {}


def _insert_rows(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    connection.execute(
        _INSERT.format(values=_places(len(rows), 12)),
        [value for row in rows for value in row],
    )


def _find(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, MessageRecord]:
    found = connection.execute(_SELECT.format(ids=_places(len(ids), 1)), ids)
    return {record.message.id: record for record in map(_record, found)}


def _row(record: MessageRecord) -> tuple[Any, ...]:
    message, receipts = record.message, record.receipts
    return (
        message.id,
        message.namespace,
        record.state.value,
        message.created_at_ms,
        message.deliver_at_ms,
        message.expires_at_ms,
        record.ended_at_ms,
        receipts.sent,
        receipts.delivered,
        receipts.acked,
        record.digest,
        json.dumps(message_to_json(message), ensure_ascii=False, separators=(",", ":")),
    )


def _record(row: tuple[Any, ...]) -> MessageRecord:
    state, ended_at_ms, sent, delivered, acked, digest, body = row
    return MessageRecord(
        message=message_from_json(json.loads(body)),
        digest=digest,
        state=State(state),
        receipts=Receipts(sent, delivered, acked),
        ended_at_ms=ended_at_ms,
    )


def _settled(record: MessageRecord) -> tuple[Any, ...]:
    receipts = record.receipts
    return (
        record.message.id,
        record.state.value,
        record.ended_at_ms,
        receipts.sent,
        receipts.delivered,
        receipts.acked,
    )


def _places(rows: int, columns: int) -> str:
    """Return the parameter markers of ``rows`` rows."""
    row = "(" + ", ".join("?" * columns) + ")"
    return ", ".join([row] * rows)


def _slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut ``items`` into slices of the lengths in ``_SIZES``."""
    start = 0
    for size in _SIZES:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size
