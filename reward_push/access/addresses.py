"""Whose request it is: the address that limits count by.

A proxy appends the address it was connected from to ``X-Forwarded-For``; whatever stands to the left of
what the trusted ones have written is the client's own invention. So the entries are read from the right,
for as long as they are proxies that the operator trusts.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv6Network, ip_network
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from twisted.web.iweb import IRequest

LOOPBACK = "loopback"
"""The word for everything on this machine: 127.0.0.0/8, ::1, and UNIX sockets."""

NO_ADDRESS = "unix"
"""What limits count peers without an IP address by: all of them as one."""

MAX_PROXIES = 16
"""Longest chain of proxies that is followed."""

_HEADER = b"X-Forwarded-For"
_LOCAL = b""
_MAPPED = bytes(10) + b"\xff\xff"
_MAPPED_NETWORK = IPv6Network("::ffff:0:0/96")


class _Network(NamedTuple):
    """The addresses of ``size`` bytes whose bits but the last ``free`` ones are ``prefix``."""

    size: int
    free: int
    prefix: int


class Proxies:
    """The proxies that are trusted to say where a request comes from."""

    __slots__ = ("_local", "_networks")

    def __init__(self, trusted: Iterable[str]) -> None:
        """``trusted``: addresses and networks (``10.0.0.0/8``), and the word ``loopback``. Raises ValueError."""
        texts = set(trusted)
        self._local = LOOPBACK in texts
        if self._local:
            texts = (texts - {LOOPBACK}) | {"127.0.0.0/8", "::1"}
        self._networks = tuple(_network(text) for text in sorted(texts))

    def client_of(self, request: "IRequest") -> str:
        """Return the name that limits count ``request``'s client by: see :meth:`client`."""
        peer = getattr(request.getClientAddress(), "host", None)
        return self.client(peer, request.requestHeaders.getRawHeaders(_HEADER, ()))

    def client(self, peer: str | None, forwarded: Sequence[bytes]) -> str:
        """Return the name that limits count a client by: see :func:`name_of`.

        ``peer``: the address at the other end of the connection, ``None`` for a UNIX socket.
        ``forwarded``: the ``X-Forwarded-For`` headers, in order. Entries may have ports. One that is no
        address says nothing, nor does what is to its left: then it is the peer's request, as it is where
        all are trusted proxies.
        """
        address = _LOCAL if peer is None else parse(peer)
        if forwarded and self._trusts(address):
            entries = b",".join(forwarded).rsplit(b",", MAX_PROXIES)[-MAX_PROXIES:]
            for entry in reversed(entries):
                claimed = parse(_without_port(entry.strip(b' \t"').decode("latin-1")))
                if claimed is None:
                    break
                if not self._trusts(claimed):
                    return name_of(claimed)
        return name_of(address) if address else NO_ADDRESS

    def direct(self, peer: str | None) -> str | None:
        """Return the name of a peer that speaks for itself; ``None``: it is a proxy, or on this machine."""
        address = _LOCAL if peer is None else parse(peer)
        return name_of(address) if address and not self._trusts(address) else None

    def is_proxy(self, client: str) -> bool:
        """Return whether what :meth:`client` returned is a trusted proxy: one that names no client."""
        return self._trusts(_LOCAL if client == NO_ADDRESS else parse(client.removesuffix("/64")))

    def _trusts(self, address: bytes | None) -> bool:
        if not address:
            return address is not None and self._local
        size, number = len(address), int.from_bytes(address, "big")
        # A loop, not any(): this is done for each handshake.
        for network in self._networks:
            if network.size == size and number >> network.free == network.prefix:
                return True
        return False


def parse(text: str) -> bytes | None:
    """Return the 4 or 16 bytes of an address; ``None``: it is none. An IPv4 address in IPv6 has 4."""
    try:
        if ":" not in text:
            return inet_pton(AF_INET, text)
        # The part after "%" names an interface of this machine.
        packed = inet_pton(AF_INET6, text.partition("%")[0])
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def name_of(address: bytes) -> str:
    """Return what limits count an address by: an IPv4 address itself, of IPv6 its network of 64 bits.

    A network of that size is what one subscriber is given at least; any of its addresses is theirs.
    """
    if len(address) == 4:
        return inet_ntop(AF_INET, address)
    return inet_ntop(AF_INET6, address[:8] + bytes(8)) + "/64"


def _without_port(entry: str) -> str:
    """Return the address in ``1.2.3.4:5678``, ``[2001:db8::1]:5678`` or ``[2001:db8::1]``."""
    if entry.startswith("["):
        address, _, port = entry[1:].partition("]")
        return address if not port or port.startswith(":") else ""
    address, colon, _ = entry.partition(":")
    # More than one colon: IPv6, which has no port without brackets.
    return address if colon and entry.count(":") == 1 else entry


def _network(text: str) -> _Network:
    network = ip_network(text)
    address, length = network.network_address.packed, network.prefixlen
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED_NETWORK):
        address, length = address[12:], length - 96
    free = len(address) * 8 - length
    return _Network(len(address), free, int.from_bytes(address, "big") >> free)
