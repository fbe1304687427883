"""The keys a node knows: a bounded memory in front of the store."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import attrs
from twisted.internet.defer import Deferred, DeferredList, fail, maybeDeferred, succeed
from twisted.python.failure import Failure

from .claims import Token
from .interfaces import IKeyStore, Key, KeyKind, KeyPage, Right, StoredKey, StoreUnavailable
from .key_text import MAX_PRESENTED_CHARS, digest, new_key, parse, proves
from .recent import Recent
from .tokens import Tokens, looks_like_token
from .usage import KeyUsage

CONFIG_KEY_ID = "config"
"""The id of the key given by the configuration; no id in the store is that short."""

CACHE_SIZE = 16_384
CHECKED_AT_ONCE = 100
UNKNOWN_CACHE_SIZE = 1_024
MAX_LOOKUPS = 1_024


class KeyRing:
    """Tells whose a presented key is, nearly always without asking the store.

    Keys never change, and an id is never used again: what was looked up once stays true until
    :meth:`forget`. Ids that are not in the store are remembered apart, so that a flood of them displaces
    no real key.

    How long a no takes does not tell whether there is a key of this id: the first wrong key with an id is
    looked up in the store, also where the right one is known; those that follow are refused from memory.
    """

    def __init__(
        self,
        store: IKeyStore,
        now_ms: Callable[[], int],
        backend_key: str | None = None,
        tokens: Tokens | None = None,
        *,
        cache_size: int = CACHE_SIZE,
        unknown_cache_size: int = UNKNOWN_CACHE_SIZE,
        max_lookups: int = MAX_LOOKUPS,
    ) -> None:
        """``backend_key``: 1 to 512 characters that are a backend key with every right.

        ``tokens``: verifies signed tokens, which stand where a plugin key does; ``None``: there are none.
        ``max_lookups``: key ids being looked up at one time. Raises ValueError.
        """
        self._store = store
        self._now_ms = now_ms
        self._configured = None if backend_key is None else _configured(backend_key, now_ms())
        self._tokens = tokens
        self._known: Recent[StoredKey] = Recent(cache_size)
        self._unknown: Recent[None] = Recent(unknown_cache_size)
        self._guessed: Recent[None] = Recent(unknown_cache_size)
        self._revoked: Recent[str] = Recent(cache_size)
        self._lookups: dict[str, _Lookup] = {}
        self._max_lookups = max_lookups
        self.usage = KeyUsage(store, now_ms)
        self.evict: Callable[[str], None] = lambda _key_id: None
        """Called with the id of a key that is revoked, so that its sockets are closed."""

    def authenticate(self, presented: str) -> "Deferred[Key | None]":
        """Fire with the key that ``presented`` is, or with ``None``, a definite no: malformed, unknown,
        wrong or expired.

        Fails with :class:`StoreUnavailable` when it cannot be looked up.
        """
        short = len(presented) <= MAX_PRESENTED_CHARS
        if short and self._configured is not None and proves(presented, self._configured):
            return succeed(self._configured.key)
        if looks_like_token(presented):
            return succeed(self.token(presented))
        parts = parse(presented) if short else None
        if parts is None:
            return succeed(None)
        key_id, secret = parts
        stored = self._known.get(key_id)
        if proves(secret, stored):
            return succeed(self._use(stored))
        if key_id in (self._unknown if stored is None else self._guessed):
            return succeed(None)
        return self._look_up(key_id).addCallback(self._judge, key_id, secret)

    def recall(self, presented: str) -> Key | None:
        """Return the key that ``presented`` is, as far as that is known without asking the store."""
        if looks_like_token(presented):
            return None if self._tokens is None else self._tokens.recall(presented)
        parts = parse(presented) if len(presented) <= MAX_PRESENTED_CHARS else None
        stored = None if parts is None else self._known.get(parts[0])
        return _key_of(stored) if parts is not None and proves(parts[1], stored) else None

    def token(self, presented: str) -> Token | None:
        """Return what a signed token stands for; ``None``, a definite no, also where tokens are not accepted."""
        return None if self._tokens is None else self._tokens.verify(presented)

    def create(
        self,
        kind: KeyKind,
        *,
        name: str | None = None,
        streamer: str | None = None,
        groups: Iterable[str] = (),
        namespaces: Iterable[str] | None = None,
        rights: Iterable[Right] = (),
        expires_at_ms: int | None = None,
        max_connections: int | None = None,
    ) -> "Deferred[tuple[Key, str]]":
        """Make a key and store it; fire with it and its text, which is shown once, when it is committed.

        Fails with :class:`StoreUnavailable`. Raises ValueError as :func:`.key_text.new_key` does.
        """
        stored, text = new_key(
            kind,
            self._now_ms(),
            name=name,
            streamer=streamer,
            groups=groups,
            namespaces=namespaces,
            rights=rights,
            expires_at_ms=expires_at_ms,
            max_connections=max_connections,
        )
        return self._store.add_key(stored).addCallback(self._created, stored, text)

    def find(self, key_id: str) -> "Deferred[Key | None]":
        """Ask the store for the key of an id. Fails with :class:`StoreUnavailable`."""
        return self._store.get_key(key_id).addCallback(_key_of)

    def page(self, limit: int, cursor: str | None) -> "Deferred[KeyPage]":
        """List keys as :meth:`IKeyStore.page_keys` does, with what this node knows of their use.

        Fails with :class:`StoreUnavailable`.
        """
        return self.usage.flush().addCallback(lambda _: self._store.page_keys(limit, cursor))

    def revoke(self, key_id: str) -> "Deferred[Key | None]":
        """Remove a key; fire with it, or with ``None`` if there is none, once nobody here gets in by it.

        Fails with :class:`StoreUnavailable`. Whatever the store says, an id that it does not have is
        forgotten here and its sockets are closed.
        """
        return self._store.remove_key(key_id).addCallback(self._removed, key_id)

    def revoked(self, key_id: str) -> None:
        """A key was removed from the store, by whomever: forget it, and close its sockets. Idempotent."""
        self._revoked.put(key_id, key_id)
        self.forget(key_id)
        self.evict(key_id)

    def remembers(self, key: Key) -> bool:
        """Return whether ``key``, which was looked up a while ago, is still known to be valid.

        If not, it was revoked since, or other keys have displaced it: look it up again. Tokens cannot be
        revoked.
        """
        if key.key_id == CONFIG_KEY_ID or isinstance(key, Token):
            return not key.expired(self._now_ms())
        stored = self._known.get(key.key_id)
        return stored is not None and stored.key == key

    async def check(self, in_use: Iterable[str]) -> None:
        """Trust nothing: news of revoked keys may have been missed. ``in_use``: keys that have sockets here.

        All keys are looked up again, those in use now. Raises :class:`StoreUnavailable`: then it is to be
        done again.
        """
        for stored in self.known():
            self.forget(stored.key.key_id)
        ids = iter(list(in_use))
        while some := list(islice(ids, CHECKED_AT_ONCE)):
            asked = [self._store.get_key(key_id) for key_id in some]
            answers: list[tuple[bool, Any]] = await DeferredList(asked, consumeErrors=True)
            for key_id, (is_answered, answer) in zip(some, answers, strict=True):
                if not is_answered:
                    answer.raiseException()
                if answer is None:
                    self.revoked(key_id)

    def known(self) -> list[StoredKey]:
        """Return the keys in memory, those of the configuration left out: for a store that has lost its own."""
        return list(self._known)

    def known_revoked(self) -> list[str]:
        """Return the ids of keys that were revoked as far as this node has heard, the last ones: for the same."""
        return list(self._revoked)

    def forget(self, key_id: str) -> None:
        """Look ``key_id`` up again the next time, and in lookups under way."""
        for table in (self._known, self._unknown, self._guessed):
            table.discard(key_id)
        lookup = self._lookups.get(key_id)
        if lookup is not None:
            lookup.outdated = True

    def _judge(self, stored: StoredKey | None, key_id: str, secret: str) -> Key | None:
        if proves(secret, stored):
            return self._use(stored)
        if stored is not None:
            self._guessed.put(key_id, None)
        return None

    def _use(self, stored: StoredKey | None) -> Key | None:
        """Return the key, which was proved to be the one presented, while it is valid."""
        if stored is None or stored.key.expired(self._now_ms()):
            return None
        self.usage.used(stored.key.key_id)
        return stored.key

    def _created(self, _done: None, stored: StoredKey, text: str) -> tuple[Key, str]:
        self._known.put(stored.key.key_id, stored)
        return stored.key, text

    def _removed(self, stored: StoredKey | None, key_id: str) -> Key | None:
        self.revoked(key_id)
        return _key_of(stored)

    def _look_up(self, key_id: str) -> "Deferred[StoredKey | None]":
        """Ask the store, once for all who want ``key_id`` at the same time."""
        waiter: Deferred[StoredKey | None] = Deferred()
        lookup = self._lookups.get(key_id)
        if lookup is not None:
            lookup.waiters.append(waiter)
            return waiter
        if len(self._lookups) >= self._max_lookups:
            return fail(StoreUnavailable("too many keys are being looked up"))
        self._lookups[key_id] = lookup = _Lookup([waiter])
        self._ask(key_id, lookup)
        return waiter

    def _ask(self, key_id: str, lookup: "_Lookup") -> None:
        maybeDeferred(self._store.get_key, key_id).addBoth(self._answered, key_id, lookup)

    def _answered(self, answer: StoredKey | Failure | None, key_id: str, lookup: "_Lookup") -> None:
        if lookup.outdated:
            lookup.outdated = False
            self._ask(key_id, lookup)
            return
        del self._lookups[key_id]
        if isinstance(answer, Failure):
            for waiter in lookup.waiters:
                waiter.errback(answer)
            return
        if answer is None:
            self._unknown.put(key_id, None)
        else:
            self._known.put(key_id, answer)
        for waiter in lookup.waiters:
            waiter.callback(answer)


@attrs.define(eq=False)
class _Lookup:
    """A question to the store under way."""

    waiters: list["Deferred[StoredKey | None]"]
    outdated: bool = False
    """Whether the answer may be older than what was asked to be forgotten."""


def _key_of(stored: StoredKey | None) -> Key | None:
    return None if stored is None else stored.key


def _configured(text: str, now_ms: int) -> StoredKey:
    if not 0 < len(text) <= MAX_PRESENTED_CHARS:
        msg = f"the backend key must have 1 to {MAX_PRESENTED_CHARS} characters"
        raise ValueError(msg)
    key = Key(
        key_id=CONFIG_KEY_ID, kind=KeyKind.BACKEND, created_at_ms=now_ms, rights=frozenset(Right)
    )
    return StoredKey(key, digest(text))
