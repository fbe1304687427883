"""The seams of access: keys as values, where they are kept, and who may come in."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.web.iweb import IRequest
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


MAX_GROUPS = 32
"""Groups of one plugin key."""

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
    max_connections: int | None = None
    """Plugin keys only: how many it may have on a node; ``None``: as the settings have it."""

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


@attrs.frozen
class KeyUse:
    """A key, and when it was used last."""

    key: Key
    last_used_at_ms: int | None
    """``None``: never, as far as was noted."""


@attrs.frozen
class KeyPage:
    """A part of all keys."""

    keys: tuple[KeyUse, ...]
    cursor: str | None
    """Where the list goes on (:func:`.key_cursor.after`); ``None``: this was the last part."""


class StoreUnavailable(Exception):
    """The store cannot answer now (disk full, file gone, Redis away): nothing was changed."""


class AnswerLost(StoreUnavailable):
    """The store was lost after it was asked and before it answered: what was asked may have been done."""


class KeyExists(Exception):
    """There is a key of this id already: nothing was changed."""


class IKeyStore(Interface):
    """Keeps keys. Every call may fail with :class:`StoreUnavailable`."""

    def add_key(stored: StoredKey) -> "Deferred[None]":
        """Keep ``stored``; the Deferred fires once it is committed. Fails with :class:`KeyExists`."""

    def get_key(key_id: str) -> "Deferred[StoredKey | None]":
        """Find a key by its id."""

    def remove_key(key_id: str) -> "Deferred[StoredKey | None]":
        """Forget a key, and when it was used; return it as it was, or ``None`` when there is none.

        Of several calls for one key exactly one gets it. Its id stays unused: ids are random.
        """

    def page_keys(limit: int, cursor: str | None) -> "Deferred[KeyPage]":
        """List up to ``limit`` keys, the newest first; of those made in the same millisecond the greatest id.

        Expired ones are among them. ``cursor`` is that of an earlier page: keys made or removed since do
        not shift the list, also when the last key of that page is gone. The last page may be empty.
        """

    def note_used(used: "Mapping[str, int]") -> "Deferred[None]":
        """Note when keys were used: key id → epoch milliseconds.

        A time never goes back; unknown ids, and those that were removed, are ignored.
        """


class Reason(StrEnum):
    """Why somebody was turned away."""

    BANNED = "banned"
    """The address has shown too many wrong keys."""
    ADDRESS_RATE = "address_rate"
    """The address opens connections too fast."""
    ADDRESS_FULL = "address_full"
    """The address has all the connections it may."""
    KEY_FULL = "key_full"
    """The key has all the connections it may."""
    NODE_FULL = "node_full"
    """The node has all the connections it may."""
    ADDRESS_SOCKETS = "address_sockets"
    """The address has far more sockets open than its connections need; closed without a word."""
    API_RATE = "api_rate"
    """The key calls the API too often."""


@attrs.frozen
class TurnedAway:
    """A refusal that is no verdict: come again in ``retry_after_s`` seconds."""

    reason: Reason
    retry_after_s: float


class IDoor(Interface):
    """Decides who may open a session, before anything is allocated for it."""

    def arrive(peer: IAddress | None) -> bool:
        """Somebody has connected; return whether to talk to them. If so, :meth:`depart` follows.

        ``None``: a proxy, which has yet to say for whom.
        """

    def depart(peer: IAddress | None) -> None:
        """Who had arrived is gone, or is counted as a session from now on."""

    def client_of(request: IRequest) -> str:
        """Return the name that limits count a request's client by: its address, whatever is in between.

        The one place where that is decided.
        """

    def knock(address: str, presented: Callable[[], str | None]) -> TurnedAway | None:
        """A handshake has come from ``address``; ``presented()`` is the key that can be seen in it.

        Returns why it is refused. If it is not, the session is opened at once, and :meth:`entered`
        follows.
        """

    def entered(session: Any) -> None:
        """A session was opened; ``session.handshake.address`` is the client's name."""
