"""Who calls: the key in the Authorization header, what it may do, and how often."""

from collections.abc import Sequence
from math import ceil
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.web.server import Request

from ..access.credentials import from_authorization
from ..access.interfaces import Key, KeyKind, KeyPage, Right, TurnedAway
from ..rewards.errors import ErrorCode, Refused
from .errors import ApiError

_CHALLENGE = {"WWW-Authenticate": ('ApiKey realm="reward-push"', 'Bearer realm="reward-push"')}


class Keys(Protocol):
    """What the API asks of the key ring. Each call may fail with ``StoreUnavailable``."""

    def authenticate(self, presented: str) -> "Deferred[Key | None]":
        """Return the key whose secret is presented; ``None``: a definite no."""

    def create(
        self,
        *,
        kind: KeyKind,
        name: str | None,
        streamer: str | None,
        groups: Sequence[str],
        namespaces: Sequence[str] | None,
        rights: frozenset[Right],
        expires_at_ms: int | None,
        max_connections: int | None,
    ) -> "Deferred[tuple[Key, str]]":
        """Make and keep a key; return it and, this once, what its holder presents."""

    def find(self, key_id: str) -> "Deferred[Key | None]":
        """Find a key by its id."""

    def page(self, limit: int, cursor: str | None) -> "Deferred[KeyPage]":
        """List keys; see ``IKeyStore.page_keys``."""

    def revoke(self, key_id: str) -> "Deferred[Key | None]":
        """Remove a key and close its sockets; ``None``: there is none."""


class Gate(Protocol):
    """What the API asks of the door that clients come through, too."""

    def client_of(self, request: Request) -> str:
        """Return the name that wrong keys are counted by: the client's address."""

    def refuse_banned(self, address: str) -> TurnedAway | None:
        """Return why no key of ``address`` is looked at now, if so."""

    def failed(self, address: str) -> None:
        """``address`` has shown a wrong key."""

    def refuse_call(self, key: Key) -> TurnedAway | None:
        """Return why ``key`` may not call now, if so."""


class Callers:
    """Tells who calls."""

    def __init__(self, keys: Keys, gate: Gate | None) -> None:
        """``gate`` of ``None``: wrong keys and calls are not counted."""
        self._keys = keys
        self._gate = gate

    async def identify(self, request: Request, presented: str, *, calls: bool = True) -> Key:
        """Return the key that ``presented`` is.

        Raises :class:`.errors.ApiError`: ``unauthorized`` for a wrong key, ``rate_limited`` for a client
        with too many of them, whatever its key now, and, if it ``calls``, for a key that calls too often.
        """
        gate = self._gate
        if gate is None:
            return _known(await self._keys.authenticate(presented))
        address = gate.client_of(request)
        _let_pass(gate.refuse_banned(address))
        key = await self._keys.authenticate(presented)
        if key is None:
            gate.failed(address)
        key = _known(key)
        if calls:
            _let_pass(gate.refuse_call(key))
        return key


async def authorize(request: Request, callers: Callers, right: Right | None) -> Key:
    """Return the backend key a request carries, which has ``right``.

    Raises :class:`.errors.ApiError` ``unauthorized`` without a valid key and ``rate_limited`` as
    :meth:`Callers.identify` does, and :class:`..rewards.errors.Refused` ``forbidden`` for a plugin key or a
    missing right.
    """
    key = await callers.identify(request, _presented(request))
    _check_kind(key)
    if right is not None and not key.may(right):
        msg = f'this key has not the right "{right}"'
        raise Refused(ErrorCode.FORBIDDEN, msg)
    return key


async def vet(request: Request, callers: Callers) -> None:
    """Check that a request whose body has yet to come carries a backend key.

    Raises the same as :func:`authorize`, which follows when the body is there, and counts the call.
    """
    _check_kind(await callers.identify(request, _presented(request), calls=False))


def _presented(request: Request) -> str:
    values = request.requestHeaders.getRawHeaders(b"authorization", [])
    if len(values) > 1:
        raise _unauthorized("the Authorization header came more than once")
    presented = from_authorization(values[0].decode("latin-1")) if values else None
    if presented is None:
        raise _unauthorized("a backend key is needed: Authorization: ApiKey <key>")
    return presented


def _check_kind(key: Key) -> None:
    if key.kind is not KeyKind.BACKEND:
        msg = "this is a plugin's key: the API needs a backend key"
        raise Refused(ErrorCode.FORBIDDEN, msg)


def _known(key: Key | None) -> Key:
    if key is None:
        raise _unauthorized("the key is wrong, revoked or expired")
    return key


def _let_pass(turned_away: TurnedAway | None) -> None:
    if turned_away is not None:
        wait = str(max(1, ceil(turned_away.retry_after_s)))
        msg = "too many requests: try again later"
        raise ApiError(ErrorCode.RATE_LIMITED, msg, headers={"Retry-After": (wait,)})


def _unauthorized(message: str) -> ApiError:
    return ApiError(ErrorCode.UNAUTHORIZED, message, headers=_CHALLENGE)
