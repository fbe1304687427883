"""Versions of the file."""

import json
import sqlite3

import attrs
import pytest

from reward_push.rewards.interfaces import Kept
from reward_push.rewards.message import MessageRecord, Receipts, State
from reward_push.store.errors import StoreError
from reward_push.store.sqlite import schema
from reward_push.store.sqlite.accept import accept
from reward_push.store.sqlite.lists import PageOf, get, page
from reward_push.store.sqlite.prune import Pruning, prune
from reward_push.store.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION, check, migrate


@pytest.fixture
def connection():
    opened = sqlite3.connect(":memory:", isolation_level=None)
    yield opened
    opened.close()


def version(connection):
    return [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    ]


def tables(connection):
    return {
        name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
    }


def test_empty_file_becomes_ours(connection):
    check(connection, "x")
    migrate(connection)
    assert version(connection) == [APPLICATION_ID, SCHEMA_VERSION]
    assert {"messages", "keys"} <= tables(connection)
    check(connection, "x")


def test_migrating_again_changes_nothing(connection):
    migrate(connection)
    connection.execute("INSERT INTO probe VALUES (1, x'00')")
    migrate(connection)
    assert connection.execute("SELECT count(*) FROM probe").fetchone() == (1,)


def test_newer_file_is_refused_by_its_numbers(connection):
    migrate(connection)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError) as caught:
        check(connection, "/var/lib/store")
    assert str(caught.value) == (
        "/var/lib/store was written by a newer version of reward-push"
        f" (schema {SCHEMA_VERSION + 1}, this version knows {SCHEMA_VERSION})"
    )


@pytest.mark.parametrize(
    "foreign",
    ["CREATE TABLE notes (text)", "PRAGMA application_id = 7", "PRAGMA user_version = 1"],
)
def test_database_of_another_program_is_refused(connection, foreign):
    connection.execute(foreign)
    with pytest.raises(StoreError, match=r"^x is a SQLite database of another program$"):
        check(connection, "x")


def v1(connection, *rows):
    """Make a file of version 1, with messages as that version wrote them."""
    for statement in schema.MIGRATIONS[0]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    for seq, (message_id, to, sent) in enumerate(rows, 1):
        message = {"id": message_id, "namespace": "/dropcodes", "event": "dropcode", "to": to}
        message |= {"data": {"text": "™ \u2028 {}"}, "created_at_ms": 1_000, "deliver_at_ms": 1_000}
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        connection.execute(
            "INSERT INTO messages VALUES (?, ?, ?, 'done', ?, ?, NULL, ?, ?, 0, 0, ?, ?)",
            (seq * 2, message_id, "/dropcodes", 1_000, 1_000, 1_000, sent, b"\x01" * 32, body),
        )
    connection.execute(
        "INSERT INTO keys VALUES ('k', x'00', 'backend', 1, NULL, NULL, NULL, '[]', NULL, '[]')"
    )


V1_ROWS = (
    ("to-one", {"streamer": "s-1"}, 3),
    ("to-some", {"streamers": ["s-1", "s-2"]}, 0),
    ("to-group", {"group": "s-1"}, 1),
    ("to-all", "all", 10_000),
)


def test_messages_of_version_1_come_along(connection):
    v1(connection, *V1_ROWS)
    migrate(connection)
    assert version(connection) == [APPLICATION_ID, SCHEMA_VERSION]
    [keys] = connection.execute("SELECT count(*) FROM keys").fetchone()
    assert keys == 1
    found = dict(
        zip((row[0] for row in V1_ROWS), get(connection, [row[0] for row in V1_ROWS]), strict=True)
    )
    for name, to, sent in V1_ROWS:
        record, receipts = found[name]
        assert receipts == []
        assert record == MessageRecord(
            message=record.message,
            digest=b"\x01" * 32,
            state=State.DONE,
            receipts=Receipts(sent=sent),
            ended_at_ms=1_000,
        )
        assert record.message.to.to_json() == to
        assert record.message.data == {"text": "™ \u2028 {}"}
    assert ids_of(page(connection, [PageOf(None, None, 10, None)])) == [
        *("to-all", "to-group", "to-some", "to-one")
    ]
    assert ids_of(page(connection, [PageOf(State.DONE, "s-1", 10, None)])) == ["to-some", "to-one"]
    assert ids_of(page(connection, [PageOf(None, "s-2", 10, None)])) == ["to-some"]
    new = attrs.evolve(record, message=attrs.evolve(record.message, id="new"))
    assert accept(connection, [[new, record]]) == [[Kept(new), Kept(record)]]
    while prune(connection, [Pruning(1_000, 2, 100)])[0]:
        pass
    for table in ("messages", "addressed"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_migrated_tables_are_those_of_a_new_file(connection):
    v1(connection, *V1_ROWS)
    migrate(connection)
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    migrate(fresh)
    wanted = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    assert connection.execute(wanted).fetchall() == fresh.execute(wanted).fetchall()
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    fresh.close()


def test_disk_that_is_full_while_version_1_is_migrated_leaves_version_1(connection):
    v1(connection, *((f"m{n}", {"streamer": f"s-{n}"}, n) for n in range(200)))
    [pages] = connection.execute("PRAGMA page_count").fetchone()
    for more in range(0, 60, 3):
        connection.execute(f"PRAGMA max_page_count = {pages + more}")
        try:
            migrate(connection)
            break
        except sqlite3.OperationalError as error:
            reason = str(error)
        assert reason == "database or disk is full"
        assert not connection.in_transaction
        assert version(connection) == [APPLICATION_ID, 1]
        assert tables(connection) == {"messages", "keys", "probe"}
    assert more > 0
    assert version(connection) == [APPLICATION_ID, SCHEMA_VERSION]
    assert len(ids_of(page(connection, [PageOf(None, None, 1_000, None)]))) == 200


def ids_of(pages):
    [only] = pages
    return [each.message.id for each in only.records]


def test_older_file_gets_only_the_later_steps(connection, monkeypatch):
    migrate(connection)
    connection.execute("INSERT INTO probe VALUES (1, x'00')")
    later = (*schema.MIGRATIONS, ("ALTER TABLE probe ADD COLUMN more TEXT DEFAULT 'new'",))
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", len(later))
    migrate(connection)
    assert connection.execute("SELECT more FROM probe").fetchall() == [("new",)]
    assert version(connection) == [APPLICATION_ID, SCHEMA_VERSION + 1]


def test_migration_that_fails_leaves_the_older_file(connection, monkeypatch):
    migrate(connection)
    later = (*schema.MIGRATIONS, ("CREATE TABLE more (a)", "CREATE TABLE keys (a)"))
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", len(later))
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection)
    assert not connection.in_transaction
    assert version(connection) == [APPLICATION_ID, SCHEMA_VERSION]
    assert "more" not in tables(connection)


def test_full_disk_leaves_an_empty_file_and_no_transaction(connection):
    connection.execute("PRAGMA max_page_count = 3")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        migrate(connection)
    assert not connection.in_transaction
    assert tables(connection) == set()
    check(connection, "x")
    connection.execute("PRAGMA max_page_count = 100")
    migrate(connection)
