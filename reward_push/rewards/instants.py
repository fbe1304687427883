"""Instants: epoch milliseconds inside, RFC 3339 outside."""

import re
from datetime import UTC, datetime, timedelta

from .errors import invalid
from .structure import integer, kind_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

LAST_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z: the last instant RFC 3339 can write."""

# datetime.fromisoformat() takes much more of ISO 8601 (week dates, no zone, no seconds): RFC 3339 § 5.6.
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]"
    r"(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,12})?"
    r"(?P<zone>[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-9]{2})?",
    re.ASCII,
)

_epoch_ms = integer(0, LAST_MS)


def to_rfc3339(epoch_ms: int) -> str:
    """Write an instant in RFC 3339, UTC, with milliseconds: ``2026-11-24T20:00:00.250Z``."""
    moment = _EPOCH + timedelta(milliseconds=epoch_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{epoch_ms % 1000:03d}Z"


def instant(value: object, path: str) -> int:
    """Check an RFC 3339 string with a zone, or epoch milliseconds; return epoch milliseconds.

    What is finer than a millisecond is cut off. A leap second (``:60``) is refused.
    """
    if not isinstance(value, str):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _epoch_ms(value, path)
        msg = f"{path} must be an RFC 3339 string or epoch milliseconds, not {kind_of(value)}"
        raise invalid(msg, path)
    match = _RFC_3339.fullmatch(value)
    if match is None:
        msg = (
            f"{path} must be an RFC 3339 date and time with its zone, like 2026-11-24T20:00:00.250Z"
        )
        raise invalid(msg, path)
    if match["zone"] is None:
        msg = f"{path} has no zone: end it with Z or an offset like +01:00"
        raise invalid(msg, path)
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError as error:
        msg = f"{path} is no moment that exists: {error}"
        raise invalid(msg, path) from None
    return _epoch_ms((moment - _EPOCH) // _MILLISECOND, path)
