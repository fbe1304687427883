"""Long polling: a GET that waits for packets and a POST that brings some (Engine.IO protocol, "HTTP").

At most one GET and one POST of a session may be under way. The transport lives as long as the
session polls; between two GETs it is simply not writable.

The next GET proves that the answer to the one before has arrived, unless it is the same GET again:
browsers, HTTP libraries and balancers repeat one whose connection broke before its answer came. Most stock
clients mark each GET with a ``t`` of its own, so a repeated one is known by it. Then an answer is lost. To others ``t`` is
nothing but a cache buster: the .NET client's are seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf

from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ..engineio import jsonp
from ..engineio.errors import CloseReason, DecodeError, EncodeError, Refusal
from ..engineio.interfaces import ISession, ITransport, IWheel
from ..engineio.outgoing import Outgoing
from ..engineio.packet import Packet
from ..engineio.revision import Revision
from .posts import IncomingPost, SlowPost
from .refusals import refuse
from .request import EdgeRequest

SECONDS_DIGITS = 10
"""Digits of the time in seconds, until the year 2286; in milliseconds it has more."""


@implementer(ITransport)
class PollingTransport:
    """The polling end of one session. ``jsonp`` is the callback index of a JSONP client, else ``None``."""

    __slots__ = (
        "_answered",
        "_held",
        "_incoming",
        "_is_marking",
        "_jsonp",
        "_max_packet_bytes",
        "_session",
        "_wheel",
    )

    name = "polling"

    def __init__(
        self, session: ISession, jsonp: str | None, max_packet_bytes: int, wheel: IWheel
    ) -> None:
        self._session = session
        self._max_packet_bytes = max_packet_bytes
        self._jsonp = jsonp
        self._wheel = wheel
        self._held: EdgeRequest | None = None
        self._answered: bytes | None = None
        """The mark of the last GET that was answered, if it had one."""
        self._is_marking: bool | None = None
        """Whether each GET has a mark of its own; not known before the first after the handshake."""
        self._incoming: IncomingPost | SlowPost | None = None

    @property
    def writable(self) -> bool:
        """Whether a GET is held."""
        return self._held is not None

    def open(self, request: EdgeRequest) -> int:
        """Answer the handshake GET: the session sends its open packet."""
        self._held = request
        self._session.transport_opened(self)
        return NOT_DONE_YET

    def get(self, request: EdgeRequest) -> int | bytes:
        """Hold ``request`` until there is something to say. A second one ends the session, and so does a
        repeated one: the client comes again, and gets what it has not proved to have.
        """
        if self._held is not None:
            return self._break(request, 400, CloseReason.TRANSPORT_ERROR)
        if self._is_repeated(_mark_of(request)):
            self._session.transport_lost(self)
            return refuse(request, Refusal.SESSION_UNKNOWN)
        self._held = request
        request.notifyFinish().addErrback(self._aborted, request)
        self._session.transport_drained(self)
        return NOT_DONE_YET

    def receiving(self, drop: Callable[[], None]) -> IncomingPost | None:
        """A POST has begun whose body has yet to come. A second one ends the session.

        ``drop`` and what is returned: see :class:`.interfaces.IBodyPolicy`.
        """
        if self._incoming is None:
            self._incoming = IncomingPost(self, drop)
            return self._incoming
        self._overlap()
        return None

    def received(self, post: IncomingPost | SlowPost) -> None:
        """``post`` is whole, or dealt with."""
        if self._incoming is post:
            self._incoming = None

    def lost(self, post: IncomingPost | SlowPost) -> None:
        """``post`` will never be whole, or is given up, so packets are missing: the session is over.

        A poll that is held is failed, so that the client, if it is still there, comes back.
        """
        if self._incoming is post:
            self._incoming = None
            self.fail()
            self._session.transport_lost(self)

    def post(self, request: EdgeRequest) -> bytes | int:
        """Take the packets of a body; they are processed before the answer is written."""
        if self._incoming is not None:
            self._overlap()
            request.setResponseCode(400)
            return b""
        body = request.content.read()
        content_type = request.getHeader(b"content-type")
        try:
            if self._jsonp is not None:
                body, content_type = jsonp.unwrap(body), None
            packets = self._session.revision.decode_payload(body, content_type)
        except DecodeError:
            return self._break(request, 400, CloseReason.PARSE_ERROR)
        answer = self.take(packets, request)
        if isinstance(answer, bytes):
            return answer
        self._incoming = SlowPost(self, request, packets, self._wheel, answer)
        return NOT_DONE_YET

    def take(self, packets: Iterator[Packet], request: EdgeRequest) -> bytes | float:
        """Give the session what is left of a POST; return its answer, or how long the rest has to wait."""
        try:
            for packet in packets:
                if is_larger(packet.data, self._max_packet_bytes):
                    return self._break(request, 413, CloseReason.TRANSPORT_ERROR)
                if pause_s := self._session.received(self, packet):
                    if pause_s == inf:
                        return refuse(request, Refusal.SESSION_UNKNOWN)
                    return pause_s
        except DecodeError:
            return self._break(request, 400, CloseReason.PARSE_ERROR)
        request.setHeader(b"content-type", b"text/html")
        return b"ok"

    def send(self, units: Sequence[Outgoing]) -> None:
        """See :class:`..engineio.interfaces.ITransport`.

        A text that the framing cannot carry ends the session. Socket.IO sends none.
        """
        try:
            content_type, body = self._encode(units)
        except EncodeError:
            self._session.transport_broken(self, CloseReason.PARSE_ERROR)
            return
        request, self._held = self._held, None
        if request is None:
            return
        self._answered = _mark_of(request)
        request.setHeader(b"content-type", content_type)
        request.setHeader(b"content-length", b"%d" % len(body))
        request.setHeader(b"cache-control", b"no-store")
        request.write(body)
        request.finish()

    def ping(self) -> None:
        """See :class:`..engineio.interfaces.ITransport`: the next poll is the proof."""

    def _encode(self, units: Sequence[Outgoing]) -> tuple[bytes, bytes]:
        revision: Revision = self._session.revision
        if self._jsonp is None:
            return revision.encode_payload(units, base64=self._session.base64)
        script = jsonp.wrap(self._jsonp, revision.text_payload(units))
        return b"text/javascript; charset=UTF-8", script

    def break_off(self) -> None:
        """The client has sent more than it may: the session is over."""
        self._session.transport_broken(self, CloseReason.TRANSPORT_ERROR)

    def close(self) -> None:
        """See :class:`..engineio.interfaces.ITransport`. The session's last packet has ended the poll."""

    def fail(self) -> None:
        """See :class:`..engineio.interfaces.ITransport`."""
        request, self._held = self._held, None
        if request is not None:
            request.write(refuse(request, Refusal.SESSION_UNKNOWN))
            request.finish()

    def _is_repeated(self, mark: bytes | None) -> bool:
        """Whether a GET with this mark is the one that was answered last."""
        if self._is_marking is None:
            # The handshake repeated would be another handshake.
            self._is_marking = mark is not None and mark != self._answered and not _is_seconds(mark)
            return False
        return self._is_marking and mark == self._answered

    def _overlap(self) -> None:
        """There are two POSTs at once: the first one loses its connection, both their session."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.drop()
        self._session.transport_broken(self, CloseReason.TRANSPORT_ERROR)

    def _break(self, request: EdgeRequest, status: int, reason: CloseReason) -> bytes:
        """The client broke the protocol: end the session and return the empty answer."""
        self._session.transport_broken(self, reason)
        request.setResponseCode(status)
        return b""

    def _aborted(self, _: Failure, request: EdgeRequest) -> None:
        if self._held is request:
            self._held = None
            self._session.transport_lost(self)


def _mark_of(request: EdgeRequest) -> bytes | None:
    """Return what a stock client tells its GETs apart by."""
    marks: list[bytes] | None = request.args.get(b"t")
    return marks[-1] if marks else None


def _is_seconds(mark: bytes) -> bool:
    """Whether ``mark`` is the time in whole seconds, as of the .NET client: two GETs may well share it."""
    return mark.isdigit() and len(mark) <= SECONDS_DIGITS


def is_larger(data: str | bytes, limit: int) -> bool:
    """Whether ``data`` takes more than ``limit`` bytes (text as UTF-8); never for limit 0."""
    if not limit or len(data) * 4 <= limit:
        return False
    return len(data) > limit or (isinstance(data, str) and len(data.encode()) > limit)
