"""Answers of the API and how they are written."""

from collections.abc import Mapping
from http import HTTPStatus

import attrs
from twisted.web.server import Request

from ..rewards.errors import Refused
from ..strict_json import dumps
from .errors import STATUS, ApiError, error_json


@attrs.frozen
class Answer:
    """A status, headers, and a body, encoded; ``None``: no body at all."""

    status: int
    body: bytes | None = None
    headers: Mapping[str, tuple[str, ...]] = {}
    content_type: str = "application/json"


def json_answer(
    status: int, value: object, headers: Mapping[str, tuple[str, ...]] | None = None
) -> Answer:
    """Return an answer with ``value`` as compact UTF-8 JSON."""
    return Answer(status, dumps(value).encode(), headers or {})


def error_answer(refused: Refused) -> Answer:
    """Return the answer that tells of ``refused``."""
    headers = refused.headers if isinstance(refused, ApiError) else None
    return json_answer(STATUS[refused.code], {"error": error_json(refused)}, headers)


def write_answer(request: Request, answer: Answer) -> None:
    """Write and finish; no cache may keep it. twisted.web leaves the body out of a HEAD's answer."""
    request.setResponseCode(answer.status, HTTPStatus(answer.status).phrase.encode("ascii"))
    headers = request.responseHeaders
    headers.setRawHeaders(b"Cache-Control", [b"no-store"])
    for name, values in answer.headers.items():
        headers.setRawHeaders(name, values)
    if answer.body is not None:
        headers.setRawHeaders(b"Content-Type", [answer.content_type.encode("latin-1")])
        headers.setRawHeaders(b"Content-Length", [b"%d" % len(answer.body)])
        request.write(answer.body)
    request.finish()
