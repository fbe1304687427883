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
    """The first moment at which it is no longer valid; ``None``: it has no end."""

    def may(self, right: Right) -> bool:
        """Return whether the key has ``right``; a plugin key has none."""
        return right in self.rights

    def allows_namespace(self, namespace: str) -> bool:
        """Return whether the key's own limit admits ``namespace``.

        ``/`` is like any other here: that every valid key may sit in it is the audience's rule.
        """
        return self.namespaces is None or namespace in self.namespaces

    def expired(self, now_ms: int) -> bool:
        """Return whether the key's end has come."""
        return self.expires_at_ms is not None and now_ms >= self.expires_at_ms


@attrs.frozen
class StoredKey:
    """A key and the SHA-256 of its secret, as a store keeps it."""

    key: Key
    secret_sha256: bytes = attrs.field(repr=False)


class StoreUnavailable(Exception):
    """The store cannot answer now (disk full, file gone, Redis away): nothing was changed."""


class KeyExists(Exception):
    """There is a key of this id already: nothing was changed."""


class IKeyStore(Interface):
    """Keeps keys. Every call may fail with :class:`StoreUnavailable`."""

    def add_key(stored: StoredKey) -> "Deferred[None]":
        """Keep ``stored``; the Deferred fires once it is committed. Fails with :class:`KeyExists`."""

    def get_key(key_id: str) -> "Deferred[StoredKey | None]":
        """Find a key by its id."""
