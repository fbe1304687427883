"""Reading a request's body: UTF-8, JSON, an object."""

import re
from typing import Any

from twisted.web.server import Request

from ..rewards.errors import invalid
from ..rewards.structure import kind_of, shown
from ..strict_json import JSONError, loads

_MAX_REASON_CHARS = 200

_CHARSET = re.compile(rb";\s*charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)

_UTF_8 = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})


def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body. Raises :class:`..rewards.errors.Refused`.

    The content type is not looked at but for its charset: ``curl -d`` names a form's.
    """
    _check_encoding(request)
    content = request.content.read() if request.content is not None else b""
    if not content.strip():
        msg = "the body is empty; a JSON object is expected"
        raise invalid(msg)
    try:
        value = loads(content)
    except JSONError as error:
        # The parser may quote what it found: keep that short, and fit to be sent.
        reason = str(error)[:_MAX_REASON_CHARS].encode("utf-8", "backslashreplace").decode()
        msg = f"the body is not valid JSON: {reason}"
        raise invalid(msg) from None
    if not isinstance(value, dict):
        msg = f"the body must be a JSON object, not {kind_of(value)}"
        raise invalid(msg)
    return value


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
