"""Reading a request's query: each parameter known, once, and of its type."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from twisted.web.server import Request

from ..rewards.errors import invalid
from ..rewards.structure import Check, shown, suggestion

MAX_PARAMETERS = 32

_CURSOR_BYTES = 8
_CURSOR_END = 1 << 63


def read_query(request: Request, parameters: Mapping[str, Check]) -> dict[str, Any]:
    """Return the checked values of the parameters that came; a check gets a string.

    Raises :class:`..rewards.errors.Refused` for an unknown one, one that comes twice and a wrong value.
    """
    query = request.uri.partition(b"?")[2].decode("latin-1")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        msg = f"the query has more than {MAX_PARAMETERS} parameters"
        raise invalid(msg) from None
    checked: dict[str, Any] = {}
    for name, value in pairs:
        if name not in parameters:
            msg = f"there is no parameter {shown(name)}{suggestion(name, parameters)}"
            raise invalid(msg, name[:40])
        if name in checked:
            msg = f"{name} came more than once"
            raise invalid(msg, name)
        checked[name] = parameters[name](value, name)
    return checked


def whole_number(least: int, most: int) -> Check:
    """Make a check for a whole number, in digits, from ``least`` to ``most``."""
    digits = len(str(most))

    def check(value: object, path: str) -> int:
        text = str(value)
        if text.isascii() and text.isdigit() and len(text) <= digits:
            number = int(text)
            if least <= number <= most:
                return number
        msg = f"{path} must be a whole number from {least} to {most}, not {shown(text)}"
        raise invalid(msg, path)

    return check


def to_cursor(number: int | None) -> str | None:
    """Write where a list goes on, as a string that says nothing to who reads it."""
    if number is None:
        return None
    return urlsafe_b64encode(number.to_bytes(_CURSOR_BYTES, "big")).decode("ascii").rstrip("=")


def cursor(value: object, path: str) -> int:
    """Check a string that :func:`to_cursor` has written."""
    text = str(value)
    try:
        raw = urlsafe_b64decode(f"{text}=") if text.isascii() else b""
    except ValueError:
        raw = b""
    number = int.from_bytes(raw, "big")
    if len(raw) != _CURSOR_BYTES or number >= _CURSOR_END or to_cursor(number) != text:
        msg = f"{path} must be the next_cursor of an earlier answer"
        raise invalid(msg, path)
    return number
