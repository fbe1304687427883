"""How far messages have come with devices. Everything here runs inside a transaction of the caller.

A row is written again at each level, and never goes back. The counts in the message's own row are kept
with it, so that nobody has to count.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ...rewards.interfaces import Latecomer, Level, Reason, Receipt
from .statements import gather_for, write

_MESSAGES = """
SELECT json_array(id, seq, once, namespace, end_reason) AS found
FROM messages WHERE id IN (VALUES {rows})
"""

_RAISED = """
WITH given (seq, device, level, at_ms) AS (VALUES {rows})
SELECT json_array(given.seq, coalesce(r.level, 0), given.level, count(*)) AS found
FROM given LEFT JOIN receipts AS r ON r.seq = given.seq AND r.device = given.device
WHERE given.level > coalesce(r.level, 0) GROUP BY given.seq, r.level, given.level
"""

_UPSERT = """
INSERT INTO receipts (seq, device, level, at_ms) VALUES {rows}
ON CONFLICT (seq, device) DO UPDATE SET level = excluded.level, at_ms = excluded.at_ms
WHERE excluded.level > level
"""

_COUNT = """
WITH given (seq, sent, delivered, acked) AS (VALUES {rows})
UPDATE messages SET sent = messages.sent + given.sent,
    delivered = messages.delivered + given.delivered, acked = messages.acked + given.acked
FROM given WHERE messages.seq = given.seq
"""

_LATE = """
WITH given (seq, device) AS (VALUES {rows})
SELECT json_array(given.seq, given.device) AS found FROM given
WHERE NOT EXISTS (SELECT 1 FROM receipts AS r WHERE r.seq = given.seq AND r.device = given.device)
"""

_OWE = """
WITH given (seq, device) AS (VALUES {rows})
INSERT OR IGNORE INTO owed (device, seq)
SELECT given.device, given.seq FROM given JOIN devices AS d ON d.number = given.device
"""


class Step(NamedTuple):
    """A receipt to be kept, of the message in row ``seq``."""

    seq: int
    device: int
    level: int
    at_ms: int


def note(
    connection: sqlite3.Connection, calls: Sequence[Mapping[str, Sequence[Receipt]]]
) -> list[tuple[Latecomer, ...]]:
    """See ``IMessageStore.note``. The first call is answered with all that came too late."""
    by_name: dict[str, list[Sequence[Receipt]]] = {}
    for call in calls:
        for name, part in call.items():
            by_name.setdefault(name, []).append(part)
    steps: list[Step] = []
    over: dict[int, tuple[str, str, Reason]] = {}
    may_be_late: list[tuple[int, int]] = []
    for name, seq, once, namespace, reason in gather_for(
        connection, _MESSAGES, [(name,) for name in by_name]
    ):
        highest = Level.DELIVERED if once else Level.ACKED
        best = _best(seq, highest, by_name[name])
        steps += best.values()
        if reason is not None:
            over[seq] = name, namespace, Reason(reason)
            may_be_late += [(seq, device) for device in best]
    late = gather_for(connection, _LATE, may_be_late)
    write(connection, _OWE, late)
    advance(connection, steps)
    latecomers = []
    for seq, device in late:
        name, namespace, why = over[seq]
        latecomers.append(Latecomer(name, namespace, device, why))
    return [tuple(latecomers), *[()] * (len(calls) - 1)]


def advance(connection: sqlite3.Connection, steps: Sequence[Step]) -> None:
    """Raise receipts, at most one step for a message and device; those that are as high stay as they are."""
    counts: dict[int, list[int]] = {}
    for seq, old, new, count in gather_for(connection, _RAISED, steps):
        of_message = counts.setdefault(seq, [0, 0, 0])
        for level in Level:
            if old < level <= new:
                of_message[level - 1] += count
    if counts:
        write(connection, _UPSERT, steps)
        write(connection, _COUNT, [(seq, *three) for seq, three in counts.items()])


def _best(seq: int, highest: Level, parts: Iterable[Sequence[Receipt]]) -> dict[int, Step]:
    """Return each device's highest receipt of a message, and of equal ones the first."""
    best: dict[int, Step] = {}
    for part in parts:
        for device, level, at_ms in part:
            reached = min(level, highest)
            known = best.get(device)
            if known is None or known.level < reached:
                best[device] = Step(seq, device, reached, at_ms)
    return best
