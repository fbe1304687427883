"""What lies under a Twisted transport, and how to put another protocol on it.

A protocol may sit on a TCP connection directly or on a stack of wrappers (TLS, the PROXY protocol).
Each wrapper is transport and protocol at once.
"""

import socket
from contextlib import suppress
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IProtocol
from twisted.internet.tcp import Server
from twisted.protocols.policies import ProtocolWrapper

from .proxied import ProxiedConnection

UNSENT_BYTES = 64 * 1024
"""What the kernel keeps for a client, beside what is on its way over the network. More waits in its session."""


def plain_tcp(transport: Any) -> Server | None:
    """Return the TCP connection that gets exactly the bytes written to ``transport``, or ``None``.

    That is the transport itself, or the one under the PROXY protocol's wrapper, which only reads a
    header before the first byte and hands every write through unchanged.
    """
    while type(transport) is ProxiedConnection:
        transport = transport.transport
    # The exact type: a UNIX connection is a subclass with a writing method of its own.
    return transport if type(transport) is Server and not transport.TLS else None


def descriptor_under(transport: Any) -> FileDescriptor | None:
    """Return what finally holds the bytes written to ``transport``, encrypted or not, or ``None``."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    if isinstance(transport, FileDescriptor) and not getattr(transport, "TLS", False):
        return transport
    return None


def keep_little_unsent(descriptor: FileDescriptor) -> None:
    """Let the kernel take no more than :data:`UNSENT_BYTES` ahead of the network (``TCP_NOTSENT_LOWAT``, Linux).

    By itself it takes megabytes for a client that does not read: memory that nobody counts, and messages
    that cannot be taken back any more and do not tell the time that is left.
    """
    if isinstance(descriptor, Server):
        with suppress(OSError):  # A UNIX connection has no such thing.
            descriptor.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def set_protocol(transport: Any, protocol: IProtocol) -> None:
    """Let ``protocol`` receive what arrives at ``transport`` from now on. It is not told."""
    if isinstance(transport, ProtocolWrapper):
        transport.wrappedProtocol = protocol
    elif isinstance(getattr(transport, "protocol", None), ProtocolWrapper):
        # TLS that was started on a connection sits between the two.
        transport.protocol.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
