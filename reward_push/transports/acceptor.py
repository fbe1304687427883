"""From an upgrade request to a session's WebSocket: the HTTP side of a connection ends here."""

from twisted.logger import Logger
from twisted.web.server import NOT_DONE_YET

from ..engineio.interfaces import ISession
from ..engineio.options import EngineOptions
from . import handshake
from .deadline import Clock
from .reception import limits_for
from .request import EdgeRequest
from .websocket import WebSocketTransport


class WebSocketAcceptor:
    """Turns upgrade requests into the WebSockets of sessions."""

    _log = Logger()

    def __init__(self, options: EngineOptions, clock: Clock) -> None:
        self._limits = limits_for(options.max_packet_bytes)
        self._clock = clock

    def validate(self, request: EdgeRequest) -> str | None:
        """Return what is wrong with an upgrade request, to be answered 400; ``None``: nothing."""
        return handshake.refusal(request.method, request.clientproto, request.requestHeaders)

    def accept(self, request: EdgeRequest, session: ISession) -> int:
        """Answer a valid upgrade ``request`` with 101 and give its connection to ``session``.

        To be returned from ``render``, or called later while the request is held. Headers and
        cookies set on the request go out with the 101. The request is over then, without
        ``notifyFinish``. Where the client has left meanwhile, the session is told so.
        """
        protocol = WebSocketTransport(session, self._limits, self._clock)
        channel = request.channel
        if channel is None:
            session.transport_lost(protocol)
            return NOT_DONE_YET
        if request.cookies:
            request.responseHeaders.setRawHeaders(b"Set-Cookie", request.cookies)
        head = handshake.answer(request.requestHeaders, request.responseHeaders)
        transport, early = channel.hand_over(protocol)
        try:
            protocol.open(transport, head)
            if early:
                protocol.dataReceived(early)
        except Exception:
            self._log.failure("a session failed to open its WebSocket")
            transport.abortConnection()
        return NOT_DONE_YET
