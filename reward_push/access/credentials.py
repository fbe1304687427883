"""Where a key stands in an HTTP request."""

_SCHEMES = ("apikey", "bearer")


def from_authorization(value: str | None) -> str | None:
    """Return the key in an ``Authorization`` header, ``ApiKey <key>`` or ``Bearer <key>``.

    ``None`` when there is no header, the scheme is another, or the key is missing. The scheme's case does
    not matter (RFC 9110 § 11.1); the key itself is not looked at.
    """
    scheme, _, key = (value or "").strip(" \t").partition(" ")
    if scheme.lower() not in _SCHEMES:
        return None
    return key.strip(" \t") or None
