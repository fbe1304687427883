"""How other nodes are reached: where they are, signed heads, connections."""

from collections import Counter
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from .directory import MAX_MEMBERS, Directory
from .failures import CANNOT_CONNECT, CUT_OFF, TookTooLong
from .forwarding import Head
from .member import Member
from .signature import CLIENT_HEADER, SIGNATURE_HEADER, Signer

T = TypeVar("T")

CONNECT_TIMEOUT_S = 1.0
KEPT_OPEN_S = 60
"""How long a connection that is not used is kept: less than the other node's listener keeps it."""
KEPT_OPEN = 512
"""How many unused connections are kept for each node."""
TELL_AGAIN_S = 60.0
"""How often one complaint about one node is repeated in the log."""


@implementer(IStreamClientEndpoint)
@attrs.frozen
class _Quiet:
    """An endpoint for the pool, which makes a factory a connection: they do not log that they start and stop."""

    _endpoint: IStreamClientEndpoint

    def connect(self, factory: IProtocolFactory) -> "Deferred[IProtocol]":
        """See ``IStreamClientEndpoint``."""
        if isinstance(factory, Factory):
            factory.noisy = False
        return self._endpoint.connect(factory)


@implementer(IAgentEndpointFactory)
class Reach:
    """Finds nodes and connects to them."""

    _log = Logger()

    def __init__(self, directory: Directory, signer: Signer, reactor: Any) -> None:
        self._directory = directory
        self._signer = signer
        self.clock = reactor
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = KEPT_OPEN
        self._pool.cachedConnectionTimeout = KEPT_OPEN_S
        # A poll sent once more would take packets that nobody gets.
        self._pool.retryAutomatically = False
        # Two lines in the log for each connection otherwise, which say nothing.
        self._pool._factory.noisy = False
        self.agent = Agent.usingEndpointFactory(reactor, self, self._pool)
        self._told_s: dict[str, float] = {}
        self.failures: Counter[str] = Counter()
        """Requests that another node did not answer, so far: ``unknown`` (no such node), ``unreachable``,
        ``refused``, ``late``, ``cut_short``."""

    async def ask(
        self, node_id: str, head: Head, asking: Callable[[Member], Awaitable[T]]
    ) -> T | None:
        """Return what ``asking(member)`` returns, once it is known where the node is; ``head`` is signed.

        A node that cannot be connected to may have been started anew, elsewhere: it is looked for once
        more. ``None``: it is not alive. Raises whatever ``asking`` does.
        """
        member = await self._directory.ask(node_id)
        if member is None or not self._sign(head, member):
            self.failures["unknown"] += 1
            return None
        try:
            return await asking(member)
        except CANNOT_CONNECT:
            again = await self._directory.ask(node_id, anew=True)
            if again is None or again.address == member.address or not self._sign(head, again):
                self.failures["unreachable"] += 1
                return None
            return await asking(again)

    def begin(
        self,
        node_id: str,
        head: Head,
        asking: Callable[[Member], Awaitable[T]],
        timeout_s: float,
    ) -> "Deferred[T | None]":
        """Do what :meth:`ask` does; after ``timeout_s`` it has failed with :class:`.failures.TookTooLong`."""
        asked: Deferred[T | None] = Deferred.fromCoroutine(self.ask(node_id, head, asking))
        return asked if asked.called else asked.addTimeout(timeout_s, self.clock)

    def connect(self, member: Member, factory: IProtocolFactory) -> "Deferred[IProtocol]":
        """Open a connection to a node for ``factory``'s protocol alone."""
        return self._endpoint(*split_address(member.address)).connect(factory)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """See ``IAgentEndpointFactory``."""
        return _Quiet(self._endpoint(uri.host.decode("ascii").strip("[]"), uri.port))

    def refused_by(self, member: Member) -> None:
        """A node does not take our requests for another node's: log it."""
        self.failures["refused"] += 1
        now_s = self.clock.seconds()
        if now_s - self._told_s.get(member.node_id, -TELL_AGAIN_S) < TELL_AGAIN_S:
            return
        if len(self._told_s) >= MAX_MEMBERS:
            self._told_s.clear()
        self._told_s[member.node_id] = now_s
        self._log.error(
            "node {node} refuses the requests of this node: is cluster_secret the same on both?",
            node=member.node_id,
        )

    def failed(self, failure: Failure) -> None:
        """A request that a node was asked has failed: count it, unless it was given up."""
        if failure.check(TookTooLong):
            self.failures["late"] += 1
        elif failure.check(*CANNOT_CONNECT):
            self.failures["unreachable"] += 1
        elif failure.check(*CUT_OFF):
            self.failures["cut_short"] += 1

    def close(self) -> "Deferred[None]":
        """Close the connections that are not in use."""
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed

    def _sign(self, head: Head, member: Member) -> bool:
        """Put the signature into ``head``. False: nothing can be signed yet."""
        signature = self._signer.sign(member.node_id, head.method, head.target, head.client)
        if signature is None:
            return False
        head.headers.setRawHeaders(SIGNATURE_HEADER, [signature])
        head.headers.setRawHeaders(CLIENT_HEADER, [head.client])
        return True

    def _endpoint(self, host: str, port: int) -> IStreamClientEndpoint:
        kind: Any = HostnameEndpoint
        try:
            v6 = ip_address(host).version == 6
            kind = TCP6ClientEndpoint if v6 else TCP4ClientEndpoint
        except ValueError:
            pass
        return Prompt(kind(self.clock, host, port, timeout=CONNECT_TIMEOUT_S))


@implementer(IStreamClientEndpoint)
class Prompt:
    """Connections on which nothing waits for the acknowledgement of what went before (TCP_NODELAY).

    The body of a POST often follows its head later.
    """

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def connect(
        self,
        protocolFactory: IProtocolFactory,  # noqa: N803
    ) -> "Deferred[IProtocol]":
        """See ``IStreamClientEndpoint``."""
        connected: Deferred[IProtocol] = self._endpoint.connect(protocolFactory)
        return connected.addCallback(_promptly)


def _promptly(protocol: Any) -> Any:
    protocol.transport.setTcpNoDelay(True)
    return protocol


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of ``host:port``, where an IPv6 address is in brackets.

    Raises ``ValueError``.
    """
    host, _, port = address.rpartition(":")
    if not host:
        raise ValueError(f"{address!r} is not host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)
