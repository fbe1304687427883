"""Keys as texts in Redis: ``<created at> <SHA-256 of the secret> <the rest as JSON>``."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ...access import key_cursor
from ...access.interfaces import Key, KeyKind, KeyPage, KeyUse, Right, StoredKey
from ..bodies import compact
from .line import Argument

NOTED_A_STEP = 1_000
"""Uses of keys in one step."""
RESTORED_A_STEP = 500
"""Keys given back in one step."""


def to_text(stored: StoredKey) -> str:
    """Return a key as it is kept."""
    key = stored.key
    rest = {
        "kind": key.kind.value,
        "name": key.name,
        "streamer": key.streamer,
        "groups": key.groups,
        "namespaces": key.namespaces,
        "rights": sorted(key.rights),
        "expires_at_ms": key.expires_at_ms,
        "max_connections": key.max_connections,
    }
    said = {name: value for name, value in rest.items() if value is not None}
    return f"{key.created_at_ms} {stored.secret_sha256.hex()} {compact(said)}"


def arguments(stored: StoredKey) -> list[Argument]:
    """Return a key as scripts take it."""
    return [stored.key.key_id, stored.key.created_at_ms, to_text(stored)]


def from_text(key_id: str, text: str) -> StoredKey:
    """Return the key that is kept as ``text``."""
    created_at_ms, secret, rest = text.split(" ", 2)
    said = json.loads(rest)
    namespaces = said.get("namespaces")
    key = Key(
        key_id=key_id,
        kind=KeyKind(said["kind"]),
        created_at_ms=int(created_at_ms),
        name=said.get("name"),
        streamer=said.get("streamer"),
        groups=tuple(said["groups"]),
        namespaces=None if namespaces is None else tuple(namespaces),
        rights=frozenset(map(Right, said["rights"])),
        expires_at_ms=said.get("expires_at_ms"),
        max_connections=said.get("max_connections"),
    )
    return StoredKey(key, bytes.fromhex(secret))


def from_text_or_none(text: str | None, key_id: str) -> StoredKey | None:
    """Return the key that is kept as ``text``, if there is one."""
    return None if text is None else from_text(key_id, text)


def place(cursor: str | None) -> str:
    """Return where ``page_keys.lua`` goes on: the member of the key that ``cursor`` follows, or nothing."""
    if cursor is None:
        return ""
    created_at_ms, key_id = key_cursor.place(cursor)
    return f"{created_at_ms:016d}{key_id}"


def page_of(reply: Sequence[Any]) -> KeyPage:
    """Read what ``page_keys.lua`` answers."""
    more, *flat = reply
    triples = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    uses = tuple(
        KeyUse(from_text(key_id, text).key, None if used is None else int(used))
        for key_id, text, used in triples
    )
    return KeyPage(uses, key_cursor.after(uses[-1].key) if more else None)


def restored(stored: Sequence[StoredKey], revoked: Sequence[str]) -> Iterator[list[Argument]]:
    """Cut keys, and before them ids of revoked ones, into steps: what ``restore_keys.lua`` takes."""
    ids = iter(revoked)
    while some := list(islice(ids, RESTORED_A_STEP)):
        yield [len(some), *some]
    rest = iter(stored)
    while some_keys := list(islice(rest, RESTORED_A_STEP)):
        yield [0, *(part for each in some_keys for part in arguments(each))]


def noted(used: Mapping[str, int]) -> Iterator[list[Argument]]:
    """Cut uses of keys into steps, at least one: what ``note_used.lua`` takes."""
    rest = iter(used.items())
    while some := list(islice(rest, NOTED_A_STEP)):
        yield [part for pair in some for part in pair]
    if not used:
        yield []
