"""Refused Engine.IO requests as HTTP answers: the one place where a code becomes a status."""

from math import ceil

from ..access.interfaces import Reason, TurnedAway
from ..engineio.errors import Refusal
from .errors import reason_phrase
from .request import EdgeRequest

_TURNED_AWAY = Refusal.FORBIDDEN.code
"""The reference's code for a handshake that a hook of the server has refused, with the hook's text."""


def refuse(request: EdgeRequest, refusal: Refusal) -> bytes:
    """Set status and headers for ``refusal`` and return the body, the same for every transport.

    The code is a JSON number (Engine.IO reference; a string confuses clients).
    """
    return _answer(request, refusal.status, refusal.code, refusal.message)


def turn_away(request: EdgeRequest, turned_away: TurnedAway) -> bytes:
    """Set status and headers for a handshake that may come again later, and return the body.

    The text is the same for all reasons of one status. Stock clients look at the status alone, and come
    again by themselves.
    """
    if turned_away.reason is Reason.NODE_FULL:
        return come_again(request, turned_away.retry_after_s)
    _retry_after(request, turned_away.retry_after_s)
    return _answer(request, 429, _TURNED_AWAY, "Too many requests")


def come_again(request: EdgeRequest, retry_after_s: float = 1.0) -> bytes:
    """Set status and headers for what this node cannot do now, and return the body: 503."""
    _retry_after(request, retry_after_s)
    return _answer(request, 503, _TURNED_AWAY, "Service unavailable")


def _retry_after(request: EdgeRequest, seconds: float) -> None:
    request.setHeader(b"retry-after", b"%d" % max(1, ceil(seconds)))


def _answer(request: EdgeRequest, status: int, code: int, message: str) -> bytes:
    # The phrase by hand: twisted.web has none for 429.
    request.setResponseCode(status, reason_phrase(status))
    request.setHeader(b"content-type", b"application/json")
    request.setHeader(b"cache-control", b"no-store")
    body = b'{"code":%d,"message":"%s"}' % (code, message.encode())
    request.setHeader(b"content-length", b"%d" % len(body))
    return body
