"""Who calls: the key in the Authorization header and what it may do."""

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.web.server import Request

from ..access.credentials import from_authorization
from ..access.interfaces import Key, KeyKind, KeyPage, Right
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
    ) -> "Deferred[tuple[Key, str]]":
        """Make and keep a key; return it and, this once, what its holder presents."""

    def find(self, key_id: str) -> "Deferred[Key | None]":
        """Find a key by its id."""

    def page(self, limit: int, cursor: str | None) -> "Deferred[KeyPage]":
        """List keys; see ``IKeyStore.page_keys``."""

    def revoke(self, key_id: str) -> "Deferred[Key | None]":
        """Remove a key and close its sockets; ``None``: there is none."""


async def authorize(request: Request, keys: Keys, right: Right | None) -> Key:
    """Return the backend key a request carries, which has ``right``.

    Raises :class:`.errors.ApiError` ``unauthorized`` without a valid key, and
    :class:`..rewards.errors.Refused` ``forbidden`` for a plugin key or a missing right.
    """
    values = request.requestHeaders.getRawHeaders(b"authorization", [])
    if len(values) > 1:
        raise _unauthorized("the Authorization header came more than once")
    presented = from_authorization(values[0].decode("latin-1")) if values else None
    if presented is None:
        raise _unauthorized("a backend key is needed: Authorization: ApiKey <key>")
    key = await keys.authenticate(presented)
    if key is None:
        raise _unauthorized("the key is wrong, revoked or expired")
    if key.kind is not KeyKind.BACKEND:
        msg = "this is a plugin's key: the API needs a backend key"
        raise Refused(ErrorCode.FORBIDDEN, msg)
    if right is not None and right not in key.rights:
        msg = f'this key has not the right "{right}"'
        raise Refused(ErrorCode.FORBIDDEN, msg)
    return key


def _unauthorized(message: str) -> ApiError:
    return ApiError(ErrorCode.UNAUTHORIZED, message, headers=_CHALLENGE)
