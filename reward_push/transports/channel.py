"""One HTTP connection: deadlines that trickling cannot move, limits before allocation, last answers
that arrive, and the hand-over to a WebSocket.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IAddress, IProtocol, ITransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from .deadline import Deadline
from .errors import error_body, last_headers, reason_phrase
from .framing import is_ambiguous
from .interfaces import IUpload
from .large import LARGE_BYTES, RETRY_AFTER_S, Unwelcome
from .linger import linger
from .phases import ENDING, Phase, time_for
from .request import peer_of
from .sockets import set_protocol

if TYPE_CHECKING:
    from .site import EdgeSite

_FOLDED = (b" ", b"\t")


class EdgeChannel(HTTPChannel):
    """``HTTPChannel`` with the traps closed. Its own timer is off, as every byte restarts it."""

    site: "EdgeSite"
    transport: Any
    timeOut = None  # noqa: N815  (twisted.web)
    _log = Logger()
    _phase = Phase.HEAD
    _armed: Phase | None = None
    _successor: IProtocol | None = None
    _upload: IUpload | None = None
    _is_large = False
    arrived_from: IAddress | None = None
    """Who has connected."""
    _deadline: Deadline

    # What is received

    def connectionMade(self) -> None:
        """Start the deadline of the first head: it runs from accept."""
        super().connectionMade()
        self._deadline = Deadline(self.site.clock, self._deadline_passed)
        self._arm()

    def dataReceived(self, data: bytes) -> None:
        """Take in ``data`` and set the deadline of what is now awaited."""
        if self._phase in ENDING:
            # TLS goes on reading until the client has agreed to the close.
            return
        super().dataReceived(data)
        if self._phase is Phase.IDLE and (self._buffer or self.requests):
            self._phase = Phase.HEAD
        if self._armed is not self._phase:
            self._arm()

    def lineReceived(self, line: bytes) -> object:
        """Parse one line of a head. True ends the parsing of what else has arrived."""
        if line[:1] in _FOLDED:
            # A header folded over two lines (obs-fold): proxies read it in different ways.
            self._respondToBadRequestAndDisconnect()
        else:
            super().lineReceived(line)
        return self._phase is Phase.GONE and self._successor is None

    def headerReceived(self, line: bytes) -> bool:
        """Take in a header; refuse what a proxy in front may have understood otherwise."""
        if is_ambiguous(line, self._version) or not super().headerReceived(line):
            self._respondToBadRequestAndDisconnect()
            return False
        return True

    def lineLengthExceeded(self, line: bytes) -> bool:
        """Answer where ``HTTPChannel`` would close without a word."""
        if self.requests:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "a header is too long")
        else:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG, "the request line is too long")
        return True

    def allHeadersReceived(self) -> None:
        """Look at the declared length before anything of the body is asked for or kept."""
        if len(self.requests[-1].requestHeaders.getRawHeaders(b"Host", ())) > 1:
            self._respondToBadRequestAndDisconnect()
            return
        self.body_limit = self.site.policy.limit(self._command, self._path)
        if self.body_limit and self.length is not None and self.length > self.body_limit:
            self.refuse_body()
            return
        super().allHeadersReceived()
        self._phase = Phase.BODY
        request = self.requests[-1]
        if self.length is not None and self.length > LARGE_BYTES:
            self.vet_body()
            if self._phase is Phase.GONE:
                return
        if self.length is None or self.length > len(self._buffer):
            self._upload = self.site.policy.receiving(
                self._command, self._path, request.requestHeaders, self._drop, peer_of(request)
            )

    def vet_body(self) -> None:
        """Ask whether the body being received, which is large, is wanted; it comes meanwhile."""
        request = self.requests[-1]
        verdict = self.site.policy.vet(request)
        if verdict is None:
            return
        if not self.site.large.begin():
            retry = (b"Retry-After", b"%d" % RETRY_AFTER_S)
            status = HTTPStatus.SERVICE_UNAVAILABLE
            body = error_body(status, "too many large requests at one time: try again")
            self._answer_and_leave(status, (retry,), body)
            return
        self._is_large = True
        verdict.addCallback(self._vetted, request)

    def _vetted(self, unwelcome: Unwelcome | None, request: Any) -> None:
        is_coming = self._phase is Phase.BODY and self.requests[-1] is request
        if unwelcome is not None and is_coming:
            status = HTTPStatus(unwelcome.status)
            self._answer_and_leave(status, unwelcome.headers, unwelcome.body)

    def _large_is_over(self) -> None:
        if self._is_large:
            self._is_large = False
            self.site.large.end()

    @property
    def target(self) -> bytes:
        """What the request being received is for, with its query."""
        return self._path

    def allContentReceived(self) -> None:
        """The request is complete: no deadline until it is answered."""
        if self._phase is Phase.GONE:
            return
        self._phase = Phase.BUSY
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.whole()
        super().allContentReceived()

    def rawDataReceived(self, data: bytes) -> None:
        """Take in a body, or what follows a request that is being answered."""
        if self._successor is not None:
            # Sent in one segment with the request that was handed over.
            self._successor.dataReceived(data)
        else:
            super().rawDataReceived(data)

    def requestDone(self, request: Any) -> None:
        """The answer is written: wait for the next request, which may be here already."""
        self._large_is_over()
        self._phase = Phase.IDLE
        self._armed = None
        super().requestDone(request)
        if self._armed is not self._phase:
            self._arm()

    # How it ends

    def loseConnection(self) -> None:
        """Close once everything is written, and cut if that takes too long."""
        if self._phase is Phase.GONE:
            return
        super().loseConnection()
        self._phase = Phase.CLOSING
        self._arm()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone: tell the requests."""
        if self._phase is not Phase.GONE:
            self._depart()
        self._stop_receiving()
        super().connectionLost(reason)

    def refuse_body(self) -> None:
        """Answer 413 to the request being received, and close. Once."""
        if self._phase is Phase.GONE:
            # The chunks that came together with the one too many.
            return
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            headers, body = self.site.policy.refuse(
                self._command, self._path, self.requests[-1].requestHeaders
            )
        except Exception:
            self._log.failure("the policy for bodies that are too large failed")
            headers, body = [], error_body(status, "the request body is too large")
        self._answer_and_leave(status, headers, body)

    def _respondToBadRequestAndDisconnect(self) -> None:
        if self._receivedHeaderSize > self.totalHeadersSize:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too large")
        elif self._receivedHeaderCount > self.maxHeaders:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "there are too many headers")
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, "this is not a valid HTTP request")

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self._answer_and_leave(status, (), error_body(status, message))

    def _answer_and_leave(
        self, status: HTTPStatus, headers: Iterable[tuple[bytes, bytes]], body: bytes
    ) -> None:
        """Write a last answer to a request no resource has seen, and let the client read it."""
        if self._phase is Phase.GONE:
            return
        self.site.refusals[status] += 1
        answer = last_headers(headers, body)
        self.site.identify(answer)
        self.writeHeaders(b"HTTP/1.1", b"%d" % status, reason_phrase(status), answer)
        if getattr(self, "_command", b"") != b"HEAD":
            self.transport.write(body)
        linger(self._leave(), self.site.clock)

    def _leave(self) -> Any:
        """Let go of the transport and of everything that was for it."""
        self._depart()
        self._stop_receiving()
        self.requests.clear()
        transport, self.transport = self.transport, None
        transport.unregisterProducer()
        return transport

    def _depart(self) -> None:
        """Nothing more comes in here."""
        self._phase = Phase.GONE
        self._deadline.end()
        self._large_is_over()
        self.site.door.depart(self.arrived_from)

    def _stop_receiving(self) -> None:
        """The body being received, if there is one, will not be complete."""
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.lost()

    def _drop(self) -> None:
        self.transport.abortConnection()

    def hand_over(self, protocol: IProtocol) -> tuple[ITransport, bytes]:
        """Give the connection to ``protocol`` while a request is being rendered.

        Returns the transport and the bytes that have followed the request up to now; what comes
        later goes to ``protocol.dataReceived``. Its ``makeConnection`` is left to the caller. The
        request is not told: its ``notifyFinish`` never fires.
        """
        early = b"".join(self._dataBuffer)
        transport = self._leave()
        self._dataBuffer = []
        self._successor = protocol
        set_protocol(transport, protocol)
        # It may be paused by an earlier answer or by too much sent ahead.
        transport.resumeProducing()
        return transport, early

    # Deadlines

    def _arm(self) -> None:
        self._armed = self._phase
        self._deadline.within(time_for(self._phase, self.site.options))

    def _deadline_passed(self) -> None:
        _PASSED[self._phase](self)

    def _head_too_slow(self) -> None:
        if self._buffer or self.requests:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request's head took too long")
        else:
            self._give_up()

    def _body_too_slow(self) -> None:
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request's body took too long")

    def _give_up(self) -> None:
        self.loseConnection()
        self._phase = Phase.GIVEN_UP
        self._arm()


_PASSED: dict[Phase, Callable[[EdgeChannel], None]] = {
    Phase.IDLE: EdgeChannel._give_up,
    Phase.HEAD: EdgeChannel._head_too_slow,
    Phase.BODY: EdgeChannel._body_too_slow,
    Phase.CLOSING: EdgeChannel._drop,
    Phase.GIVEN_UP: EdgeChannel._drop,
}
"""What a passed deadline leads to. BUSY and GONE have none."""
