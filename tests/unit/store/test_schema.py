"""Versions of the file."""

import sqlite3

import pytest

from reward_push.store import schema
from reward_push.store.errors import StoreError
from reward_push.store.schema import APPLICATION_ID, SCHEMA_VERSION, check, migrate


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
