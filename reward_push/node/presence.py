"""Who is online: a streamer's sockets, on this node or on any."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..cluster.peers import Peers
from ..engineio.errors import CloseReason
from ..engineio.interfaces import IWheel
from ..rewards.presence import IPresence, Present, PresentSocket
from ..rewards.rooms import streamer_room
from ..socketio.server import Server
from ..socketio.socket import Socket


class HerePresence:
    """Looks streamers up in the rooms of this node."""

    def __init__(
        self, server: Server, wheel: IWheel, now_ms: Callable[[], int], node_id: str
    ) -> None:
        self._server = server
        self._wheel = wheel
        self._now_ms = now_ms
        self._node_id = node_id

    def sockets_of(self, streamer: str) -> list[PresentSocket]:
        """List the sockets of ``streamer`` here."""
        return [self._shown(socket) for socket in self._find(streamer, None)]

    def disconnect(self, streamer: str, namespaces: Collection[str] | None) -> int:
        """Close its connections here; return how many. See :class:`..rewards.presence.IPresence`."""
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
            node=self._node_id,
        )


@implementer(IPresence)
class LonePresence:
    """The presence of a node that has no others."""

    def __init__(self, here: HerePresence) -> None:
        self._here = here

    def sockets_of(self, streamer: str) -> "Deferred[Present]":
        """See :class:`..rewards.presence.IPresence`."""
        return succeed(Present(self._here.sockets_of(streamer)))

    def disconnect(self, streamer: str, namespaces: Collection[str] | None) -> "Deferred[int]":
        """See :class:`..rewards.presence.IPresence`."""
        return succeed(self._here.disconnect(streamer, namespaces))


@implementer(IPresence)
class ClusterPresence:
    """The presence of a node among others: all are asked."""

    def __init__(self, here: HerePresence, peers: Peers) -> None:
        self._here = here
        self._peers = peers
        peers.answer("sockets", self._list)
        peers.answer("disconnect", self._close)

    def sockets_of(self, streamer: str) -> "Deferred[Present]":
        """See :class:`..rewards.presence.IPresence`."""
        return Deferred.fromCoroutine(self._sockets_of(streamer))

    def disconnect(self, streamer: str, namespaces: Collection[str] | None) -> "Deferred[int]":
        """See :class:`..rewards.presence.IPresence`. A node that does not answer closes them all the same."""
        return Deferred.fromCoroutine(self._disconnect(streamer, namespaces))

    async def _sockets_of(self, streamer: str) -> Present:
        answers = await self._peers.ask("sockets", streamer=streamer)
        elsewhere = [
            PresentSocket(*each)
            for answer in answers.by_node.values()
            for each in answer["sockets"]
        ]
        return Present([*self._here.sockets_of(streamer), *elsewhere], answers.silent)

    async def _disconnect(self, streamer: str, namespaces: Collection[str] | None) -> int:
        named = None if namespaces is None else list(namespaces)
        answers = await self._peers.ask("disconnect", streamer=streamer, namespaces=named)
        elsewhere = sum(int(answer["closed"]) for answer in answers.by_node.values())
        return elsewhere + self._here.disconnect(streamer, namespaces)

    def _list(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"sockets": self._here.sockets_of(asked["streamer"])}

    def _close(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"closed": self._here.disconnect(asked["streamer"], asked["namespaces"])}
