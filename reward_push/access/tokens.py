"""Signed tokens (JWT, RFC 7519) that stand where a plugin key does.

The signature is PyJWT's work. What the token claims is read here and in :mod:`.claims`, by this node's
clock and as strictly as all JSON from outside. Whatever is wrong with a token, the answer is the same.
"""

import hashlib
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

from ..strict_json import JSONError, loads
from .claims import Token, read
from .recent import Recent
from .token_keys import TokenKey, TokenKeys

MAX_TOKEN_CHARS = 4_096
"""Longer texts are no tokens; they are not even decoded."""
MAX_HEADER_CHARS = 1_024
CACHE_SIZE = 4_096

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
"""base64url without padding (RFC 7515 § 2)."""


def looks_like_token(presented: str) -> bool:
    """Return whether a text has the form of a token: three parts between dots."""
    return presented.count(".") == 2


class Tokens:
    """Verifies tokens, and remembers those that it has: polls and namespaces of one client show the same."""

    def __init__(
        self,
        keys: TokenKeys,
        now_ms: Callable[[], int],
        *,
        leeway_s: float = 5.0,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        """``leeway_s``: how far the clock of who makes the tokens may be off, seconds."""
        from jwt import PyJWS

        self._keys = keys
        self._now_ms = now_ms
        self._leeway_ms = round(leeway_s * 1000)
        self._verified: Recent[Token] = Recent(cache_size)
        self._jws = PyJWS()

    def verify(self, presented: str) -> Token | None:
        """Return what ``presented`` grants now; ``None``: nothing, for whatever reason."""
        if len(presented) > MAX_TOKEN_CHARS:
            return None
        token = self.recall(presented)
        if token is None:
            token = self._verify(presented)
            if token is not None:
                self._verified.put(_name(presented), token)
        return token

    def recall(self, presented: str) -> Token | None:
        """Return what ``presented`` grants now if it was verified lately; ``None``: it was not, or nothing."""
        if len(presented) > MAX_TOKEN_CHARS:
            return None
        name = _name(presented)
        token = self._verified.get(name)
        if token is not None and token.expired(self._now_ms()):
            self._verified.discard(name)
            return None
        return token

    def replace_keys(self, keys: TokenKeys) -> None:
        """Check tokens with ``keys`` from now on, those seen before, too."""
        self._keys = keys
        self._verified.clear()

    def _verify(self, presented: str) -> Token | None:
        from jwt.exceptions import PyJWTError

        key = self._key_of(presented)
        if key is None:
            return None
        try:
            payload = self._jws.decode(presented, key.key, algorithms=[key.algorithm.value])
            claims = loads(payload)
        except (PyJWTError, JSONError, ValueError):
            return None
        return read(claims, self._now_ms(), self._leeway_ms)

    def _key_of(self, presented: str) -> TokenKey | None:
        """Return the key for a token, by its header, which nobody has vouched for yet."""
        head = presented.partition(".")[0]
        if not _FORM.fullmatch(presented) or len(head) > MAX_HEADER_CHARS:
            return None
        try:
            header: Any = loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        except (JSONError, ValueError):
            return None
        # Extensions that a reader must understand (RFC 7515 § 4.1.11): we know none.
        if not isinstance(header, dict) or "crit" in header or "b64" in header:
            return None
        key = self._keys.find(header.get("kid"))
        return key if key is not None and header.get("alg") == key.algorithm else None


def _name(presented: str) -> str:
    """Return what a token is remembered by: its digest, so that memory holds no token."""
    return hashlib.sha256(presented.encode("utf-8", "surrogatepass")).hexdigest()
