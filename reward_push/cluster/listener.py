"""Where other nodes connect: the sessions of this node, for requests that a node of the cluster has signed.

Nothing else is served there, and nobody else is answered but with 403, before a body is read.
"""

from http import HTTPStatus
from typing import Any

import attrs
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from ..access.seldom import Seldom
from ..transports.channel import EdgeChannel
from ..transports.deadline import Clock
from ..transports.errors import error_body
from ..transports.options import SiteOptions
from ..transports.resource import EngineResource
from ..transports.site import EdgeSite
from .reach import KEPT_OPEN_S
from .signature import CLIENT_HEADER, REFUSED_HEADER, SIGNATURE_HEADER, Rejection, Verifier

ROOM_BYTES = 4096
"""By how much the head of a passed-on request may be larger than a client's: it says who passes it on."""


class NodeChannel(EdgeChannel):
    """A connection from another node."""

    site: "NodeSite"
    totalHeadersSize = EdgeChannel.totalHeadersSize + ROOM_BYTES  # noqa: N815  (twisted.web)
    maxHeaders = EdgeChannel.maxHeaders + 10  # noqa: N815  (twisted.web)
    MAX_LENGTH = EdgeChannel.MAX_LENGTH + ROOM_BYTES

    def allHeadersReceived(self) -> None:
        """Look at who sends it before all else."""
        request = self.requests[-1]
        headers = request.requestHeaders
        client = (headers.getRawHeaders(CLIENT_HEADER) or [b""])[-1]
        signature = (headers.getRawHeaders(SIGNATURE_HEADER) or [None])[-1]
        sender = self.site.verifier.check(signature, self._command, self._path, client)
        if isinstance(sender, Rejection):
            self.site.stranger(sender)
            body = error_body(HTTPStatus.FORBIDDEN, "this is for the nodes of the cluster")
            self._answer_and_leave(HTTPStatus.FORBIDDEN, [(REFUSED_HEADER, b"1")], body)
            return
        request.client = _address(client.decode("ascii", "replace"))
        super().allHeadersReceived()


def _address(host: str) -> IPv4Address | IPv6Address | UNIXAddress:
    """Return the address of a client that is connected to another node."""
    if not host:
        return UNIXAddress(None)
    return IPv6Address("TCP", host, 0) if ":" in host else IPv4Address("TCP", host, 0)


class NodeSite(EdgeSite):
    """What all connections from other nodes share."""

    protocol = NodeChannel
    _log = Logger()

    def __init__(
        self, engine: EngineResource, options: SiteOptions, verifier: Verifier, clock: Clock
    ) -> None:
        """``engine`` serves this node's sessions and opens none.

        It passes nothing on, so no request can go in circles.
        """
        if options.idle_timeout_s:
            # A connection that the other node still keeps must not be closed under its next request.
            idle_timeout_s = max(options.idle_timeout_s, KEPT_OPEN_S)
            options = attrs.evolve(options, idle_timeout_s=idle_timeout_s)
        super().__init__(engine, options, engine, clock)
        self.verifier = verifier
        self._notice = Seldom(clock.seconds)

    def stranger(self, why: Rejection) -> None:
        """Nobody of ours sent a request: log it, now and then."""
        if self._notice.due() is not None:
            self._log.warn("a request for another node's was refused: {why}", why=why.value)


class Listener:
    """The port for other nodes."""

    def __init__(self, description: str, site: NodeSite, reactor: Any) -> None:
        """``description`` is a Twisted endpoint string of a TCP port."""
        self._endpoint = serverFromString(reactor, description)
        self._site = site
        self._port: IListeningPort | None = None

    def start(self) -> "Deferred[tuple[str, int]]":
        """Listen; fires with host and port, where the host may stand for all addresses of the machine.

        Fails as endpoints do: with ``CannotListenError`` above all.
        """
        listening: Deferred[IListeningPort] = self._endpoint.listen(self._site)
        return listening.addCallback(self._listens)

    def stop(self) -> "Deferred[None]":
        """Accept no more connections; those that there are stay."""
        port, self._port = self._port, None
        if port is None:
            return succeed(None)
        stopped: Deferred[None] | None = port.stopListening()
        return succeed(None) if stopped is None else stopped

    def _listens(self, port: IListeningPort) -> tuple[str, int]:
        self._port = port
        address: Any = port.getHost()
        return address.host, address.port
