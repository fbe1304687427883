"""The tables of the SQLite store, and how an older file is brought up to date."""

import sqlite3

from .errors import StoreError

APPLICATION_ID = 0x72507368
"""SQLite's ``application_id`` of our files: ``rPsh``."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # seq is the order of acceptance. The body, which may be long, is last: the columns before it are
        # read without it.
        """
        CREATE TABLE messages (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            namespace TEXT NOT NULL,
            state TEXT NOT NULL,
            created_at_ms INTEGER NOT NULL,
            deliver_at_ms INTEGER NOT NULL,
            expires_at_ms INTEGER,
            ended_at_ms INTEGER,
            sent INTEGER NOT NULL,
            delivered INTEGER NOT NULL,
            acked INTEGER NOT NULL,
            digest BLOB NOT NULL,
            body TEXT NOT NULL
        )
        """,
        "CREATE INDEX messages_ended ON messages (ended_at_ms) WHERE ended_at_ms IS NOT NULL",
        """
        CREATE TABLE keys (
            key_id TEXT NOT NULL PRIMARY KEY,
            secret_sha256 BLOB NOT NULL,
            kind TEXT NOT NULL,
            created_at_ms INTEGER NOT NULL,
            expires_at_ms INTEGER,
            name TEXT,
            streamer TEXT,
            groups_json TEXT NOT NULL,
            namespaces_json TEXT,
            rights_json TEXT NOT NULL
        )
        """,
        # At most one row: what is written to find out whether writing works again.
        "CREATE TABLE probe (only INTEGER PRIMARY KEY CHECK (only = 1), filler BLOB NOT NULL)",
    ),
)
"""Each entry leads from the version of its index to the next. Entries are added, never changed."""

SCHEMA_VERSION = len(MIGRATIONS)


def check(connection: sqlite3.Connection, path: str) -> None:
    """Raise :class:`StoreError` unless the file is empty or ours and not too new. Changes nothing."""
    version = _pragma(connection, "user_version")
    application = _pragma(connection, "application_id")
    if application != APPLICATION_ID and (version or application or _tables(connection)):
        msg = f"{path} is a SQLite database of another program"
        raise StoreError(msg)
    if version > SCHEMA_VERSION:
        msg = (
            f"{path} was written by a newer version of reward-push"
            f" (schema {version}, this version knows {SCHEMA_VERSION})"
        )
        raise StoreError(msg)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to date in one transaction. Takes the write lock even if nothing is to be done."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _pragma(connection, "user_version")
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        if version < SCHEMA_VERSION:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    [value] = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _tables(connection: sqlite3.Connection) -> int:
    [count] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return int(count)
