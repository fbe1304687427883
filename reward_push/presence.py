"""Who is online: a streamer's sockets on this node."""

from collections.abc import Callable

from zope.interface import implementer

from .engineio.errors import CloseReason
from .engineio.interfaces import IWheel
from .rewards.interfaces import IPresence, PresentSocket
from .rewards.rooms import streamer_room
from .socketio.server import Server
from .socketio.socket import Socket


@implementer(IPresence)
class Presence:
    """Looks streamers up in their rooms."""

    def __init__(self, server: Server, wheel: IWheel, now_ms: Callable[[], int]) -> None:
        self._server = server
        self._wheel = wheel
        self._now_ms = now_ms

    def sockets_of(self, streamer: str) -> list[PresentSocket]:
        """See :class:`.rewards.interfaces.IPresence`."""
        return [self._shown(socket) for socket in self._find(streamer)]

    def disconnect(self, streamer: str) -> int:
        """See :class:`.rewards.interfaces.IPresence`."""
        clients = {socket.client for socket in self._find(streamer)}
        for client in clients:
            client.evict(CloseReason.FORCED_CLOSE)
        return len(clients)

    def _find(self, streamer: str) -> list[Socket]:
        room = streamer_room(streamer)
        return [
            socket
            for namespace in self._server.namespaces.values()
            for socket in namespace.rooms.members([room])
        ]

    def _shown(self, socket: Socket) -> PresentSocket:
        session = socket.client.session
        age_s = self._wheel.now() - session.opened_at
        rtt_s = session.rtt_s
        return PresentSocket(
            namespace=socket.namespace.name,
            transport="" if session.transport is None else session.transport.name,
            revision=session.revision.number,
            since_ms=self._now_ms() - round(age_s * 1000),
            rtt_ms=None if rtt_s is None else round(rtt_s * 1000),
            device=socket.user.device.name,
            socket_id=socket.id,
        )
