"""How keys are made, read and compared: ``rpk_<key id>_<secret>``."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

from .interfaces import Key, KeyKind, Right, StoredKey

MAX_PRESENTED_CHARS = 512
"""Longer texts are no keys; they are not even hashed."""

KEY_ID_CHARS = 12
"""60 bits: unique without asking anybody."""

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_SECRET_BYTES = 32
KEY_ID = re.compile(rf"[a-z2-7]{{{KEY_ID_CHARS}}}", re.ASCII)
"""The form of a key id."""
_KEY = re.compile(rf"rpk_({KEY_ID.pattern})_([A-Za-z0-9_-]+)", re.ASCII)
_KEY_ANYWHERE = re.compile(r"(rpk_[a-z2-7]*)_[A-Za-z0-9_-]+", re.ASCII)
_TOKEN_ANYWHERE = re.compile(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?", re.ASCII)
_NO_DIGEST = hashlib.sha256(b"").digest()


def new_key(
    kind: KeyKind,
    created_at_ms: int,
    *,
    name: str | None = None,
    streamer: str | None = None,
    groups: Iterable[str] = (),
    namespaces: Iterable[str] | None = None,
    rights: Iterable[Right] = (),
    expires_at_ms: int | None = None,
    max_connections: int | None = None,
) -> tuple[StoredKey, str]:
    """Make a key; return what a store keeps of it, and the key itself, which cannot be found out again.

    Raises ValueError when a plugin key has no streamer or has rights, or a backend key has a streamer,
    groups or a limit of connections.
    """
    key = Key(
        key_id="".join(secrets.choice(_ALPHABET) for _ in range(KEY_ID_CHARS)),
        kind=kind,
        created_at_ms=created_at_ms,
        name=name,
        streamer=streamer,
        groups=tuple(groups),
        namespaces=None if namespaces is None else tuple(namespaces),
        rights=frozenset(rights),
        expires_at_ms=expires_at_ms,
        max_connections=max_connections,
    )
    _check_kind(key)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    return StoredKey(key, digest(secret)), f"rpk_{key.key_id}_{secret}"


def parse(presented: str) -> tuple[str, str] | None:
    """Return the key id and the secret of a presented key, or ``None`` when it is not of our form.

    The caller has checked its length.
    """
    match = _KEY.fullmatch(presented)
    return None if match is None else (match[1], match[2])


def without_secrets(text: str) -> str:
    """Return ``text`` for a log line: of keys in it only what tells which they are, of tokens nothing."""
    return _TOKEN_ANYWHERE.sub("(token)", _KEY_ANYWHERE.sub(r"\1…", text))


def digest(secret: str) -> bytes:
    """Return the SHA-256 a secret is kept as. It needs no salt nor slowness: 256 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def proves(secret: str, stored: StoredKey | None) -> bool:
    """Return whether ``secret`` is that of ``stored``. No key takes the same time as a wrong secret."""
    expected = _NO_DIGEST if stored is None else stored.secret_sha256
    return hmac.compare_digest(digest(secret), expected) and stored is not None


def _check_kind(key: Key) -> None:
    if key.kind is KeyKind.PLUGIN and (not key.streamer or key.rights):
        msg = "a plugin key has a streamer and no rights"
        raise ValueError(msg)
    plugins_own = (key.streamer, key.groups or None, key.max_connections)
    if key.kind is KeyKind.BACKEND and any(each is not None for each in plugins_own):
        msg = "a backend key has neither streamer nor groups nor connections"
        raise ValueError(msg)
