"""The HTTP side of the node's port: ``twisted.web`` with deadlines and limits, and without an access log."""

from collections import Counter

from twisted.internet.interfaces import IAddress
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource
from twisted.web.server import Site

from ..access.interfaces import IDoor
from .channel import EdgeChannel
from .deadline import Clock
from .door import OpenDoor
from .interfaces import IBodyPolicy
from .large import LargeBodies
from .options import SiteOptions
from .protection import PROTECTION
from .request import EdgeRequest

SERVER = b"reward-push"


def build_site(
    root: IResource,
    options: SiteOptions,
    policy: IBodyPolicy,
    clock: Clock,
    door: IDoor | None = None,
) -> "EdgeSite":
    """Return the factory that serves ``root``. ``clock`` is the reactor, or a test's ``Clock``.

    ``door`` decides who is talked to; without it, everybody.
    """
    return EdgeSite(root, options, policy, clock, door)


class EdgeSite(Site):
    """What every connection shares."""

    protocol = EdgeChannel  # type: ignore[assignment]
    requestFactory = EdgeRequest  # noqa: N815  (twisted.web)
    displayTracebacks = False  # noqa: N815  (twisted.web)
    noisy = False

    def __init__(
        self,
        root: IResource,
        options: SiteOptions,
        policy: IBodyPolicy,
        clock: Clock,
        door: IDoor | None = None,
    ) -> None:
        super().__init__(root, timeout=None, reactor=clock)
        self.door: IDoor = OpenDoor() if door is None else door
        self._parsePOSTFormSubmission = False
        self.options = options
        self.policy = policy
        self.large = LargeBodies()
        self.clock = clock
        self.refusals: Counter[int] = Counter()
        """Answers given since the start before a resource saw the request, by status."""
        self._node_id = options.node_id.encode("ascii")

    def buildProtocol(self, addr: IAddress | None) -> EdgeChannel | None:  # type: ignore[override]
        """Make the channel of a new connection; ``None``: nobody wants to talk to it."""
        if not self.door.arrive(addr):
            return None
        channel: EdgeChannel = super().buildProtocol(addr)
        channel.arrived_from = addr
        return channel

    def identify(self, headers: Headers) -> None:
        """Put into an answer's ``headers`` who answers, and :data:`.protection.PROTECTION`."""
        headers.setRawHeaders(b"Server", [SERVER])
        headers.setRawHeaders(b"X-Node-Id", [self._node_id])
        for name, value in PROTECTION.items():
            headers.setRawHeaders(name, [value])

    def startFactory(self) -> None:
        """Keep Twisted's access log, and the timer for its dates, off: balancers log requests."""

    def acceptableProtocols(self) -> list[bytes]:
        """Offer HTTP/1.1 alone in TLS: there are no WebSockets in our HTTP/2."""
        return [b"http/1.1"]
