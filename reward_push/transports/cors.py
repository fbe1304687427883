"""Which pages of other origins may talk to the node, and how they are told (Fetch standard, CORS).

Older Socket.IO clients send credentials by default, so the origin is echoed exactly and never
answered with ``*``. Browsers apply none of this to WebSockets: there the node checks by itself.
"""

from collections.abc import Sequence

import attrs
from twisted.web.http_headers import Headers

from .request import EdgeRequest

_PREFLIGHT_MAX_AGE_S = b"600"


@attrs.frozen
class Origins:
    """The origins that are let in: all of them for ``*``."""

    allowed: frozenset[str]

    @classmethod
    def of(cls, origins: Sequence[str]) -> "Origins":
        """Make it from the setting."""
        return cls(frozenset(origins))

    def allow(self, request_headers: Headers) -> bool:
        """Whether the request's origin is let in. Native clients send none, and are."""
        origin = origin_of(request_headers)
        if origin is None or "*" in self.allowed:
            return True
        return origin.decode("ascii", "replace") in self.allowed

    def annotate(self, request_headers: Headers, answer_headers: Headers) -> None:
        """Put the CORS headers on an answer, whatever its status, so that a page can read errors too."""
        origin = origin_of(request_headers)
        if origin is None:
            return
        answer_headers.setRawHeaders(b"Vary", [b"Origin"])
        if is_legal(origin) and self.allow(request_headers):
            answer_headers.setRawHeaders(b"Access-Control-Allow-Origin", [origin])
            answer_headers.setRawHeaders(b"Access-Control-Allow-Credentials", [b"true"])


def origin_of(request_headers: Headers) -> bytes | None:
    """Return the ``Origin`` header, if there is one; several make one that is not legal."""
    values = request_headers.getRawHeaders(b"Origin")
    return b", ".join(values) if values else None


def is_legal(origin: bytes) -> bool:
    """Whether an ``Origin`` header holds only visible ASCII characters."""
    return all(0x21 <= byte <= 0x7E for byte in origin)


def answer_preflight(request: EdgeRequest) -> bytes:
    """Answer ``OPTIONS``: a preflight carries neither cookie nor sid nor key, so any node can."""
    headers = request.responseHeaders
    wanted = request.requestHeaders.getRawHeaders(b"Access-Control-Request-Headers")
    headers.setRawHeaders(b"Access-Control-Allow-Methods", [b"GET, POST, OPTIONS"])
    headers.setRawHeaders(
        b"Access-Control-Allow-Headers", wanted[:1] if wanted else [b"authorization, content-type"]
    )
    headers.setRawHeaders(b"Access-Control-Max-Age", [_PREFLIGHT_MAX_AGE_S])
    headers.setRawHeaders(b"Vary", [b"Origin, Access-Control-Request-Headers"])
    headers.setRawHeaders(b"Content-Length", [b"0"])
    request.setResponseCode(204)
    return b""
