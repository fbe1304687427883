"""Keys as texts in Redis: ``<created at> <SHA-256 of the secret> <the rest as JSON>``."""

import json

from ...access.interfaces import Key, KeyKind, Right, StoredKey
from ..bodies import compact


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
    }
    said = {name: value for name, value in rest.items() if value is not None}
    return f"{key.created_at_ms} {stored.secret_sha256.hex()} {compact(said)}"


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
    )
    return StoredKey(key, bytes.fromhex(secret))


def from_text_or_none(text: str | None, key_id: str) -> StoredKey | None:
    """Return the key that is kept as ``text``, if there is one."""
    return None if text is None else from_text(key_id, text)
