"""Keys in SQLite. Everything here runs inside a transaction of the caller."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from ...access.interfaces import Key, KeyExists, KeyKind, Right, StoredKey
from .statements import gather_for

_INSERT = """
INSERT INTO keys (key_id, secret_sha256, kind, created_at_ms, expires_at_ms, name, streamer,
    groups_json, namespaces_json, rights_json)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_SELECT = """
SELECT json_array(key_id, hex(secret_sha256), kind, created_at_ms, expires_at_ms, name, streamer,
    groups_json, namespaces_json, rights_json) AS found
FROM keys WHERE key_id IN (VALUES {rows})
"""


def add(connection: sqlite3.Connection, keys: Sequence[StoredKey]) -> list[None]:
    """Insert ``keys``. Raises :class:`KeyExists`."""
    for stored in keys:
        try:
            connection.execute(_INSERT, _row(stored))
        except sqlite3.IntegrityError:
            raise KeyExists(stored.key.key_id) from None
    return [None] * len(keys)


def add_missing(connection: sqlite3.Connection, keys: Sequence[StoredKey]) -> None:
    """Insert those of ``keys`` whose id is not there."""
    found = get(connection, [stored.key.key_id for stored in keys])
    add(connection, [stored for stored, there in zip(keys, found, strict=True) if there is None])


def get(connection: sqlite3.Connection, key_ids: Sequence[str]) -> list[StoredKey | None]:
    """Return the key of each id, or ``None``."""
    found = map(_stored, gather_for(connection, _SELECT, [(each,) for each in set(key_ids)]))
    by_id = {stored.key.key_id: stored for stored in found}
    return [by_id.get(key_id) for key_id in key_ids]


def any_keys(connection: sqlite3.Connection) -> bool:
    """Return whether there is any key, expired ones included."""
    return connection.execute("SELECT 1 FROM keys LIMIT 1").fetchone() is not None


def _row(stored: StoredKey) -> tuple[Any, ...]:
    key = stored.key
    return (
        key.key_id,
        stored.secret_sha256,
        key.kind.value,
        key.created_at_ms,
        key.expires_at_ms,
        key.name,
        key.streamer,
        json.dumps(key.groups),
        None if key.namespaces is None else json.dumps(key.namespaces),
        json.dumps(sorted(key.rights)),
    )


def _stored(row: Sequence[Any]) -> StoredKey:
    (
        key_id,
        secret,
        kind,
        created_at_ms,
        expires_at_ms,
        name,
        streamer,
        groups,
        namespaces,
        rights,
    ) = row
    key = Key(
        key_id=key_id,
        kind=KeyKind(kind),
        created_at_ms=created_at_ms,
        name=name,
        streamer=streamer,
        groups=tuple(json.loads(groups)),
        namespaces=None if namespaces is None else tuple(json.loads(namespaces)),
        rights=frozenset(map(Right, json.loads(rights))),
        expires_at_ms=expires_at_ms,
    )
    return StoredKey(key, bytes.fromhex(secret))
