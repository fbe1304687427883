"""Forgetting messages that ended long ago, in small pieces. All inside a transaction of the caller.

Devices stay: of a key and streamer there are no more than ``devices.KEPT``, and what one of them has had
must be known for as long as a message may live.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .statements import gather, write

_ENDED = """
SELECT json_array(seq, sent, audience) AS found FROM messages
WHERE ended_at_ms <= ? ORDER BY ended_at_ms LIMIT ?
"""

_DELETE_OWED = """
DELETE FROM owed WHERE (device, seq) IN
    (SELECT device, seq FROM receipts WHERE seq IN (VALUES {rows}))
"""
_DELETE_RECEIPTS = "DELETE FROM receipts WHERE seq IN (VALUES {rows})"
_DELETE_ADDRESSED = """
WITH given (streamer, seq) AS (VALUES {rows})
DELETE FROM addressed WHERE (streamer, seq) IN (SELECT CAST(streamer AS TEXT), seq FROM given)
"""
_DELETE_MESSAGES = "DELETE FROM messages WHERE seq IN (VALUES {rows})"

_DELETE_SOME_OWED = """
DELETE FROM owed WHERE (device, seq) IN
    (SELECT device, seq FROM receipts WHERE seq = ? ORDER BY device LIMIT ?)
"""
_DELETE_SOME_RECEIPTS = """
DELETE FROM receipts WHERE (seq, device) IN
    (SELECT seq, device FROM receipts WHERE seq = ? ORDER BY device LIMIT ?)
"""
_COUNT_FEWER = "UPDATE messages SET sent = sent - ? WHERE seq = ?"


class Pruning(NamedTuple):
    """What may go in one transaction."""

    before_ms: int
    """Messages that ended by then."""
    messages: int
    receipts: int


def prune(connection: sqlite3.Connection, calls: Sequence[Pruning]) -> list[bool]:
    """Remove messages with all that belongs to them; tell whether there is more to be removed.

    Of a message with more receipts than may go at once, receipts go first.
    """
    return [_prune(connection, call) for call in calls]


def _prune(connection: sqlite3.Connection, call: Pruning) -> bool:
    left = call.receipts
    gone: list[tuple[int]] = []
    addressed: list[tuple[str, int]] = []
    found = gather(connection, _ENDED, (call.before_ms, call.messages))
    for seq, sent, audience in found:
        if sent > left:
            _thin_out(connection, seq, left)
            break
        left -= sent
        gone.append((seq,))
        addressed += [(streamer, seq) for streamer in _streamers(audience)]
    write(connection, _DELETE_OWED, gone)
    write(connection, _DELETE_RECEIPTS, gone)
    write(connection, _DELETE_ADDRESSED, addressed)
    write(connection, _DELETE_MESSAGES, gone)
    return len(gone) < len(found) or len(found) == call.messages


def _thin_out(connection: sqlite3.Connection, seq: int, count: int) -> None:
    connection.execute(_DELETE_SOME_OWED, (seq, count))
    removed = connection.execute(_DELETE_SOME_RECEIPTS, (seq, count)).rowcount
    connection.execute(_COUNT_FEWER, (removed, seq))


def _streamers(audience: str) -> Iterator[str]:
    to = json.loads(audience)
    if isinstance(to, dict):
        yield from to.get("streamers", ())
        if "streamer" in to:
            yield to["streamer"]
