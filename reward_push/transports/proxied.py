"""Connections through a proxy that speaks the PROXY protocol: its header, before all else, has the
client's address.

Specification: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt. Both versions are read, however
they are cut into segments. A header without an address (``PROXY UNKNOWN``, ``LOCAL``, protocols other than
TCP: a proxy that speaks for itself, as in health checks) leaves the connection its own. Twisted's endpoint
``haproxy:`` refuses a bare ``PROXY UNKNOWN``, headers in several segments, and takes addresses that are none.

Whoever can connect to such a port can claim any address.
"""

import struct
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from ..access.addresses import parse

MAX_LINE = 107
"""Longest header of version 1, with its end (specification, section 2.1)."""
MAX_HEADER = 4096
"""Longest header of version 2 taken. Addresses need 52 bytes, the rest is about TLS and the like."""

_LINE = b"PROXY "
_END = b"\r\n"
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED = len(_SIGNATURE) + 4
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21


class BadHeader(ValueError):
    """What came first is no PROXY header."""


class Header(NamedTuple):
    """A header."""

    peer: IAddress | None
    """Who is at the other end of the proxy; ``None``: the proxy itself."""
    host: IAddress | None
    """Where it has connected to."""
    size: int
    """How many bytes the header takes."""


def read_header(data: bytes) -> Header | None:
    """Return the header that ``data`` begins with, ``None`` while it is not whole. Raises :class:`BadHeader`."""
    if data.startswith(_SIGNATURE):
        return _read_binary(data)
    if data.startswith(_LINE):
        return _read_line(data)
    if _SIGNATURE.startswith(data) or _LINE.startswith(data):
        return None
    raise BadHeader("neither version")


def _read_line(data: bytes) -> Header | None:
    line, end, _ = data[:MAX_LINE].partition(_END)
    if not end:
        if len(data) >= MAX_LINE:
            raise BadHeader("the line has no end")
        return None
    size = len(line) + len(_END)
    match line.decode("latin-1").split(" "):
        case ["PROXY", "UNKNOWN", *_]:
            return Header(None, None, size)
        case ["PROXY", "TCP4", source, target, source_port, target_port]:
            kind: type[IPv4Address] | type[IPv6Address] = IPv4Address
        case ["PROXY", "TCP6", source, target, source_port, target_port]:
            kind = IPv6Address
        case _:
            raise BadHeader("not the words of version 1")
    if not all(map(_is_port, (source_port, target_port))):
        raise BadHeader("no port")
    for text in (source, target):
        if parse(text) is None or (":" in text) is not (kind is IPv6Address):
            raise BadHeader("no address")
    return Header(
        kind("TCP", source, int(source_port)), kind("TCP", target, int(target_port)), size
    )


def _read_binary(data: bytes) -> Header | None:
    if len(data) < _FIXED:
        return None
    command, protocol, length = struct.unpack_from("!BBH", data, len(_SIGNATURE))
    size = _FIXED + length
    if command not in (_LOCAL, _PROXY) or size > MAX_HEADER:
        raise BadHeader("an unknown command, or far too long")
    if len(data) < size:
        return None
    body = data[_FIXED:size]
    if command == _LOCAL or protocol not in (_TCP4, _TCP6):
        return Header(None, None, size)
    family, form = (AF_INET, "!4s4sHH") if protocol == _TCP4 else (AF_INET6, "!16s16sHH")
    if len(body) < struct.calcsize(form):
        raise BadHeader("no addresses")
    source, target, source_port, target_port = struct.unpack_from(form, body)
    kind = IPv4Address if family == AF_INET else IPv6Address
    return Header(
        kind("TCP", inet_ntop(family, source), source_port),
        kind("TCP", inet_ntop(family, target), target_port),
        size,
    )


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 0xFFFF


class ProxiedConnection(ProtocolWrapper):
    """A connection whose first bytes are a PROXY header. What follows is ``wrappedProtocol``'s.

    That one's own time for its first bytes bounds the wait for the header, too.
    """

    transport: Any
    _header: Header | None = None
    _early = b""
    _refused = False

    def dataReceived(self, data: bytes) -> None:
        """Read the header; hand on what follows."""
        if self._header is None and not self._refused:
            self._early += data
            try:
                self._header = read_header(self._early)
            except BadHeader:
                self._refused = True
                self.loseConnection()
                return
            if self._header is None:
                return
            data, self._early = self._early[self._header.size :], b""
        if data and not self._refused:
            self.wrappedProtocol.dataReceived(data)

    def getPeer(self) -> IAddress:
        """Return the client's address, as far as the proxy has said it."""
        peer: IAddress = (self._header and self._header.peer) or self.transport.getPeer()
        return peer

    def getHost(self) -> IAddress:
        """Return where the client has connected to."""
        host: IAddress = (self._header and self._header.host) or self.transport.getHost()
        return host


class ProxiedFactory(WrappingFactory):
    """Makes :class:`ProxiedConnection` of a factory's connections."""

    protocol = ProxiedConnection
    noisy = False

    def __init__(self, wrapped: IProtocolFactory) -> None:
        super().__init__(wrapped)

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> ProxiedConnection | None:
        """Wrap what the wrapped factory makes, if it makes anything.

        It is not told who has connected: that is the proxy, whose clients' addresses are yet to come.
        """
        inner: IProtocol | None = self.wrappedFactory.buildProtocol(None)
        return None if inner is None else ProxiedConnection(self, inner)  # type: ignore[arg-type]
