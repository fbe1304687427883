"""A node's edge and what joins it to others, as a process of its own; on top of it, an echo.

``python -m tests.cluster.small_node '{"node_id": "b", "redis_port": 6379, …}'``. It prints one line of JSON
with its ports once it is in the directory, and ends when its standard input does.
"""

import json
import os
import sys
import time
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Protocol
from twisted.internet.stdio import StandardIO
from twisted.web.pages import notFound
from zope.interface import implementer

from reward_push.cluster.address import RedisAddress
from reward_push.cluster.advertise import joined
from reward_push.cluster.directory import Directory
from reward_push.cluster.link import RedisLink
from reward_push.cluster.listener import Listener, NodeSite
from reward_push.cluster.member import Load, Member
from reward_push.cluster.reach import Reach
from reward_push.cluster.relay import Relay
from reward_push.cluster.secret import SharedSecret
from reward_push.cluster.signature import Sender, Signer, Verifier
from reward_push.engineio.errors import CloseReason
from reward_push.engineio.interfaces import ISessionHandler
from reward_push.engineio.options import EngineOptions
from reward_push.engineio.outgoing import message
from reward_push.engineio.registry import Registry
from reward_push.engineio.session import Session
from reward_push.transports.acceptor import WebSocketAcceptor
from reward_push.transports.cors import Origins
from reward_push.transports.options import SiteOptions
from reward_push.transports.resource import EngineResource
from reward_push.transports.root import Root
from reward_push.transports.site import build_site
from reward_push.transports.wheel import Wheel

PREFIX = "rp:"


@attrs.frozen
class Ports:
    """Where a small node listens."""

    clients: int
    nodes: int
    pid: int


@implementer(ISessionHandler)
class Echo:
    """Sends back what it gets; ``size:N`` brings N bytes of text, ``bytes:N`` binary ones."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def opened(self) -> None:
        """See ``ISessionHandler``."""

    def message(self, data: str | bytes) -> None:
        """See ``ISessionHandler``."""
        if isinstance(data, str) and data.startswith("size:"):
            self.session.send(message("x" * int(data[5:])))
        elif isinstance(data, str) and data.startswith("bytes:"):
            self.session.send(message(bytes(range(256)) * (int(data[6:]) // 256)))
        else:
            self.session.send(message(data))

    def closed(self, reason: CloseReason) -> None:
        """See ``ISessionHandler``: it is printed, for tests that want to know why."""
        tell(closed=self.session.sid, reason=reason.value)


class SmallNode:
    """The parts, wired as a node wires them."""

    def __init__(self, reactor: Any, redis: Any, *, node_id: str, **options: Any) -> None:
        self.reactor = reactor
        self.node_id = node_id
        engine = EngineOptions(**options.pop("engine", {}))
        secret = SharedSecret(options.pop("secret", None))
        listen = options.pop("listen", "tcp:0:interface=127.0.0.1:backlog=1024")
        limit = options.pop("limit", 20_000)
        answer_timeout_s = options.pop("answer_timeout_s", 60.0)
        assert not options, options
        wheel = Wheel(reactor)
        registry = Registry(engine, wheel, Echo, node_id)
        acceptor = WebSocketAcceptor(engine, reactor)
        origins = Origins.of(["*"])
        instance = os.urandom(8).hex()
        self._me = Member(node_id, instance, 0, "", "1", now_ms(), 0, "starting")
        self._load = lambda: Load(len(registry), "ok")
        self._redis, self._secret = redis, secret
        self._engine = EngineResource(registry, acceptor, origins, opens=False)
        self._verifier = Verifier(secret, node_id, now_ms)
        self._signer = Signer(secret, Sender(node_id, instance), now_ms)
        site_options = SiteOptions(node_id=node_id)
        self.node_site = NodeSite(self._engine, site_options, self._verifier, reactor)
        self._listener = Listener("tcp:0:interface=127.0.0.1:backlog=1024", self.node_site, reactor)
        self.directory: Directory
        self.relay: Relay

        def finish(port: int) -> None:
            me = attrs.evolve(self._me, address=joined("127.0.0.1", port))
            self.directory = Directory(redis, PREFIX, me, self._load, secret, reactor, now_ms)
            reach = Reach(self.directory, self._signer, reactor)
            self.relay = Relay(node_id, reach, answer_timeout_s=answer_timeout_s, limit=limit)
            self.directory.on_gone(self.relay.owner_gone)
            resource = EngineResource(registry, acceptor, origins, foreign=self.relay)
            root = Root({"/websockets": resource}, notFound(), resource)
            self.site = build_site(root, site_options, root, reactor)

        self._finish = finish
        self._listen = listen

    async def start(self) -> Ports:
        """Listen, and be found by others."""
        _, node_port = await self._listener.start()
        self._finish(node_port)
        await self.directory.start()
        port: Any = await serverFromString(self.reactor, self._listen).listen(self.site)
        return Ports(getattr(port.getHost(), "port", 0), node_port, os.getpid())


def tell(**fields: Any) -> None:
    """Print a line of JSON, for the test that has started this process."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def now_ms() -> int:
    """The clock of these nodes: all are on one machine."""
    return time.time_ns() // 1_000_000


class _Lifeline(Protocol):
    def connectionLost(self, reason: Any = None) -> None:
        from twisted.internet import reactor

        if reactor.running:  # type: ignore[attr-defined]
            reactor.stop()  # type: ignore[attr-defined]


def main() -> None:
    """Run until standard input ends."""
    from twisted.internet import reactor

    options = json.loads(sys.argv[1])

    async def run() -> None:
        connected: Deferred[None] = Deferred()

        async def up() -> None:
            if connected.called:
                node.directory.hurry()
            else:
                connected.callback(None)

        url = f"redis://127.0.0.1:{options.pop('redis_port')}"
        link = RedisLink(RedisAddress.parse(url), reactor, connected=up)
        node = SmallNode(reactor, link, **options)
        link.start()
        await connected
        ports = await node.start()
        StandardIO(_Lifeline())
        tell(**attrs.asdict(ports))

    def failed(failure: Any) -> None:
        failure.printTraceback(sys.stderr)
        os._exit(1)

    Deferred.fromCoroutine(run()).addErrback(failed)
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
