"""What a device that connects has missed. Everything here runs inside a transaction of the caller.

Many come at once, after a network or a node was away: they share the statements, and the messages.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ...rewards.interfaces import Missed, OwedRevoke, Reason
from ...rewards.message import Message
from ..bodies import shared_message_of
from .statements import gather_for, write

_MISSED = """
WITH given (asker, device, namespace, room, after, since_ms, now_ms) AS (VALUES {{rows}})
SELECT json_array(given.asker, l.live_no, l.seq) AS found
FROM given CROSS JOIN live_rooms AS l
WHERE l.namespace = given.namespace AND l.room = given.room AND l.live_no IN (
    SELECT x.live_no FROM live_rooms AS x CROSS JOIN messages AS m ON m.seq = x.seq
    WHERE x.namespace = given.namespace AND x.room = given.room AND x.live_no > given.after
        AND m.expires_at_ms > given.now_ms
        AND NOT EXISTS (
            SELECT 1 FROM receipts AS r
            WHERE r.seq = x.seq AND r.device = given.device
                AND (r.level >= 2 OR r.at_ms >= given.since_ms))
    ORDER BY x.live_no LIMIT {limit})
"""

_BODIES = "SELECT json_array(seq, body) AS found FROM messages WHERE seq IN (VALUES {rows})"

_OWED = """
WITH given (asker, device, namespace) AS (VALUES {rows})
SELECT json_array(given.asker, m.id, m.end_reason) AS found
FROM given CROSS JOIN owed AS o ON o.device = given.device CROSS JOIN messages AS m ON m.seq = o.seq
WHERE m.namespace = given.namespace
"""

_TOLD = """
WITH given (device, id) AS (VALUES {rows})
DELETE FROM owed WHERE (device, seq) IN
    (SELECT given.device, m.seq FROM given CROSS JOIN messages AS m ON m.id = given.id)
"""


_HAD = """
WITH given (asker, id, device) AS (VALUES {rows})
SELECT json_array(given.asker, r.device) AS found
FROM given CROSS JOIN messages AS m ON m.id = given.id
CROSS JOIN receipts AS r ON r.seq = m.seq AND r.device = given.device
"""


class Asking(NamedTuple):
    """The arguments of ``IMessageStore.missed``."""

    device: int
    namespace: str
    rooms: Sequence[str]
    now_ms: int
    cursor: int | None
    limit: int
    since_ms: int | None = None


def missed(connection: sqlite3.Connection, calls: Sequence[Asking]) -> list[Missed]:
    """See ``IMessageStore.missed``."""
    # SQLite's LIMIT takes no column. It is the same for all, nearly always: one text, so that it is compiled once.
    askers: dict[int, list[int]] = {}
    for asker, call in enumerate(calls):
        askers.setdefault(call.limit, []).append(asker)
    found: list[dict[int, int]] = [{} for _ in calls]
    for limit, some in askers.items():
        rows = [
            (
                *(asker, call.device, call.namespace, room),
                *(call.cursor or 0, call.since_ms, call.now_ms),
            )
            for asker in some
            for call in [calls[asker]]
            for room in dict.fromkeys(call.rooms)
        ]
        # One more than a page tells whether it is the last.
        select = _MISSED.format(limit=int(limit) + 1)
        for asker, live_no, seq in gather_for(connection, select, rows):
            found[asker][live_no] = seq
    pages = [
        sorted(of_call.items())[: call.limit] for of_call, call in zip(found, calls, strict=True)
    ]
    messages = _messages(connection, {seq for page in pages for _, seq in page})
    return [
        Missed(
            tuple(messages[seq] for _, seq in page),
            page[-1][0] if len(of_call) > len(page) else None,
        )
        for page, of_call in zip(pages, found, strict=True)
    ]


def owed(
    connection: sqlite3.Connection, calls: Sequence[tuple[int, str]]
) -> list[list[OwedRevoke]]:
    """For each ``(device, namespace)``, see ``IMessageStore.owed``."""
    answers: list[list[OwedRevoke]] = [[] for _ in calls]
    rows = [(asker, *call) for asker, call in enumerate(calls)]
    for asker, name, reason in gather_for(connection, _OWED, rows):
        answers[asker].append(OwedRevoke(name, Reason(reason)))
    return answers


def told(connection: sqlite3.Connection, calls: Sequence[tuple[str, Sequence[int]]]) -> list[None]:
    """For each ``(message_id, devices)``, see ``IMessageStore.told``."""
    write(connection, _TOLD, [(device, name) for name, devices in calls for device in devices])
    return [None] * len(calls)


def had(
    connection: sqlite3.Connection, calls: Sequence[tuple[str, Sequence[int]]]
) -> list[list[int]]:
    """For each ``(message_id, devices)``, see ``IMessageStore.had``."""
    answers: list[list[int]] = [[] for _ in calls]
    rows = [
        (asker, message_id, device)
        for asker, (message_id, devices) in enumerate(calls)
        for device in devices
    ]
    for asker, device in gather_for(connection, _HAD, rows):
        answers[asker].append(device)
    return answers


def _messages(connection: sqlite3.Connection, seqs: Iterable[int]) -> dict[int, Message]:
    rows = gather_for(connection, _BODIES, [(seq,) for seq in seqs])
    return {seq: shared_message_of(body) for seq, body in rows}
