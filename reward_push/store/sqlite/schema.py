"""The tables of the SQLite store, and how an older file is brought up to date."""

import sqlite3

from ..errors import StoreError

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
    (
        # Numbers that never come again, not even after the rows that bore them are gone.
        "CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO counters VALUES ('live', 1), ('device', 1)",
        # replace_slot is equal for messages that replace each other. live_no is the order in which live
        # messages became live. answered is the number of sockets that the first answer spoke of; sent,
        # delivered and acked count the rows in receipts.
        """
        CREATE TABLE new_messages (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            namespace TEXT NOT NULL,
            state TEXT NOT NULL,
            created_at_ms INTEGER NOT NULL,
            deliver_at_ms INTEGER NOT NULL,
            expires_at_ms INTEGER,
            ended_at_ms INTEGER,
            end_reason TEXT,
            once INTEGER NOT NULL,
            replace_slot BLOB,
            live_no INTEGER,
            answered INTEGER NOT NULL,
            sent INTEGER NOT NULL DEFAULT 0,
            delivered INTEGER NOT NULL DEFAULT 0,
            acked INTEGER NOT NULL DEFAULT 0,
            digest BLOB NOT NULL,
            audience TEXT NOT NULL,
            body TEXT NOT NULL
        )
        """,
        # Those of version 1 had no end: none of them is live, or can be replaced.
        """
        INSERT INTO new_messages (seq, id, namespace, state, created_at_ms, deliver_at_ms,
            expires_at_ms, ended_at_ms, once, answered, digest, audience, body)
        SELECT seq, id, namespace, 'done', created_at_ms, deliver_at_ms, expires_at_ms,
            coalesce(ended_at_ms, deliver_at_ms), 0, sent, digest,
            json_quote(json_extract(body, '$.to')), body
        FROM messages ORDER BY seq
        """,
        "DROP TABLE messages",
        "ALTER TABLE new_messages RENAME TO messages",
        "CREATE INDEX messages_ended ON messages (ended_at_ms) WHERE ended_at_ms IS NOT NULL",
        "CREATE INDEX messages_in_state ON messages (state)",
        "CREATE INDEX messages_due ON messages (deliver_at_ms) WHERE state = 'scheduled'",
        "CREATE INDEX messages_over ON messages (expires_at_ms) WHERE state = 'live'",
        """
        CREATE INDEX messages_slot ON messages (replace_slot)
            WHERE state = 'live' AND replace_slot IS NOT NULL
        """,
        # Live messages only, by the rooms they are for: a replay costs what is live, not what ever was.
        """
        CREATE TABLE live_rooms (
            namespace TEXT NOT NULL,
            room TEXT NOT NULL,
            live_no INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            PRIMARY KEY (namespace, room, live_no)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE addressed (
            streamer TEXT NOT NULL,
            seq INTEGER NOT NULL,
            PRIMARY KEY (streamer, seq)
        ) WITHOUT ROWID
        """,
        """
        INSERT INTO addressed SELECT json_extract(audience, '$.streamer'), seq FROM messages
        WHERE json_extract(audience, '$.streamer') IS NOT NULL
        """,
        """
        INSERT OR IGNORE INTO addressed SELECT each.value, messages.seq
        FROM messages, json_each(messages.audience, '$.streamers') AS each
        """,
        """
        CREATE TABLE identities (
            identity INTEGER PRIMARY KEY,
            key_id TEXT NOT NULL,
            streamer TEXT NOT NULL,
            UNIQUE (key_id, streamer)
        )
        """,
        # Only those that have a name.
        """
        CREATE TABLE devices (
            number INTEGER PRIMARY KEY,
            identity INTEGER NOT NULL,
            name TEXT NOT NULL,
            used_at_ms INTEGER NOT NULL,
            UNIQUE (identity, name)
        )
        """,
        """
        CREATE TABLE receipts (
            seq INTEGER NOT NULL,
            device INTEGER NOT NULL,
            level INTEGER NOT NULL,
            at_ms INTEGER NOT NULL,
            PRIMARY KEY (seq, device)
        ) WITHOUT ROWID
        """,
        # The revokes that named devices have not proved to have got.
        """
        CREATE TABLE owed (
            device INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            PRIMARY KEY (device, seq)
        ) WITHOUT ROWID
        """,
    ),
    (
        "ALTER TABLE keys ADD COLUMN used_at_ms INTEGER",
        "CREATE INDEX keys_by_age ON keys (created_at_ms, key_id)",
    ),
    ("ALTER TABLE keys ADD COLUMN max_connections INTEGER",),
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
