"""Who is online: a streamer's sockets on this node."""

from collections.abc import Callable, Collection

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
        return [self._shown(socket) for socket in self._find(streamer, None)]

    def disconnect(self, streamer: str, namespaces: Collection[str] | None) -> int:
        """See :class:`.rewards.interfaces.IPresence`."""
        clients = {socket.client for socket in self._find(streamer, namespaces)}
        for client in clients:
            client.evict(CloseReason.FORCED_CLOSE)
        return len(clients)

    def _find(self, streamer: str, namespaces: Collection[str] | None) -> list[Socket]:
        room = streamer_room(streamer)
        return [
            socket
            for name, namespace in self._server.namespaces.items()
            if namespaces is None or name in namespaces
            for socket in namespace.rooms.members([room])
        ]

    def _shown(self, socket: Socket) -> PresentSocket:
        session = socket.client.session
        transport, rtt_s = session.transport, session.rtt_s
        age_s = self._wheel.now() - socket.joined_at
        return PresentSocket(
            socket_id=socket.id,
            namespace=socket.namespace.name,
            device=socket.user.device.name,
            transport="" if transport is None else transport.name,
            revision=session.revision.number,
            since_ms=self._now_ms() - round(age_s * 1000),
            rtt_ms=None if rtt_s is None else rtt_s * 1000,
        )
