"""Messages that become live, that supersede, and that end. All inside a transaction of the caller."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import attrs

from ...rewards.interfaces import Ended, Reason
from ...rewards.message import Message, State
from ...rewards.rooms import rooms_of
from ..bodies import slot
from . import counters
from .records import COLUMNS, Row, read
from .statements import gather_for, write

_ENTER = "INSERT OR IGNORE INTO live_rooms (namespace, room, live_no, seq) VALUES {rows}"

_LEAVE = """
WITH given (namespace, room, live_no) AS (VALUES {rows})
DELETE FROM live_rooms WHERE (namespace, room, live_no) IN
    (SELECT CAST(namespace AS TEXT), CAST(room AS TEXT), live_no FROM given)
"""

_MOVE = """
WITH given (seq, state, ended_at_ms, end_reason, live_no) AS (VALUES {rows})
UPDATE messages SET state = given.state, ended_at_ms = given.ended_at_ms,
    end_reason = given.end_reason, live_no = given.live_no
FROM given WHERE messages.seq = given.seq
"""

_HOLDERS = f"""
SELECT json_array({COLUMNS}) AS found FROM messages AS m INDEXED BY messages_slot
WHERE m.state = 'live' AND m.replace_slot IN (VALUES {{rows}})
"""  # noqa: S608 - our own columns

_HAD = """
WITH given (seq, winner) AS (VALUES {rows})
SELECT json_array(given.seq, group_concat(r.device)) AS found
FROM given JOIN receipts AS r ON r.seq = given.seq
WHERE r.device IS NOT given.winner GROUP BY given.seq
"""

_OWE = """
WITH given (seq, winner) AS (VALUES {rows})
INSERT OR IGNORE INTO owed (device, seq)
SELECT r.device, r.seq
FROM given JOIN receipts AS r ON r.seq = given.seq JOIN devices AS d ON d.number = r.device
WHERE r.device IS NOT given.winner
"""


class Move(NamedTuple):
    """A new state of the message in row ``seq``."""

    seq: int
    state: State
    ended_at_ms: int | None = None
    reason: Reason | None = None
    live_no: int | None = None


class Ending(NamedTuple):
    """A message that is taken back."""

    row: Row
    state: State
    reason: Reason
    at_ms: int
    winner: int | None = None
    """The device that is not to be told, because it took the message."""


def next_numbers(connection: sqlite3.Connection, count: int) -> int:
    """Take ``count`` places among the live ones; return the first."""
    return counters.take(connection, "live", count)


def enter(connection: sqlite3.Connection, newcomers: Iterable[tuple[int, int, Message]]) -> None:
    """Make messages findable for a replay: each with its ``live_no`` and ``seq``."""
    rows = [
        (message.namespace, room, live_no, seq)
        for live_no, seq, message in newcomers
        for room in rooms_of(message.to)
    ]
    write(connection, _ENTER, rows)


def move(connection: sqlite3.Connection, moves: Sequence[Move]) -> None:
    """Give messages new states."""
    write(connection, _MOVE, moves)


def supersede(
    connection: sqlite3.Connection, newcomers: Sequence[tuple[Message, int]]
) -> dict[str, tuple[Ended, ...]]:
    """End what each newcomer replaces, its predecessors in this call among them.

    A newcomer is a message that became live or done, in its row already, with the time at which it did.
    Returns what ended by the newcomer's id.
    """
    slots = {message.id: of for message, _ in newcomers if (of := slot(message)) is not None}
    holders: dict[bytes | None, list[Row]] = {}
    own: dict[str, Row] = {}
    wanted = [(each,) for each in dict.fromkeys(slots.values())]
    for row in map(read, gather_for(connection, _HOLDERS, wanted)):
        message = row.record.message
        if message.id in slots:
            own[message.id] = row
        else:
            holders.setdefault(slot(message), []).append(row)
    endings: list[Ending] = []
    by: list[str] = []
    for message, at_ms in newcomers:
        if message.id not in slots:
            continue
        before = holders.pop(slots[message.id], [])
        endings += [Ending(each, State.CANCELLED, Reason.REPLACED, at_ms) for each in before]
        by += [message.id] * len(before)
        if message.id in own:  # It is live; one without an end has gone by already.
            holders[slots[message.id]] = [own[message.id]]
    superseded: dict[str, tuple[Ended, ...]] = {}
    for newcomer, ended in zip(by, end(connection, endings), strict=True):
        superseded[newcomer] = (*superseded.get(newcomer, ()), ended)
    return superseded


def end(connection: sqlite3.Connection, endings: Sequence[Ending]) -> list[Ended]:
    """Take messages back; the revoke is owed to the named devices that had them from now on."""
    rows = [each.row for each in endings]
    move(
        connection,
        [Move(each.row.seq, each.state, each.at_ms, each.reason) for each in endings],
    )
    write(
        connection,
        _LEAVE,
        [
            (row.record.message.namespace, room, row.live_no)
            for row in rows
            if row.live_no is not None
            for room in rooms_of(row.record.message.to)
        ],
    )
    # Most have been sent to nobody: those are not looked up.
    had_by_some = [(each.row.seq, each.winner) for each in endings if each.row.record.receipts.sent]
    had = {
        seq: tuple(map(int, devices.split(",")))
        for seq, devices in gather_for(connection, _HAD, had_by_some)
    }
    write(connection, _OWE, had_by_some)
    return [
        Ended(
            attrs.evolve(each.row.record, state=each.state, ended_at_ms=each.at_ms),
            each.reason,
            had.get(each.row.seq, ()),
        )
        for each in endings
    ]
