"""Ports that several processes listen on at once.

Each process has a listening socket of its own with ``SO_REUSEPORT``, and the kernel deals connections out
among them (decision 18). Twisted's endpoints know no such option: they are given a reactor that makes
the sockets itself. Only TCP ports can be shared so, plain, with TLS or with the PROXY protocol.
"""

import socket
from collections.abc import Iterable
from typing import Any

from twisted.internet.abstract import isIPv6Address
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from ..settings.errors import SettingsError
from ..transports.listening import listening


class SharedPorts:
    """A reactor that listens on ports which other processes listen on, too."""

    def __init__(self, reactor: Any, ports: Iterable[int] = ()) -> None:
        """``ports``: the numbers that were reserved, in the order in which they will be listened on."""
        self._reactor = reactor
        self._ports = iter(ports)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """See ``IReactorTCP``."""
        bound = bind(interface, next(self._ports, port), shared=True)
        with bound:
            bound.listen(backlog)
            listens: IListeningPort = self._reactor.adoptStreamPort(
                bound.fileno(), bound.family, factory
            )
        return listens

    def listenSSL(
        self,
        port: int,
        factory: Any,
        contextFactory: Any,  # noqa: N803
        backlog: int = 50,
        interface: str = "",
    ) -> IListeningPort:
        """See ``IReactorSSL``."""
        encrypted = TLSMemoryBIOFactory(contextFactory, False, factory)
        return self.listenTCP(port, encrypted, backlog, interface)


class Reservation:
    """Ports taken for processes to come. It holds sockets that do not listen: they get no connections.

    So a port that cannot be had is known before the first process starts, and ``tcp:0`` is the same port
    for all of them.
    """

    def __init__(self, descriptions: Iterable[str], reactor: Any) -> None:
        """Take the ports of endpoint strings. Raises :class:`..settings.errors.SettingsError`."""
        self.ports: list[int] = []
        """Their numbers, in the order of the descriptions."""
        self._sockets: list[socket.socket] = []
        self._reactor = reactor
        for description in descriptions:
            before = len(self.ports)
            try:
                listening(description, Factory(), self).privilegedStartService()
            except (CannotListenError, OSError, OverflowError) as error:
                self.give_back()
                raise SettingsError("listen", description, str(error)) from error
            except _NotShared:
                pass
            if len(self.ports) == before:
                self.give_back()
                kind = description.partition(":")[0]
                raise SettingsError(
                    "listen",
                    description,
                    f"workers cannot share a {kind}: endpoint, only tcp:, tcp6: and ssl:,"
                    " with or without haproxy: before them",
                )

    def give_back(self) -> None:
        """Let go of the ports."""
        for each in self._sockets:
            each.close()

    # What it is asked as a reactor

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("listen", "adopt")):
            raise _NotShared(name)
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> "_Reserved":
        """See ``IReactorTCP``. Nothing listens yet."""
        if port:
            # Who listens there may share it, as the workers of another parent do, but not with these.
            bind(interface, port, shared=False).close()
        bound = bind(interface, port, shared=True)
        self._sockets.append(bound)
        self.ports.append(bound.getsockname()[1])
        return _Reserved()

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: Any,  # noqa: N803
        backlog: int = 50,
        interface: str = "",
    ) -> "_Reserved":
        """See ``IReactorSSL``."""
        return self.listenTCP(port, factory, backlog, interface)


class _Reserved:
    """Stands for a port that does not listen."""


class _NotShared(Exception):
    """An endpoint wants something else than a TCP port."""


def bind(interface: str, port: int, *, shared: bool) -> socket.socket:
    """Return a TCP socket bound to ``port``. Raises ``CannotListenError``, as Twisted does."""
    family = socket.AF_INET6 if isIPv6Address(interface) else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        where: Any = (interface, port)
        if family == socket.AF_INET6:
            [(*_, where)] = socket.getaddrinfo(
                interface, port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        bound.bind(where)
    except OSError as error:
        bound.close()
        raise CannotListenError(interface, port, error) from None
    except BaseException:
        bound.close()
        raise
    return bound
