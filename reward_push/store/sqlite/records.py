"""Messages as rows of the table, and back."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ...rewards.interfaces import Reason
from ...rewards.message import (
    Audience,
    AudienceKind,
    MessageRecord,
    Receipts,
    State,
)
from ..bodies import body_of, compact, message_of, slot
from .statements import gather_for

COLUMNS = """m.seq, m.live_no, m.state, m.ended_at_ms, m.end_reason, max(m.answered, m.sent),
    m.delivered, m.acked, hex(m.digest), m.body"""
"""What :func:`read` takes, of ``messages AS m``."""

_BY_ID = f"""
SELECT json_array({COLUMNS}) AS found FROM messages AS m WHERE m.id IN (VALUES {{rows}})
"""  # noqa: S608 - our own columns


class Row(NamedTuple):
    """A message as it is in the table."""

    seq: int
    live_no: int | None
    """Its place among the live ones, in the order in which they became live; ``None``: it is not live."""
    reason: Reason | None
    """Why it was taken back, if it was."""
    record: MessageRecord


def read(columns: Sequence[Any]) -> Row:
    """Make the row of ``COLUMNS``."""
    seq, live_no, state, ended_at_ms, reason, sent, delivered, acked, digest, body = columns
    record = MessageRecord(
        message=message_of(body),
        digest=bytes.fromhex(digest),
        state=State(state),
        receipts=Receipts(sent, delivered, acked),
        ended_at_ms=ended_at_ms,
    )
    return Row(seq, live_no, None if reason is None else Reason(reason), record)


def find(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, Row]:
    """Return the rows of those of ``ids`` that there are, by id."""
    wanted = [(each,) for each in dict.fromkeys(ids)]
    rows = map(read, gather_for(connection, _BY_ID, wanted))
    return {row.record.message.id: row for row in rows}


def values(record: MessageRecord, seq: int, live_no: int | None) -> tuple[Any, ...]:
    """Return what a new record is inserted as."""
    message = record.message
    return (
        seq,
        message.id,
        message.namespace,
        record.state.value,
        message.created_at_ms,
        message.deliver_at_ms,
        message.expires_at_ms,
        record.ended_at_ms,
        message.once,
        slot(message),
        live_no,
        record.receipts.sent,
        compact(message.to.to_json()),
        record.digest,
        body_of(message),
    )


def streamers_of(audience: Audience) -> tuple[str, ...]:
    """Return the streamers whom an audience names."""
    named = audience.kind in (AudienceKind.STREAMER, AudienceKind.STREAMERS)
    return audience.names if named else ()
