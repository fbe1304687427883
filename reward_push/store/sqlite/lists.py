"""Messages for who asks what became of them. Everything here runs inside a transaction of the caller."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from ...rewards.interfaces import DeviceReceipt, Level, Page
from ...rewards.message import MessageRecord, State
from .devices import IDENTITY_MASK
from .records import COLUMNS, find, read
from .statements import gather

SCANNED = 10_000
"""How many of a streamer's messages are looked at for one page of those in one state."""

_RECEIPTS = f"""
SELECT json_array(i.key_id, i.streamer, d.name, r.level, r.at_ms) AS found
FROM receipts AS r CROSS JOIN identities AS i ON i.identity = r.device & {IDENTITY_MASK}
LEFT JOIN devices AS d ON d.number = r.device
WHERE r.seq = ? ORDER BY r.device LIMIT -1
"""  # noqa: S608 - a number of ours

_FOUND = f"SELECT json_array({COLUMNS}) AS found"

_ALL = f"{_FOUND} FROM messages AS m WHERE m.seq < ?1 ORDER BY m.seq DESC LIMIT ?2"

_IN_STATE = f"""
{_FOUND} FROM messages AS m WHERE m.state = ?3 AND m.seq < ?1 ORDER BY m.seq DESC LIMIT ?2
"""

_OF_STREAMER = f"""
{_FOUND} FROM addressed AS a CROSS JOIN messages AS m ON m.seq = a.seq
WHERE a.streamer = ?3 AND a.seq < ?1 ORDER BY a.seq DESC LIMIT ?2
"""

_OF_STREAMER_IN_STATE = f"""
{_FOUND} FROM addressed AS a CROSS JOIN messages AS m ON m.seq = a.seq
WHERE a.streamer = ?3 AND a.seq < ?1 AND a.seq >= ?5 AND m.state = ?4
ORDER BY a.seq DESC LIMIT ?2
"""

_HORIZON = """
SELECT seq FROM addressed WHERE streamer = ? AND seq < ? ORDER BY seq DESC LIMIT 1 OFFSET ?
"""

_NEWEST = (1 << 63) - 1


class PageOf(NamedTuple):
    """The arguments of ``IMessageStore.page``."""

    state: State | None
    streamer: str | None
    limit: int
    cursor: int | None


def get(
    connection: sqlite3.Connection, ids: Sequence[str]
) -> list[tuple[MessageRecord, list[DeviceReceipt]] | None]:
    """See ``IMessageStore.get``."""
    rows = find(connection, ids)
    receipts = {
        name: [
            DeviceReceipt(key_id, streamer, device, Level(level), at_ms)
            for key_id, streamer, device, level, at_ms in gather(connection, _RECEIPTS, (row.seq,))
        ]
        for name, row in rows.items()
    }
    return [(rows[name].record, receipts[name]) if name in rows else None for name in ids]


def page(connection: sqlite3.Connection, calls: Sequence[PageOf]) -> list[Page]:
    """See ``IMessageStore.page``."""
    return [_page(connection, call) for call in calls]


def _page(connection: sqlite3.Connection, call: PageOf) -> Page:
    before = _NEWEST if call.cursor is None else call.cursor
    arguments: list[object] = [before, call.limit + 1]
    horizon = None
    if call.streamer is None:
        select = _ALL if call.state is None else _IN_STATE
    elif call.state is None:
        select = _OF_STREAMER
        arguments.append(call.streamer)
    else:
        select = _OF_STREAMER_IN_STATE
        horizon = connection.execute(_HORIZON, (call.streamer, before, SCANNED)).fetchone()
        arguments.append(call.streamer)
    if call.state is not None:
        arguments.append(call.state.value)
    if select is _OF_STREAMER_IN_STATE:
        arguments.append(0 if horizon is None else horizon[0])
    rows = [read(found) for found in gather(connection, select, arguments)]
    shown = rows[: call.limit]
    cursor = None
    if len(rows) > len(shown):
        cursor = shown[-1].seq
    elif horizon is not None:  # There may be more, further down than was looked.
        [cursor] = horizon
    return Page(tuple(row.record for row in shown), cursor)
