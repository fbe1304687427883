"""The address that other nodes reach this one at, where the operator has not given it.

It is that of the interface that leads to Redis: the other nodes reach Redis, too.
"""

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from .reach import split_address

_LOOPBACK = "127.0.0.1"
_log = Logger()


def address_of(
    advertise: str | None,
    listening: tuple[str, int],
    toward: Iterable[tuple[str, int]],
    reactor: Any,
) -> "Deferred[str]":
    """Return ``host:port`` for this node's record.

    ``advertise``: the setting, a host with or without a port. ``listening``: where the listener is, its
    host maybe all addresses. ``toward``: host and port of Redis, or of each Sentinel; their names are
    looked up in a thread. Where none of them can be found it is the loopback address.
    """
    return Deferred.fromCoroutine(_address(advertise, listening, tuple(toward), reactor))


async def _address(
    advertise: str | None,
    listening: tuple[str, int],
    toward: tuple[tuple[str, int], ...],
    reactor: Any,
) -> str:
    host, port = listening
    if advertise is not None:
        if advertise.rpartition("]")[2].count(":") == 1:
            given, port = split_address(advertise)
            return joined(given, port)
        return joined(advertise.strip("[]"), port)
    if ip_address(host.partition("%")[0]).is_unspecified:
        pool = reactor.getThreadPool()
        host = await deferToThreadPool(reactor, pool, interface_toward, toward, ":" in host)
    if ip_address(host.partition("%")[0]).is_loopback:
        _log.info(
            "other nodes are told to connect to {host}: only those on this machine can."
            " Elsewhere set cluster_advertise",
            host=host,
        )
    return joined(host, port)


def interface_toward(toward: Iterable[tuple[str, int]], v6: bool = False) -> str:
    """Return the local address that connections to the first of ``toward`` that is found would have.

    Nothing is sent. Blocks while names are looked up. IPv6 addresses only with ``v6``.
    """
    for host, port in toward:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except OSError:
            continue
        for family, kind, protocol, _, address in found:
            if family == socket.AF_INET or v6:
                try:
                    with socket.socket(family, kind, protocol) as probe:
                        probe.connect(address)
                        return str(probe.getsockname()[0])
                except OSError:
                    continue
    return _LOOPBACK


def joined(host: str, port: int) -> str:
    """Return ``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
