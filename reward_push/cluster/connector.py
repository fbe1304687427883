"""Makes connections to Redis: finds the master, encrypts, logs in."""

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath
from txredisapi import RedisError, RedisProtocol, SubscriberProtocol

from ..access.interfaces import StoreUnavailable
from .address import Credentials, HostPort, RedisAddress

CONNECT_TIMEOUT_S = 2.0
"""How long a connection may take, from the first packet to being logged in."""

P = TypeVar("P", RedisProtocol, SubscriberProtocol)


class _Once(Factory):
    """Builds one protocol, without a line in the log."""

    noisy = False

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def buildProtocol(self, addr: object) -> Any:
        return self._make()


class Connector:
    """Connects to the master of one Redis."""

    def __init__(self, address: RedisAddress, reactor: Any) -> None:
        self._address = address
        self._reactor = reactor

    def connect(self, make: Callable[[], P]) -> "Deferred[P]":
        """Return a protocol that ``make`` made, connected and logged in.

        Fails with ``StoreUnavailable``, whose text says why and holds no secret.
        """
        connecting = Deferred.fromCoroutine(self._connect(make))
        connecting.addTimeout(CONNECT_TIMEOUT_S, self._reactor)
        connecting.addErrback(_explained)
        return connecting

    async def _connect(self, make: Callable[[], P]) -> P:
        address = self._address
        if address.service is None:
            return await self._open(make, address.hosts[0], address.credentials, address.database)
        reason = "no Sentinel answers"
        for sentinel in address.hosts:
            try:
                master = await self._master_by(sentinel)
                return await self._open(make, master, address.credentials, address.database)
            except (StoreUnavailable, RedisError, OSError) as error:
                reason = str(error) or type(error).__name__
        raise StoreUnavailable(reason)

    async def _master_by(self, sentinel: HostPort) -> HostPort:
        """Ask one Sentinel where the master is."""
        protocol = await self._open(_make_plain, sentinel, self._address.sentinel_credentials, None)
        try:
            found = await protocol.execute_command(
                "SENTINEL", "get-master-addr-by-name", self._address.service
            )
        finally:
            protocol.transport.loseConnection()
        if not found:
            raise StoreUnavailable(f"the Sentinel at {sentinel} knows no {self._address.service}")
        return HostPort(found[0], int(found[1]))

    async def _open(
        self,
        make: Callable[[], P],
        host: HostPort,
        credentials: Credentials | None,
        database: int | None,
    ) -> P:
        protocol: P = await self._endpoint(host).connect(_Once(make))
        try:
            if credentials is not None:
                user = [] if credentials.user is None else [credentials.user]
                await protocol.execute_command("AUTH", *user, credentials.password)
            if database:
                await protocol.execute_command("SELECT", database)
            if database is not None:
                await _check_role(protocol, host)
        except BaseException:
            protocol.transport.abortConnection()
            raise
        return protocol

    def _endpoint(self, host: HostPort) -> IStreamClientEndpoint:
        plain = HostnameEndpoint(self._reactor, host.host, host.port, timeout=CONNECT_TIMEOUT_S)
        tls = self._address.tls
        if tls is None:
            return plain
        roots = None if tls.ca is None else _roots(tls.ca)
        return wrapClientTLS(optionsForClientTLS(host.host, trustRoot=roots), plain)


async def _check_role(protocol: RedisProtocol, host: HostPort) -> None:
    [role, *_] = await protocol.execute_command("ROLE")
    if role != "master":
        raise StoreUnavailable(f"Redis at {host} is a replica")


def _make_plain() -> RedisProtocol:
    return RedisProtocol(charset="utf-8", convertNumbers=False)


def _roots(path: str) -> Any:
    """Read a file of PEM certificates."""
    end = b"-----END CERTIFICATE-----"
    try:
        pems = FilePath(path).getContent().split(end)[:-1]
    except OSError as error:
        raise StoreUnavailable(f"ca: {error.strerror}: {path}") from None
    return trustRootFromCertificates([Certificate.loadPEM(each + end + b"\n") for each in pems])


def _explained(failure: Failure) -> Any:
    if failure.check(StoreUnavailable):
        return failure
    if failure.check(GaveUp):
        raise StoreUnavailable("Redis does not answer")
    error = failure.value
    # What Redis says about a login does not repeat the password.
    raise StoreUnavailable(str(error) or type(error).__name__) from None
