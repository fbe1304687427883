"""The seams of access: keys as values, and where they are kept."""

from enum import StrEnum

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface


class KeyKind(StrEnum):
    """Who uses a key."""

    PLUGIN = "plugin"
    BACKEND = "backend"


class Right(StrEnum):
    """What a backend key may do."""

    PUBLISH = "publish"
    READ = "read"
    ADMIN = "admin"


ANY_STREAMER = "*"
"""The ``streamer`` of a gateway key: its clients name their own."""


@attrs.frozen
class Key:
    """An API key without its secret. Times are epoch milliseconds."""

    key_id: str
    kind: KeyKind
    created_at_ms: int
    name: str | None = None
    streamer: str | None = None
    """Plugin keys only."""
    groups: tuple[str, ...] = ()
    """Plugin keys only."""
    namespaces: tuple[str, ...] | None = None
    """``None``: every namespace of the settings."""
    rights: frozenset[Right] = frozenset()
    """Backend keys only."""
    expires_at_ms: int | None = None


@attrs.frozen
class StoredKey:
    """A key and the SHA-256 of its secret, as a store keeps it."""

    key: Key
    secret_sha256: bytes = attrs.field(repr=False)


class StoreUnavailable(Exception):
    """The store cannot answer now (disk full, file gone, Redis away): nothing was changed."""


class IKeyStore(Interface):
    """Keeps keys. Every call may fail with :class:`StoreUnavailable`."""

    def add_key(stored: StoredKey) -> "Deferred[None]":
        """Keep ``stored``; the Deferred fires once it is committed."""

    def get_key(key_id: str) -> "Deferred[StoredKey | None]":
        """Find a key by its id."""
