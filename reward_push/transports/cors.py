"""Which pages of other origins may talk to the node, and how they are told (Fetch standard, CORS).

Older Socket.IO clients send credentials by default, so the origin is echoed exactly and never
answered with ``*``. Browsers apply none of this to WebSockets: there the node checks by itself.
"""

from collections.abc import Sequence

import attrs
from twisted.web.http import Request

_PREFLIGHT_MAX_AGE_S = b"600"


@attrs.frozen
class Origins:
    """The origins that are let in: all of them for ``*``."""

    allowed: frozenset[str]

    @classmethod
    def of(cls, origins: Sequence[str]) -> "Origins":
        """Make it from the setting."""
        return cls(frozenset(origins))

    def allow(self, request: Request) -> bool:
        """Whether the request's origin is let in. Native clients send none, and are."""
        origin = request.getHeader("origin")
        return origin is None or "*" in self.allowed or origin in self.allowed

    def annotate(self, request: Request) -> None:
        """Put the CORS headers on the answer, whatever its status, so that a page can read errors too."""
        origin = request.requestHeaders.getRawHeaders(b"origin")
        if origin is None:
            return
        headers = request.responseHeaders
        headers.setRawHeaders(b"vary", [b"Origin"])
        if is_legal(origin[0]) and self.allow(request):
            headers.setRawHeaders(b"access-control-allow-origin", [origin[0]])
            headers.setRawHeaders(b"access-control-allow-credentials", [b"true"])


def is_legal(origin: bytes) -> bool:
    """Whether an ``Origin`` header holds only visible ASCII characters."""
    return all(0x21 <= byte <= 0x7E for byte in origin)


def answer_preflight(request: Request) -> bytes:
    """Answer ``OPTIONS``: a preflight carries neither cookie nor sid nor key, so any node can."""
    headers = request.responseHeaders
    headers.setRawHeaders(b"access-control-allow-methods", [b"GET, POST, OPTIONS"])
    wanted = request.requestHeaders.getRawHeaders(b"access-control-request-headers")
    headers.setRawHeaders(
        b"access-control-allow-headers", wanted[:1] if wanted else [b"authorization, content-type"]
    )
    headers.setRawHeaders(b"access-control-max-age", [_PREFLIGHT_MAX_AGE_S])
    headers.setRawHeaders(b"vary", [b"Origin, Access-Control-Request-Headers"])
    headers.setRawHeaders(b"content-length", [b"0"])
    request.setResponseCode(204)
    return b""
