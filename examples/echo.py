"""An application of its own on reward-push's Engine.IO and Socket.IO layers: it echoes everything.

Run ``python examples/echo.py [PORT]`` (default 3000). It serves plain Engine.IO at ``/engine.io/``
and Socket.IO at ``/socket.io/``, with the short timers that the protocols' official test suites
want; they run against it as they are.
"""

import sys
from collections.abc import Mapping
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.web.pages import notFound
from zope.interface import implementer

from reward_push.engineio.errors import CloseReason
from reward_push.engineio.interfaces import ISessionHandler, ITransport
from reward_push.engineio.options import EngineOptions
from reward_push.engineio.outgoing import message
from reward_push.engineio.registry import Registry
from reward_push.engineio.session import Session
from reward_push.socketio.namespace import Namespace
from reward_push.socketio.server import Server
from reward_push.socketio.socket import Socket
from reward_push.transports.acceptor import WebSocketAcceptor
from reward_push.transports.cors import Origins
from reward_push.transports.options import SiteOptions
from reward_push.transports.request import EdgeRequest
from reward_push.transports.resource import EngineResource
from reward_push.transports.root import Root
from reward_push.transports.site import build_site
from reward_push.transports.wheel import Wheel, tick_for

OPTIONS = EngineOptions(
    ping_interval_s=0.3,
    ping_timeout_s=0.2,
    max_packet_bytes=1_000_000,
    max_payload_bytes=1_000_000,
    # The suites demand that a request without EIO is refused.
    missing_eio_is_3=False,
)


@implementer(ISessionHandler)
class EngineEcho:
    """Sends every Engine.IO message back as it came."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def opened(self) -> None:
        """Nothing to say."""

    def message(self, data: str | bytes) -> None:
        """Echo ``data``."""
        self.session.send(message(data))

    def closed(self, reason: CloseReason) -> None:
        """Nothing to clear up."""


class LateOpening:
    """A session whose open packet comes a moment after its WebSocket is there.

    The revision 3 suite begins to listen for it only then. Stock clients listen before they connect.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def transport_opened(self, transport: ITransport) -> None:
        """See ``ISession``."""
        reactor.callLater(0.005, self._session.transport_opened, transport)


class PatientAcceptor(WebSocketAcceptor):
    """Opens new sessions late; upgrades are as they are."""

    def accept(self, request: EdgeRequest, session: Session) -> int:
        """See ``WebSocketAcceptor``."""
        return super().accept(request, session if session.transport else LateOpening(session))


def echo(namespace: Namespace) -> None:
    """Let ``namespace`` tell clients the ``auth`` they came with, and echo their messages."""

    async def admit(socket: Socket, auth: Mapping[str, Any]) -> None:
        socket.user = auth

    namespace.admit = admit
    namespace.connected = lambda socket: socket.emit("auth", dict(socket.user))

    @namespace.on("message")
    def on_message(socket: Socket, *args: Any) -> None:
        socket.emit("message-back", *args)

    @namespace.on("message-with-ack")
    def on_message_with_ack(_: Socket, *args: Any) -> tuple[Any, ...]:
        return args


def main(port: int) -> None:
    """Serve until interrupted."""
    wheel = Wheel(reactor, tick_for(OPTIONS.ping_interval_s, OPTIONS.ping_timeout_s))
    server = Server(wheel, lambda call: reactor.callLater(0, call), connect_timeout_s=1.0)
    echo(server.namespace("/"))
    echo(server.namespace("/custom"))
    websockets = PatientAcceptor(OPTIONS, reactor)
    origins = Origins.of(["*"])
    engines = {
        path: EngineResource(Registry(OPTIONS, wheel, open_handler), websockets, origins)
        for path, open_handler in (("/engine.io", EngineEcho), ("/socket.io", server.open_client))
    }
    root = Root(engines, notFound(), engines["/engine.io"])
    site = build_site(root, SiteOptions(node_id="echo"), root, reactor)
    serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1").listen(site)
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
