"""What a signed token says (its *claims*), once its signature is known to be right."""

from typing import Any

import attrs

from ..rewards.names import is_name
from .interfaces import MAX_GROUPS, Key, KeyKind

AUDIENCE = "reward-push"
"""What the claim ``aud`` has to name, where there is one: a token may be for somebody else."""

KEY_ID_PREFIX = "jwt:"
"""The key id of a streamer's tokens is this and the streamer: fresh ones are the same key. No store has it."""

MAX_NAMESPACES = 100
MAX_NAMESPACE_CHARS = 64
_LAST_S = 253_402_300_799
"""9999-12-31T23:59:59Z."""


@attrs.frozen
class Token(Key):
    """The key that a signed token stands for: a plugin key, until :attr:`expires_at_ms`."""

    device: str | None = None
    """The device it is for; ``None``: its client names one, or none."""


def read(claims: object, now_ms: int, leeway_ms: int) -> Token | None:
    """Return what ``claims``, a JSON value, stand for; ``None`` when they grant nothing now.

    ``leeway_ms``: how far the clock of who made them may be off.
    """
    try:
        return _read(claims, now_ms, leeway_ms)
    except _Wrong:
        return None


class _Wrong(Exception):
    """A claim is missing, of a wrong form, or says no."""


def _read(claims: object, now_ms: int, leeway_ms: int) -> Token:
    if not isinstance(claims, dict):
        raise _Wrong
    streamer = _name(claims.get("sub"))
    begins_ms = _moment_ms(claims.get("nbf", 0))
    ends_ms = _moment_ms(claims.get("exp")) + leeway_ms
    if now_ms < begins_ms - leeway_ms or now_ms >= ends_ms:
        raise _Wrong
    if "aud" in claims and AUDIENCE not in _list(claims["aud"]):
        raise _Wrong
    return Token(
        key_id=KEY_ID_PREFIX + streamer,
        kind=KeyKind.PLUGIN,
        created_at_ms=begins_ms,
        streamer=streamer,
        groups=_names(claims.get("groups", [])),
        namespaces=_namespaces(claims["namespaces"]) if "namespaces" in claims else None,
        expires_at_ms=ends_ms,
        device=_name(claims["device"]) if "device" in claims else None,
    )


def _name(value: object) -> str:
    if not (isinstance(value, str) and is_name(value)):
        raise _Wrong
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_GROUPS:
        raise _Wrong
    return tuple(dict.fromkeys(map(_name, value)))


def _namespaces(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_NAMESPACES:
        raise _Wrong
    for each in value:
        if not (
            isinstance(each, str) and each.startswith("/") and len(each) <= MAX_NAMESPACE_CHARS
        ):
            raise _Wrong
    return tuple(dict.fromkeys(value))


def _moment_ms(value: object) -> int:
    """Return a NumericDate (RFC 7519 § 2): seconds, which may be fractional, as milliseconds."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LAST_S:
        raise _Wrong
    return int(value * 1000)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
