"""A Socket.IO server over fake transports: clients are written to and read from as text frames."""

from collections import deque
from collections.abc import Callable
from typing import Any

from reward_push.engineio.options import EngineOptions
from reward_push.engineio.packet import Packet, PacketType
from reward_push.engineio.registry import Registry
from reward_push.engineio.revision import V4, Revision
from reward_push.engineio.session import Session
from reward_push.socketio.client import Client
from reward_push.socketio.server import Server

from ..fakes import FakeTransport, FakeWheel


class Peer:
    """One client of a :class:`World`."""

    def __init__(self, session: Session, transport: FakeTransport) -> None:
        self.session = session
        self.transport = transport
        self._read = 1

    @property
    def client(self) -> Client:
        """The server's side of it."""
        client = self.session.handler
        assert isinstance(client, Client)
        return client

    def say(self, *messages: str | bytes) -> None:
        """Send Socket.IO packets, without the Engine.IO digit."""
        for data in messages:
            self.session.received(self.transport, Packet(PacketType.MESSAGE, data))

    def heard(self) -> list[str | bytes]:
        """Return what has come since the last call."""
        frames = [frame for payload in self.transport.sent[self._read :] for frame in payload]
        self._read = len(self.transport.sent)
        return [frame[1:] if isinstance(frame, str) else frame for frame in frames]

    @property
    def gone(self) -> bool:
        """Whether the connection has ended."""
        return bool(self.transport.ended)


class World:
    """A server, its clock, and what it has put off to a later turn of the loop."""

    def __init__(self, **options: Any) -> None:
        self.wheel = FakeWheel()
        self.later: deque[Callable[[], Any]] = deque()
        self.server = Server(self.wheel, self.later.append, **options)
        self.registry = Registry(
            EngineOptions(ping_interval_s=1000), self.wheel, self.server.open_client
        )

    def peer(self, revision: Revision = V4, opening: Any = None) -> Peer:
        """Connect a client by WebSocket; it has read its open packet."""
        session = self.registry.open(revision, opening)
        transport = FakeTransport()
        session.transport_opened(transport)
        return Peer(session, transport)

    def turn(self) -> None:
        """Run one turn of the loop."""
        for _ in range(len(self.later)):
            self.later.popleft()()
