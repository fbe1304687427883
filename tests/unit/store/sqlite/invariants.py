"""What holds in the tables after every transaction, whatever was done and wherever it was cut off."""

import json
import sqlite3

from reward_push.rewards.message import message_from_json
from reward_push.rewards.rooms import rooms_of
from reward_push.store.bodies import slot
from reward_push.store.sqlite.devices import IDENTITY_MASK, KEPT
from reward_push.store.sqlite.records import streamers_of


def check(connection: sqlite3.Connection) -> None:
    """Raise AssertionError unless the tables agree with each other."""
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    rooms, addressed, slots, ended = set(), set(), [], set()
    for seq, state, live_no, replace_slot, ended_at_ms, reason, body in connection.execute(
        "SELECT seq, state, live_no, replace_slot, ended_at_ms, end_reason, body FROM messages"
    ).fetchall():
        message = message_from_json(json.loads(body))
        assert replace_slot == slot(message)
        assert (live_no is not None) == (state == "live"), message.id
        assert (ended_at_ms is None) == (state in ("live", "scheduled")), message.id
        addressed |= {(name, seq) for name in streamers_of(message.to)}
        if state == "live":
            rooms |= {(message.namespace, room, live_no, seq) for room in rooms_of(message.to)}
            slots += [replace_slot] if replace_slot else []
        if reason is not None:
            assert ended_at_ms is not None
            ended.add(seq)
    assert len(slots) == len(set(slots)), "two live messages replace each other"
    assert set(connection.execute("SELECT * FROM live_rooms")) == rooms
    assert set(connection.execute("SELECT * FROM addressed")) == addressed
    counted = connection.execute(
        "SELECT m.id, m.sent, m.delivered, m.acked, count(r.level), coalesce(sum(r.level >= 2), 0),"
        " coalesce(sum(r.level >= 3), 0) FROM messages AS m LEFT JOIN receipts AS r USING (seq)"
        " GROUP BY m.seq"
    ).fetchall()
    assert [row for row in counted if row[1:4] != row[4:7]] == []
    [strays] = connection.execute(
        "SELECT count(*) FROM receipts WHERE seq NOT IN (SELECT seq FROM messages)"
        f" OR device & {IDENTITY_MASK} NOT IN (SELECT identity FROM identities)"
    ).fetchone()
    assert strays == 0
    owed = connection.execute(
        "SELECT o.seq FROM owed AS o JOIN receipts AS r USING (seq, device)"
        " JOIN devices AS d ON d.number = o.device"
    ).fetchall()
    [all_owed] = connection.execute("SELECT count(*) FROM owed").fetchone()
    assert len(owed) == all_owed
    assert {seq for (seq,) in owed} <= ended
    assert [
        row
        for row in connection.execute("SELECT identity, count(*) FROM devices GROUP BY identity")
        if row[1] > KEPT
    ] == []
    last = connection.execute(
        "SELECT coalesce(max(live_no), 0), (SELECT value FROM counters WHERE name = 'live'),"
        " (SELECT coalesce(max(number), 0) >> 24 FROM devices),"
        " (SELECT value FROM counters WHERE name = 'device') FROM messages"
    ).fetchone()
    assert last[0] < last[1]
    assert last[2] < last[3]
