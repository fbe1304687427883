"""Refused Engine.IO requests as HTTP answers: the one place where a code becomes a status."""

from ..engineio.errors import Refusal
from .request import EdgeRequest


def refuse(request: EdgeRequest, refusal: Refusal) -> bytes:
    """Set status and headers for ``refusal`` and return the body, the same for every transport.

    The code is a JSON number (Engine.IO reference; a string confuses clients).
    """
    request.setResponseCode(refusal.status)
    request.setHeader(b"content-type", b"application/json")
    request.setHeader(b"cache-control", b"no-store")
    body = b'{"code":%d,"message":"%s"}' % (refusal.code, refusal.message.encode())
    request.setHeader(b"content-length", b"%d" % len(body))
    return body
