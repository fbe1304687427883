"""A WebSocket server that echoes, on reward-push's own WebSocket protocol class: for protocol test suites.

Run ``python examples/ws_echo.py [PORT]`` (default 9001). What stands in place of an Engine.IO session
sends every message back as it came, text as text and bytes as bytes. The limit for messages is raised
to 64 MiB; everything else is as the node has it.
"""

import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.web.resource import Resource
from zope.interface import implementer

from reward_push.engineio.errors import CloseReason
from reward_push.engineio.interfaces import ISession, ITransport
from reward_push.engineio.options import EngineOptions
from reward_push.engineio.outgoing import Outgoing
from reward_push.engineio.packet import Packet, PacketType
from reward_push.transports.acceptor import WebSocketAcceptor
from reward_push.transports.interfaces import IBodyPolicy
from reward_push.transports.options import SiteOptions
from reward_push.transports.request import EdgeRequest
from reward_push.transports.site import build_site

OPTIONS = EngineOptions(max_packet_bytes=64 << 20, max_queue_bytes=0)


class Bare:
    """A revision without Engine.IO: a frame's payload is the message, whatever it is."""

    @staticmethod
    def decode_frame(data: str | bytes) -> Packet:
        """Return ``data`` as a message."""
        return Packet(PacketType.MESSAGE, data)

    @staticmethod
    def encode_frame(packet: Packet, _base64: bool) -> str | bytes:
        """Return the message as it is."""
        return packet.data


@implementer(ISession)
class EchoSession:
    """Sends back what it receives."""

    revision: Any = Bare
    base64 = False

    def transport_opened(self, transport: ITransport) -> None:
        """See ``ISession``: there is no open packet."""

    def received(self, transport: ITransport, packet: Packet) -> float:
        """See ``ISession``."""
        transport.send((Outgoing(packet),))
        return 0.0

    def strained(self, transport: ITransport) -> float:
        """See ``ISession``: nothing is limited."""
        return 0.0

    def transport_drained(self, transport: ITransport) -> None:
        """See ``ISession``: nothing waits here."""

    def transport_proved(self, transport: ITransport) -> None:
        """See ``ISession``."""

    def transport_lost(self, transport: ITransport) -> None:
        """See ``ISession``."""

    def transport_broken(self, transport: ITransport, reason: CloseReason) -> None:
        """See ``ISession``."""


@implementer(IBodyPolicy)
class NoBodies:
    """Requests have none here."""

    def limit(self, method: bytes, uri: bytes) -> int:
        """See ``IBodyPolicy``."""
        return 1

    def receiving(self, *_: Any) -> None:
        """See ``IBodyPolicy``."""

    def vet(self, request: Any) -> None:
        """See ``IBodyPolicy``."""

    def refuse(self, *_: Any) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """See ``IBodyPolicy``."""
        return [], b""


class Echo(Resource):
    """Upgrades every request."""

    isLeaf = True  # noqa: N815  (twisted.web)

    def __init__(self) -> None:
        super().__init__()
        self._websockets = WebSocketAcceptor(OPTIONS, reactor)

    def render(self, request: EdgeRequest) -> int | bytes:
        """Accept a WebSocket, or say what is wrong."""
        wrong = self._websockets.validate(request)
        if wrong is not None:
            request.setResponseCode(400)
            return wrong.encode()
        return self._websockets.accept(request, EchoSession())


def main(port: int) -> None:
    """Serve until interrupted."""
    site = build_site(Echo(), SiteOptions(node_id="echo"), NoBodies(), reactor)
    serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1").listen(site)
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9001)
