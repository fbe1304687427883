"""What requests from other nodes look like to whom they are for."""

from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from reward_push.access.addresses import Proxies
from reward_push.access.seldom import EVERY_S
from reward_push.cluster.listener import NodeSite
from reward_push.cluster.reach import KEPT_OPEN_S
from reward_push.cluster.secret import SharedSecret
from reward_push.cluster.signature import Sender, Signer, Verifier
from reward_push.transports.options import SiteOptions
from reward_push.transports.request import peer_of


class Engine:
    """Keeps the requests it gets."""

    isLeaf = True  # noqa: N815

    def __init__(self) -> None:
        self.requests: list[Any] = []

    def render(self, request: Any) -> bytes:
        self.requests.append(request)
        return b"served"

    def limit(self, method: bytes, uri: bytes) -> int:
        return 1000

    def receiving(self, *_: Any) -> None:
        return None

    def getChildWithDefault(self, *_: Any) -> Any:
        return self


class Site:
    """A site for nodes, and the requests that came through it."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.engine = Engine()
        verifier = Verifier(SharedSecret("s"), "b", lambda: 0)
        site_options = SiteOptions(node_id="b", **options)
        self.site = NodeSite(self.engine, site_options, verifier, self.clock)  # type: ignore[arg-type]
        self.signer = Signer(SharedSecret("s"), Sender("a", "1"), lambda: 0)

    def ask(self, client: str, *lines: str, signed: bool = True) -> bytes:
        channel = self.site.buildProtocol(None)
        transport = StringTransport()
        channel.makeConnection(transport)
        signature = self.signer.sign("b", b"GET", b"/x?y", client.encode())
        assert signature is not None
        head = ["GET /x?y HTTP/1.1", "Host: h", f"X-Relay-Client: {client}", *lines]
        if signed:
            head.append(f"X-Relay: {signature.decode()}")
        channel.dataReceived("\r\n".join([*head, "", ""]).encode())
        return transport.value()


@pytest.mark.parametrize("client", ["1.2.3.4", "2001:db8::7", "fe80::1%eth0"])
def test_the_client_is_who_it_was_to_the_other_node(client: str) -> None:
    """And whoever reads what proxies say comes to the same result."""
    site = Site()
    answer = site.ask(client, "X-Forwarded-For: 9.9.9.9")
    assert answer.endswith(b"\r\n\r\nserved")
    [request] = site.engine.requests
    assert peer_of(request) == client
    trusted = Proxies(["1.2.3.4", "2001:db8::/32", "fe80::1"])
    assert trusted.client_of(request) == "9.9.9.9"
    assert Proxies([]).client_of(request) == Proxies([]).client(client, ())


def test_a_client_without_an_address() -> None:
    site = Site()
    site.ask("")
    [request] = site.engine.requests
    assert peer_of(request) == ""
    assert Proxies([]).client_of(request) == Proxies([]).client(None, ())


def test_a_head_may_be_a_little_larger() -> None:
    """A client's largest, and what says who passes it on."""
    site = Site()
    room = 16_300
    assert site.ask("1.2.3.4", "A: " + "x" * room).endswith(b"served")


def test_refusals_are_logged_now_and_then() -> None:
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    site = Site()
    globalLogPublisher.addObserver(observe)
    try:
        for _ in range(10):
            assert site.ask("1.2.3.4", signed=False).startswith(b"HTTP/1.1 403 ")
        assert len(lines) == 1
        site.clock.advance(EVERY_S)
        site.ask("1.2.3.4", "X-Relay: 1 a b 1 1 c", signed=False)
    finally:
        globalLogPublisher.removeObserver(observe)
    assert len(lines) == 2
    assert "it is not signed" in lines[0]
    assert "cluster_secret differs" in lines[1]
    assert site.engine.requests == []


def test_connections_are_kept_longer_than_others_keep_them() -> None:
    for idle_timeout_s, at_least in ((1.0, KEPT_OPEN_S), (500.0, 500.0)):
        assert Site(idle_timeout_s=idle_timeout_s).site.options.keep_alive_s > at_least
    assert Site(idle_timeout_s=0.0).site.options.keep_alive_s == 0.0
