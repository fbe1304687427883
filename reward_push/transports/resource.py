"""Engine.IO over HTTP: every request for the Engine.IO path ends here.

The order of checks, and the code each failure gets, is the reference's ("Order of checks"); CORS
comes before all of them, so that a page can read the refusal, too.
"""

import hmac
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from zope.interface import implementer

from ..access.credentials import from_authorization
from ..access.interfaces import IDoor
from ..engineio.errors import DecodeError, Refusal
from ..engineio.handshake import Query, parse_query
from ..engineio.opening import Opening
from ..engineio.registry import Registry
from ..engineio.revision import negotiate
from ..engineio.session import Session
from .acceptor import WebSocketAcceptor
from .cors import Origins, answer_preflight, is_legal, origin_of
from .door import OpenDoor
from .handshake import wants_websocket
from .interfaces import IBodyPolicy, IForeignSessions, IUpload
from .polling import PollingTransport
from .refusals import come_again, refuse, turn_away
from .request import EdgeRequest

DRAINING = "draining"
"""The word for a handshake that was refused because the node stops."""


@implementer(IBodyPolicy)
class EngineResource(Resource):
    """Serves handshakes, polls, posts and upgrades of all sessions in ``registry``."""

    isLeaf = True  # noqa: N815  (twisted.web)

    def __init__(
        self,
        registry: Registry,
        websockets: WebSocketAcceptor,
        origins: Origins,
        *,
        door: IDoor | None = None,
        foreign: IForeignSessions | None = None,
        opens: bool = True,
    ) -> None:
        """``door`` decides who may open a session; without it, everybody.

        ``foreign``: who serves the sessions of other nodes. ``opens``: whether new ones are opened.
        """
        super().__init__()
        self._registry = registry
        self._websockets = websockets
        self._origins = origins
        self._door: IDoor = OpenDoor() if door is None else door
        self._foreign = foreign
        self._opens = opens
        self.refused: Counter[str] = Counter()
        """Requests refused since the start, by reason."""

    def render(self, request: EdgeRequest) -> int | bytes:
        """Answer one request of a client."""
        self._origins.annotate(request.requestHeaders, request.responseHeaders)
        if request.method == b"OPTIONS":
            return answer_preflight(request)
        answer = self._route(request)
        if not isinstance(answer, Refusal):
            return answer
        self.refused[answer.name.lower()] += 1
        return refuse(request, answer)

    def limit(self, method: bytes, uri: bytes) -> int:
        """See :class:`.interfaces.IBodyPolicy`."""
        return self._registry.options.max_payload_bytes

    def receiving(
        self, method: bytes, uri: bytes, headers: Headers, drop: Callable[[], None], peer: str
    ) -> IUpload | None:
        """See :class:`.interfaces.IBodyPolicy`."""
        if method != b"POST":
            return None
        transport = self._polling_of(uri, headers)
        if isinstance(transport, _Foreign):
            return transport.foreign.receiving(method, uri, headers, drop, peer, transport.sid)
        return None if transport is None else transport.receiving(drop)

    def vet(self, request: EdgeRequest) -> None:
        """See :class:`.interfaces.IBodyPolicy`: none of a session's is large."""

    def refuse(
        self, method: bytes, uri: bytes, headers: Headers
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """See :class:`.interfaces.IBodyPolicy`. A client that sends too much loses its session."""
        transport = self._polling_of(uri, headers)
        if isinstance(transport, _Foreign):
            transport.foreign.too_large(method, uri, headers, transport.sid)
        elif transport is not None:
            transport.break_off()
        answer = Headers({b"Content-Type": [b"text/plain"]})
        self._origins.annotate(headers, answer)
        return [
            (name, value) for name, values in answer.getAllRawHeaders() for value in values
        ], b""

    def _polling_of(self, uri: bytes, headers: Headers) -> "PollingTransport | _Foreign | None":
        """Return whose polling a request that has not been rendered is for."""
        try:
            query = parse_query(uri.partition(b"?")[2])
        except DecodeError:
            return None
        session = self._find(query, headers)
        if query.transport != "polling":
            return None
        if isinstance(session, _Foreign):
            return session
        return _polling(session) if isinstance(session, Session) else None

    def _route(self, request: EdgeRequest) -> int | bytes | Refusal:
        try:
            query = parse_query(request.uri.partition(b"?")[2])
        except DecodeError:
            return Refusal.BAD_REQUEST
        session = self._find(query, request.requestHeaders)
        if isinstance(session, Refusal):
            return session
        if self._registry.draining and (session is None or query.transport == "websocket"):
            # Sessions go on as long as they may. But an upgrade would soon be cut, and where that happens
            # between the server's "3probe" and the client's "5", socket.io-client polls no more.
            self.refused[DRAINING] += 1
            return come_again(request)
        if isinstance(session, _Foreign):
            done = session.foreign.relay(request, session.sid)
            return Refusal.SESSION_UNKNOWN if done is None else done
        if session is None:
            return self._handshake(request, query)
        if query.transport == "websocket":
            return self._upgrade(request, session)
        return self._poll(request, session)

    def _find(self, query: Query, headers: Headers) -> "Session | _Foreign | Refusal | None":
        """Return the session a request is for; ``None``: it wants a new one."""
        if query.transport not in self._registry.options.transports:
            return Refusal.TRANSPORT_UNKNOWN
        origin = origin_of(headers)
        if origin is not None and not is_legal(origin):
            return Refusal.BAD_REQUEST
        if not self._origins.allow(headers):
            return Refusal.FORBIDDEN
        if query.sid is None:
            return None
        session = self._registry.get(query.sid)
        if session is None:
            foreign = self._foreign
            return Refusal.SESSION_UNKNOWN if foreign is None else _Foreign(foreign, query.sid)
        if not _same_key(headers, query, session.handshake):
            return Refusal.FORBIDDEN
        return session

    def _handshake(self, request: EdgeRequest, query: Query) -> int | bytes | Refusal:
        if not self._opens:
            return Refusal.BAD_REQUEST
        if request.method != b"GET":
            return Refusal.BAD_HANDSHAKE_METHOD
        over_websocket = query.transport == "websocket"
        if over_websocket and self._websockets.validate(request) is not None:
            return Refusal.BAD_REQUEST
        if not over_websocket and wants_websocket(request.requestHeaders):
            return Refusal.BAD_REQUEST
        revision = negotiate(query.eio, self._registry.options)
        if isinstance(revision, Refusal):
            return revision
        authorization = _authorization(request.requestHeaders)
        address = self._door.client_of(request)
        turned_away = self._door.knock(address, lambda: _key_in(authorization, query.params))
        if turned_away is not None:
            return turn_away(request, turned_away)
        opening = Opening(query.params, authorization, address)
        session = self._registry.open(revision, opening, base64=query.base64)
        self._door.entered(session)
        if over_websocket:
            return self._websockets.accept(request, session)
        limit = self._registry.options.max_packet_bytes
        return PollingTransport(session, query.jsonp, limit, self._registry.wheel).open(request)

    def _upgrade(self, request: EdgeRequest, session: Session) -> int | Refusal:
        if self._websockets.validate(request) is not None:
            return Refusal.BAD_REQUEST
        return self._websockets.accept(request, session)

    def _poll(self, request: EdgeRequest, session: Session) -> int | bytes | Refusal:
        transport = _polling(session)
        if transport is None or wants_websocket(request.requestHeaders):
            return Refusal.BAD_REQUEST
        if request.method == b"GET":
            return transport.get(request)
        if request.method == b"POST":
            return transport.post(request)
        request.setResponseCode(405)
        request.setHeader(b"allow", b"GET, POST, OPTIONS")
        return b""


class _Foreign(NamedTuple):
    """A session that is not on this node, and who can say where it is."""

    foreign: IForeignSessions
    sid: str


def _polling(session: Session) -> PollingTransport | None:
    """Return the session's transport while it polls."""
    transport: Any = session.transport
    return transport if isinstance(transport, PollingTransport) else None


def _same_key(headers: Headers, query: Query, opening: Opening) -> bool:
    """Whether the request brings no key, or the one its session was opened with.

    The upgrade of some clients cannot carry the key that their polls do.
    """
    opened_with = _key_in(opening.authorization, opening.query)
    presented = _key_in(_authorization(headers), query.params)
    if presented is None or opened_with is None:
        return True
    return hmac.compare_digest(presented.encode(), opened_with.encode())


def _key_in(authorization: str | None, params: Mapping[str, str]) -> str | None:
    """Return the key that a request brings in its header or, else, in its query."""
    return from_authorization(authorization) or params.get("apiKey")


def _authorization(headers: Headers) -> str | None:
    # As bytes: twisted.web raises for what is not UTF-8, where it is only a wrong key.
    values = headers.getRawHeaders(b"authorization")
    return values[-1].decode("utf-8", "replace") if values else None
