"""What the edge itself answers when a request does not reach a resource, or kills one."""

import json
from collections.abc import Iterable
from http import HTTPStatus

from twisted.web.http_headers import Headers

CODES = {
    HTTPStatus.BAD_REQUEST: "invalid_request",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_TIMEOUT: "timeout",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.REQUEST_URI_TOO_LONG: "too_large",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "too_large",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}
"""The ``code`` in the body of each status answered here."""


def error_body(status: HTTPStatus, message: str) -> bytes:
    """Return the JSON body that goes with ``status``, in the shape of the HTTP API's errors."""
    error = {"code": CODES[status], "message": message}
    return json.dumps({"error": error}, separators=(",", ":")).encode("ascii")


def last_headers(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Headers:
    """Return the headers of a connection's last answer: ``headers`` and what goes with ``body``.

    It is JSON unless they say something else.
    """
    answer = Headers({b"Content-Type": [b"application/json"]})
    for name, value in headers:
        if name.lower() == b"content-type":
            answer.removeHeader(name)
        answer.addRawHeader(name, value)
    answer.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
    answer.setRawHeaders(b"Connection", [b"close"])
    return answer


def reason_phrase(status: int) -> bytes:
    """Return the words after ``status`` in a status line."""
    return HTTPStatus(status).phrase.encode("ascii")
