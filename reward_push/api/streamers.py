"""``GET /v1/streamers/{streamer}`` and ``POST /v1/streamers/{streamer}/disconnect``."""

from typing import Any

from twisted.web.server import Request

from ..access.interfaces import Right
from ..rewards.errors import ErrorCode
from ..rewards.instants import to_rfc3339
from ..rewards.presence import IPresence, PresentSocket
from ..rewards.structure import identifier
from .answers import Answer, json_answer
from .auth import Callers, authorize
from .body import read_no_fields
from .operation import Operation, Said, ref
from .query import read_query

GET_STREAMER = Operation(
    "getStreamer",
    "Is a streamer online, and by what",
    {200: Said("Its sockets; none when it is offline, or unknown.", ref("Streamer"))},
    right=Right.READ,
    tag="streamers",
)

DISCONNECT = Operation(
    "disconnectStreamer",
    "Close a streamer's connections",
    {200: Said("How many were closed; stock clients come back.", ref("Closed"))},
    (ErrorCode.INVALID_REQUEST,),
    right=Right.ADMIN,
    tag="streamers",
)


class Streamers:
    """The handlers about who is connected. A key limited to namespaces sees, and closes, only those."""

    def __init__(self, presence: IPresence, callers: Callers) -> None:
        self._presence = presence
        self._callers = callers

    async def show(self, request: Request, streamer: str) -> Answer:
        """Tell whether a streamer is online, and by what; one that nobody knows is offline."""
        key = await authorize(request, self._callers, Right.READ)
        read_query(request, {})
        found = await self._presence.sockets_of(identifier(streamer, "streamer"))
        visible = [each for each in found.sockets if key.allows_namespace(each.namespace)]
        visible.sort(key=lambda each: (each.since_ms, each.socket_id))
        sockets = [self._socket(each) for each in visible]
        answer = {"streamer": streamer, "online": bool(sockets), "sockets": sockets}
        if found.silent:
            answer["silent_nodes"] = list(found.silent)
        return json_answer(200, answer)

    async def disconnect(self, request: Request, streamer: str) -> Answer:
        """Close a streamer's connections; the answer counts them."""
        key = await authorize(request, self._callers, Right.ADMIN)
        read_query(request, {})
        read_no_fields(request)
        closed = await self._presence.disconnect(identifier(streamer, "streamer"), key.namespaces)
        return json_answer(200, {"closed": closed})

    def _socket(self, socket: PresentSocket) -> dict[str, Any]:
        return {
            "socket_id": socket.socket_id,
            "namespace": socket.namespace,
            "device": socket.device,
            "transport": socket.transport,
            "revision": socket.revision,
            "since": to_rfc3339(socket.since_ms),
            "rtt_ms": None if socket.rtt_ms is None else round(socket.rtt_ms, 1),
            "node": socket.node,
        }
