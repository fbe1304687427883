"""A connection to the node that has a session, up to the end of its first answer.

For upgrades: a client library for HTTP would not let go of the connection when the answer is a 101.
"""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from .failures import NotAnAnswer
from .forwarding import Answer

MAX_HEAD_BYTES = 64 * 1024
"""The largest head of an answer; a refusal's body has as much room again."""


class Owner(Protocol):
    """Sends one request and reads one answer."""

    transport: Any

    def __init__(self) -> None:
        self._received = b""
        self._answer: Deferred[tuple[Answer, bytes]] = Deferred()

    def ask(self, request: bytes) -> "Deferred[tuple[Answer, bytes]]":
        """Send ``request``; return its answer, and what has come behind a 101.

        Fails with :class:`NotAnAnswer` and when the connection is lost.
        """
        self.transport.write(request)
        return self._answer

    def dataReceived(self, data: bytes) -> None:
        """Look for the end of the answer."""
        if self._answer.called:
            return
        self._received += data
        try:
            answer = _answer_in(self._received)
        except ValueError as error:
            self._answer.errback(NotAnAnswer(str(error)))
            return
        if answer is not None:
            self._answer.callback(answer)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """There will be no answer."""
        if not self._answer.called:
            self._answer.errback(reason)


OWNERS = Factory.forProtocol(Owner)
OWNERS.noisy = False


def _answer_in(received: bytes) -> tuple[Answer, bytes] | None:
    """Return the answer at the beginning of ``received``, and what follows a 101; ``None``: go on.

    Raises ``ValueError``.
    """
    head, end, rest = received.partition(b"\r\n\r\n")
    if len(head) > MAX_HEAD_BYTES:
        raise ValueError("its head is too large")
    if not end:
        return None
    status_line, *lines = head.split(b"\r\n")
    version, status, phrase = status_line.split(b" ", 2)
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or len(status) != 3:
        raise ValueError("its status line is none")
    headers = Headers()
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise ValueError("a header is none")
        headers.addRawHeader(name, value.strip(b" \t"))
    code = int(status)
    if code == 101:
        return Answer(code, phrase, headers, b""), rest
    [length] = headers.getRawHeaders(b"content-length", [b"0"])
    if not length.isdigit() or int(length) > MAX_HEAD_BYTES:
        raise ValueError("its body is too large")
    if len(rest) < int(length):
        return None
    return Answer(code, phrase, headers, rest[: int(length)]), b""
