"""One HTTP request: a body within its limit, and errors that tell no secrets."""

from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_to_bytes

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.error import UnsupportedMethod
from twisted.web.http import datetimeToString
from twisted.web.server import NOT_DONE_YET, Request

from ..access.key_text import without_secrets
from .errors import error_body, reason_phrase
from .large import LARGE_BYTES

if TYPE_CHECKING:
    from .site import EdgeSite

_LOGGED_PATH = 200


class EdgeRequest(Request):
    """A ``twisted.web`` request as resources get it; ``content`` is always in memory.

    ``args`` has the query only: forms in a body are left to those who expect one.
    """

    channel: Any
    content: Any
    site: "EdgeSite"
    _log = Logger()
    _received = 0

    def gotLength(self, length: int | None) -> None:
        """Prepare for a body; the channel has looked at its declared ``length``."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Keep ``data``, a part of the body, while all of it is within the limit."""
        before = self._received
        self._received += len(data)
        channel = self.channel
        if channel.body_limit and self._received > channel.body_limit:
            channel.refuse_body()
            return
        self.content.write(data)
        if channel.length is None and before <= LARGE_BYTES < self._received:
            channel.vet_body()

    def process(self) -> None:
        """Find the resource and render it."""
        self.site = self.channel.site
        self.site.identify(self.responseHeaders)
        self.responseHeaders.setRawHeaders(b"Date", [datetimeToString()])
        self.prepath = []
        self.postpath = [unquote_to_bytes(part) for part in self.path[1:].split(b"/")]
        if self.path == b"*":
            self._handleStar()
            return
        try:
            self.render(self.site.getResourceFor(self))
        except Exception:
            self.processingFailed(Failure())

    def render(self, resrc: Any) -> None:
        """Ask ``resrc`` for the answer; 405 for each method it has not, known to HTTP or not."""
        try:
            body = resrc.render(self)
        except UnsupportedMethod as error:
            if self.method == b"HEAD" and b"GET" in error.allowedMethods:
                # twisted.web answers with the head of what GET would bring.
                super().render(resrc)
                return
            allowed = b", ".join(error.allowedMethods)
            self.setHeader(b"Allow", allowed)
            message = f"this path takes {allowed.decode('ascii')}"
            self._finish_with_error(HTTPStatus.METHOD_NOT_ALLOWED, message)
            return
        if body is NOT_DONE_YET:
            return
        if not isinstance(body, bytes):
            kind = type(body).__name__
            msg = f"a resource answered with {kind}, not bytes"
            raise TypeError(msg)
        self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
        self.write(body)
        self.finish()

    def processingFailed(self, reason: Failure) -> Failure:
        """A resource failed: log why, tell the client only that it did."""
        self._log.failure(
            "{method} {path} failed",
            reason,
            method=self.method.decode("ascii"),
            path=self.shown_path(),
        )
        if self.channel is None or self.finished or self._disconnected:
            return reason
        if self.startedWriting:
            # The client can tell that the answer is cut off.
            self.loseConnection()
            return reason
        self._finish_with_error(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")
        return reason

    def shown_path(self) -> str:
        """Return the path for a log line: no query, which may hold a key, and nothing unprintable.

        Of a key that somebody has put into the path, only the part that is no secret is left.
        """
        path = self.uri.split(b"?", 1)[0][:_LOGGED_PATH]
        text = path.decode("ascii", "backslashreplace").replace("\x7f", "\\x7f")
        plain = unquote(text, errors="replace")
        hidden = without_secrets(plain)
        return text if hidden == plain else ascii(hidden)[1:-1]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method.decode('ascii')} {self.shown_path()}>"

    def _finish_with_error(self, status: HTTPStatus, message: str) -> None:
        body = error_body(status, message)
        self.setResponseCode(status, reason_phrase(status))
        self.responseHeaders.setRawHeaders(b"Content-Type", [b"application/json"])
        self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
        self.write(body)
        self.finish()


def peer_of(request: Request) -> str:
    """Return the address at the other end of a request's connection; empty where it has none."""
    return getattr(request.getClientAddress(), "host", "") or ""
