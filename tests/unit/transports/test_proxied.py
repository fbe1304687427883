"""PROXY headers of both versions, in any number of pieces, and what is none."""

import struct
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport

from reward_push.transports.listening import with_backlog
from reward_push.transports.proxied import (
    MAX_HEADER,
    MAX_LINE,
    BadHeader,
    Header,
    ProxiedFactory,
    read_header,
)

DIRECT = IPv4Address("TCP", "10.0.0.9", 4000)
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def binary(command: int, protocol: int, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return SIGNATURE + struct.pack("!BBH", command, protocol, size) + body


def addresses(source: str, target: str) -> bytes:
    family = AF_INET6 if ":" in source else AF_INET
    return inet_pton(family, source) + inet_pton(family, target) + struct.pack("!HH", 5678, 443)


V4 = IPv4Address("TCP", "203.0.113.9", 5678)
V6 = IPv6Address("TCP", "2001:db8::9", 5678)
TLV = b"\x03\x00\x04abcd"

GOOD = {
    "version 1, TCP4": (b"PROXY TCP4 203.0.113.9 192.0.2.1 5678 443\r\n", V4),
    "version 1, TCP6": (b"PROXY TCP6 2001:db8::9 2001:db8::1 5678 443\r\n", V6),
    "version 1, unknown": (b"PROXY UNKNOWN\r\n", DIRECT),
    "version 1, unknown with more": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", DIRECT),
    "version 2, TCP4": (binary(0x21, 0x11, addresses("203.0.113.9", "192.0.2.1")), V4),
    "version 2, TCP6": (binary(0x21, 0x21, addresses("2001:db8::9", "2001:db8::1")), V6),
    "version 2 with more": (binary(0x21, 0x11, addresses("203.0.113.9", "192.0.2.1") + TLV), V4),
    "version 2, local": (binary(0x20, 0x00, b""), DIRECT),
    "version 2, local with addresses": (
        binary(0x20, 0x11, addresses("203.0.113.9", "192.0.2.1")),
        DIRECT,
    ),
    "version 2, unspecified": (binary(0x21, 0x00, b""), DIRECT),
    "version 2, UNIX": (binary(0x21, 0x31, bytes(216)), DIRECT),
    "version 2, UDP": (binary(0x21, 0x12, addresses("203.0.113.9", "192.0.2.1")), DIRECT),
    "version 2, unheard of": (binary(0x21, 0xFF, b"whatever"), DIRECT),
}

BAD = {
    "no header": b"GET / HTTP/1.1\r\n\r\n",
    "version 3": b"PROXZ TCP4",
    "no words": b"PROXY \r\n",
    "unknown words": b"PROXY UDP4 203.0.113.9 192.0.2.1 5678 443\r\n",
    "unknown in small": b"PROXY unknown\r\n",
    "too few words": b"PROXY TCP4 203.0.113.9 192.0.2.1 5678\r\n",
    "too many words": b"PROXY TCP4 203.0.113.9 192.0.2.1 5678 443 x\r\n",
    "two spaces": b"PROXY TCP4  203.0.113.9 192.0.2.1 5678 443\r\n",
    "a name": b"PROXY TCP4 localhost 192.0.2.1 5678 443\r\n",
    "the wrong family": b"PROXY TCP4 2001:db8::9 2001:db8::1 5678 443\r\n",
    "the wrong family, too": b"PROXY TCP6 203.0.113.9 192.0.2.1 5678 443\r\n",
    "no address": b"PROXY TCP4 203.0.113.999 192.0.2.1 5678 443\r\n",
    "letters": b"PROXY TCP4 \xff\xfe 192.0.2.1 5678 443\r\n",
    "no port": b"PROXY TCP4 203.0.113.9 192.0.2.1 x 443\r\n",
    "a large port": b"PROXY TCP4 203.0.113.9 192.0.2.1 65536 443\r\n",
    "a long port": b"PROXY TCP4 203.0.113.9 192.0.2.1 " + b"0" * 40 + b"1 443\r\n",
    "an endless line": b"PROXY UNKNOWN " + b"x" * MAX_LINE,
    "an unknown command": binary(0x22, 0x11, addresses("203.0.113.9", "192.0.2.1")),
    "an unknown version": binary(0x31, 0x11, addresses("203.0.113.9", "192.0.2.1")),
    "too short": binary(0x21, 0x11, b"\x01\x02\x03"),
    "too short, TCP6": binary(0x21, 0x21, addresses("203.0.113.9", "192.0.2.1")),
    "far too long": binary(0x21, 0x11, b"", MAX_HEADER),
}


class Inner(Protocol):
    """Keeps what it gets, and who its peer was then."""

    def __init__(self) -> None:
        self.received = b""
        self.peers: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.peers.append(self.transport.getPeer())


class Proxied:
    """One connection, in memory."""

    def __init__(self) -> None:
        self.transport = StringTransport(peerAddress=DIRECT)
        connection = ProxiedFactory(Factory.forProtocol(Inner)).buildProtocol(DIRECT)
        assert connection is not None
        self.connection = connection
        self.inner: Any = self.connection.wrappedProtocol
        self.connection.makeConnection(self.transport)

    def send(self, data: bytes, step: int | None = None) -> None:
        for start in range(0, len(data), step or len(data)):
            self.connection.dataReceived(data[start : start + (step or len(data))])


@pytest.mark.parametrize("which", GOOD)
@pytest.mark.parametrize("step", [None, 1, 7])
def test_the_client_is_who_the_header_says(which: str, step: int | None) -> None:
    """Whatever follows at once is the client's first bytes."""
    data, peer = GOOD[which]
    proxied = Proxied()
    proxied.send(data + b"GET / HTTP/1.1", step)
    assert proxied.inner.received == b"GET / HTTP/1.1"
    assert set(proxied.inner.peers) == {peer}
    assert not proxied.transport.disconnecting
    host = proxied.connection.getHost()
    assert host == (proxied.transport.getHost() if peer is DIRECT else host)
    if peer is not DIRECT:
        assert (host.host, host.port) in (("192.0.2.1", 443), ("2001:db8::1", 443))


@pytest.mark.parametrize("which", GOOD)
def test_a_header_alone_brings_nothing_to_read(which: str) -> None:
    proxied = Proxied()
    proxied.send(GOOD[which][0])
    assert proxied.inner.received == b""
    assert proxied.inner.peers == []
    proxied.send(b"x")
    assert proxied.inner.received == b"x"


@pytest.mark.parametrize("which", BAD)
@pytest.mark.parametrize("step", [None, 1])
def test_what_is_no_header_ends_the_connection(which: str, step: int | None) -> None:
    """Nothing of what comes is read."""
    proxied = Proxied()
    proxied.send(BAD[which] + b"GET / HTTP/1.1\r\n\r\n", step)
    assert proxied.transport.disconnecting
    proxied.send(b"GET / HTTP/1.1\r\n\r\n")
    assert proxied.inner.received == b""
    assert proxied.transport.value() == b""


def test_the_longest_headers() -> None:
    line = b"PROXY UNKNOWN ".ljust(MAX_LINE - 2, b"x") + b"\r\n"
    for data in (line, binary(0x20, 0, bytes(MAX_HEADER - 16))):
        proxied = Proxied()
        proxied.send(data + b"x")
        assert proxied.inner.received == b"x"


def test_a_header_counts_once() -> None:
    """A second one is the client's, and no header."""
    proxied = Proxied()
    first, second = GOOD["version 1, TCP4"][0], GOOD["version 1, TCP6"][0]
    proxied.send(first + second)
    assert proxied.inner.received == second
    assert proxied.inner.peers == [V4]


def test_a_connection_that_is_not_wanted_is_not_wrapped() -> None:
    class Nothing(Factory):
        def buildProtocol(self, addr: Any) -> None:
            return None

    assert ProxiedFactory(Nothing()).buildProtocol(DIRECT) is None


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("tcp:1", "tcp:1:backlog=1024"),
        ("tcp:1:interface=127.0.0.1", "tcp:1:interface=127.0.0.1:backlog=1024"),
        ("tcp:1:backlog=7", "tcp:1:backlog=7"),
        ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0"),
    ],
)
def test_the_queue_of_a_port(given: str, used: str) -> None:
    assert with_backlog(given) == used


@given(
    st.sampled_from([b"", SIGNATURE, b"PROXY ", b"PROXY TCP4 ", SIGNATURE + b"\x21\x11"]),
    st.binary(max_size=200),
)
def test_whatever_comes_it_is_a_header_or_not_yet_or_never(start: bytes, more: bytes) -> None:
    """And more of it never makes another one of a whole one."""
    data = start + more
    try:
        header = read_header(data)
    except BadHeader:
        return
    if isinstance(header, Header):
        assert header.size <= len(data)
        assert read_header(data[: header.size]) == header
        assert read_header(data + b"more") == header
