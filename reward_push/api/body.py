"""Reading a request's body: UTF-8, JSON, an object."""

import re
from typing import Any

from twisted.web.server import Request

from ..rewards.errors import ErrorCode, Refused, invalid
from ..rewards.structure import kind_of, shown, structure
from ..strict_json import JSONError, loads

_MAX_REASON_CHARS = 200

_CHARSET = re.compile(rb";\s*charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)

_UTF_8 = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})


LARGE_BYTES = 64 * 1024
"""A body of more than this is looked at before it is parsed."""

MAX_VALUES = 20_000
"""Commas, colons and opening brackets in a large body: none that could be accepted has as many. What is
shorter, or has fewer, is parsed in a few milliseconds."""


def read_body(request: Request) -> bytes:
    """Return the body, which is not empty. Raises :class:`..rewards.errors.Refused`."""
    content = _content(request)
    if not content:
        msg = "the body is empty; a JSON object is expected"
        raise invalid(msg)
    return content


def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body. Raises :class:`..rewards.errors.Refused`.

    The content type is not looked at but for its charset: ``curl -d`` names a form's.
    """
    return _small_object(read_body(request))


def read_no_fields(request: Request) -> None:
    """See that a call that takes no body gets none, or an empty object. Raises :class:`..rewards.errors.Refused`."""
    content = _content(request)
    if content:
        structure(_small_object(content), {})


def parse_object(content: bytes) -> dict[str, Any]:
    """Return the JSON object that ``content`` is. Raises :class:`..rewards.errors.Refused`."""
    try:
        value = loads(content)
    except JSONError as error:
        raise not_json(str(error)) from None
    if not isinstance(value, dict):
        msg = f"the body must be a JSON object, not {kind_of(value)}"
        raise invalid(msg)
    return value


def values_at_most(content: bytes, most: int) -> bool:
    """Return whether ``content`` is small, or can have only so many values, without parsing it."""
    if len(content) <= LARGE_BYTES:
        return True
    return sum(content.count(mark) for mark in (b",", b":", b"[", b"{")) <= most


def not_json(reason: str) -> Refused:
    """Return the refusal of a body that is no strict JSON."""
    # The parser may quote what it found: keep that short, and fit to be sent.
    short = reason[:_MAX_REASON_CHARS].encode("utf-8", "backslashreplace").decode()
    return invalid(f"the body is not valid JSON: {short}")


def _content(request: Request) -> bytes:
    """Return the body; nothing for white space."""
    _check_encoding(request)
    content: bytes = b"" if request.content is None else request.content.read()
    return b"" if content.isspace() else content


def _small_object(content: bytes) -> dict[str, Any]:
    if not values_at_most(content, MAX_VALUES):
        msg = "the body has too many values"
        raise Refused(ErrorCode.TOO_LARGE, msg)
    return parse_object(content)


def _check_encoding(request: Request) -> None:
    coding = request.requestHeaders.getRawHeaders(b"content-encoding", [b"identity"])
    if any(each.strip().lower() != b"identity" for each in coding):
        msg = "compressed bodies are not accepted: leave Content-Encoding out"
        raise invalid(msg)
    for raw in request.requestHeaders.getRawHeaders(b"content-type", []):
        charset = _CHARSET.search(raw)
        if charset is not None and charset[1].lower() not in _UTF_8:
            msg = f"the body must be UTF-8, not {shown(charset[1].decode('latin-1'))}"
            raise invalid(msg)
