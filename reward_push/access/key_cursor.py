"""Where a list of keys goes on, as a text that says nothing to who reads it."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from .interfaces import Key

_TIME_BYTES = 8
_TIME_END = 1 << 63
_MAX_ID_CHARS = 64
_RULE = "not a cursor of a list of keys"


def after(key: Key) -> str:
    """Return the cursor of the keys that follow ``key`` in a list, which is the newest first."""
    place = key.created_at_ms.to_bytes(_TIME_BYTES, "big") + key.key_id.encode("ascii")
    return urlsafe_b64encode(place).decode("ascii").rstrip("=")


def place(cursor: str) -> tuple[int, str]:
    """Return ``created_at_ms`` and ``key_id`` of the key that ``cursor`` follows.

    Raises ValueError for a text that :func:`after` has not written.
    """
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        at_ms, key_id = int.from_bytes(raw[:_TIME_BYTES], "big"), raw[_TIME_BYTES:].decode("ascii")
    except ValueError:
        raise ValueError(_RULE) from None
    # There are other spellings of the same bytes.
    written = urlsafe_b64encode(raw).decode("ascii").rstrip("=")
    if written != cursor or at_ms >= _TIME_END or not 0 < len(key_id) <= _MAX_ID_CHARS:
        raise ValueError(_RULE)
    return at_ms, key_id
