"""The secret that the nodes of one cluster share, and that nobody else knows.

It is the setting ``cluster_secret``, else it follows from the password of Redis, else it is random and kept
in Redis, where the first node puts it. Whoever may read that could also write every message.
"""

import hashlib
import hmac
import secrets

_LABEL = b"reward-push, between nodes: "
"""Makes the key another one than what the same text may be used for elsewhere."""
_RANDOM_BYTES = 32


class SharedSecret:
    """The key to sign requests between nodes with. Its text is never shown."""

    def __init__(self, setting: str | None = None, redis_password: str | None = None) -> None:
        fixed = _key(b"secret", setting) if setting else None
        if fixed is None and redis_password:
            fixed = _key(b"password", redis_password)
        self.key: bytes | None = fixed
        """``None`` until Redis has told it: nothing can be signed, and no signature is right."""
        self.offer = "" if fixed is not None else secrets.token_urlsafe(_RANDOM_BYTES)
        """What Redis is to keep if it keeps none yet; empty: Redis has nothing to do with it."""

    def told(self, kept: str) -> None:
        """Take over what Redis keeps. It is offered from now on, should Redis come back empty."""
        if self.offer and kept:
            self.offer = kept
            self.key = _key(b"kept", kept)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def _key(kind: bytes, text: str) -> bytes:
    return hmac.digest(text.encode(), _LABEL + kind, hashlib.sha256)
