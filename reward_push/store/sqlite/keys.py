"""Keys in SQLite. Everything here runs inside a transaction of the caller."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from ...access import key_cursor
from ...access.interfaces import Key, KeyExists, KeyKind, KeyPage, KeyUse, Right, StoredKey
from .statements import gather, gather_for, write

_INSERT = """
INSERT INTO keys (key_id, secret_sha256, kind, created_at_ms, expires_at_ms, name, streamer,
    groups_json, namespaces_json, rights_json, max_connections)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_FOUND = """
SELECT json_array(key_id, hex(secret_sha256), kind, created_at_ms, expires_at_ms, name, streamer,
    groups_json, namespaces_json, rights_json, max_connections, used_at_ms) AS found FROM keys
"""

_SELECT = f"{_FOUND} WHERE key_id IN (VALUES {{rows}})"

_DELETE = "DELETE FROM keys WHERE key_id IN (VALUES {rows})"

_PAGE = f"""
{_FOUND} WHERE (created_at_ms, key_id) < (?, CAST(? AS TEXT))
ORDER BY created_at_ms DESC, key_id DESC LIMIT ?
"""

_NEWEST = ((1 << 63) - 1, "")

_NOTE = """
WITH given (key_id, at_ms) AS (VALUES {rows})
UPDATE keys SET used_at_ms = given.at_ms FROM given
WHERE keys.key_id = given.key_id AND coalesce(keys.used_at_ms, -1) < given.at_ms
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


def remove(connection: sqlite3.Connection, key_ids: Sequence[str]) -> list[StoredKey | None]:
    """Delete the key of each id and return it; ``None`` where there is none, or an earlier id took it."""
    found = dict(zip(key_ids, get(connection, key_ids), strict=True))
    write(
        connection, _DELETE, [(key_id,) for key_id, stored in found.items() if stored is not None]
    )
    return [found.pop(key_id, None) for key_id in key_ids]


def page(connection: sqlite3.Connection, calls: Sequence[tuple[int, str | None]]) -> list[KeyPage]:
    """See ``IKeyStore.page_keys``."""
    return [_page(connection, limit, cursor) for limit, cursor in calls]


def note_used(connection: sqlite3.Connection, calls: Sequence[Mapping[str, int]]) -> list[None]:
    """See ``IKeyStore.note_used``."""
    latest: dict[str, int] = {}
    for used in calls:
        for key_id, at_ms in used.items():
            latest[key_id] = max(at_ms, latest.get(key_id, 0))
    write(connection, _NOTE, list(latest.items()))
    return [None] * len(calls)


def any_keys(connection: sqlite3.Connection) -> bool:
    """Return whether there is any key, expired ones included."""
    return connection.execute("SELECT 1 FROM keys LIMIT 1").fetchone() is not None


def _page(connection: sqlite3.Connection, limit: int, cursor: str | None) -> KeyPage:
    begin = _NEWEST if cursor is None else key_cursor.place(cursor)
    rows = gather(connection, _PAGE, (*begin, limit + 1))
    keys = tuple(KeyUse(_stored(row).key, row[-1]) for row in rows[:limit])
    return KeyPage(keys, key_cursor.after(keys[-1].key) if len(rows) > limit else None)


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
        key.max_connections,
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
        max_connections,
        _used_at_ms,
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
        max_connections=max_connections,
    )
    return StoredKey(key, bytes.fromhex(secret))
