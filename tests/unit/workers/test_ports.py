"""Ports that several processes listen on."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol

from reward_push.errors import StartError
from reward_push.transports.listening import listening
from reward_push.transports.sockets import plain_tcp
from reward_push.workers.ports import Reservation, SharedPorts, bind

from ..transports.certificate import server_pem

LOCAL = "tcp:0:interface=127.0.0.1"


def reactor() -> Any:
    from twisted.internet import reactor

    return reactor


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def reserved(stack: ExitStack, *descriptions: str) -> Reservation:
    made = Reservation(descriptions, reactor())
    stack.callback(made.give_back)
    return made


class Greeting(Protocol):
    """Says which of the sharers it is, and how it is connected."""

    def connectionMade(self) -> None:
        direct = plain_tcp(self.transport) is not None
        self.transport.write(f"{self.factory.name} {direct}\n".encode())  # type: ignore[union-attr]
        self.transport.loseConnection()


def greet(name: str) -> Factory:
    factory = Factory.forProtocol(Greeting)
    factory.noisy = False
    factory.name = name  # type: ignore[attr-defined]
    return factory


async def ask(port: int) -> str:
    from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

    from ..transports.peers import Peer

    peer = await connectProtocol(TCP4ClientEndpoint(reactor(), "127.0.0.1", port), Peer())
    await peer.until(lambda: peer.ended)
    return peer.received.decode()


def listen(description: str, name: str, *ports: int) -> Any:
    service = listening(description, greet(name), SharedPorts(reactor(), ports))
    service.privilegedStartService()
    service.startService()
    return service


@ensureDeferred
async def test_both_listen_and_both_are_connected_to(stack: ExitStack) -> None:
    """Connections are plain TCP, so that the fast write works."""
    [port] = reserved(stack, LOCAL).ports
    services = [listen(LOCAL, name, port) for name in ("a", "b")]
    try:
        answers = {await ask(port) for _ in range(100)}
        assert answers == {"a True\n", "b True\n"}
        await services[0].stopService()
        answers = {await ask(port) for _ in range(20)}
        assert answers == {"b True\n"}
    finally:
        for each in services:
            await each.stopService()


def test_what_is_reserved_gets_no_connections(stack: ExitStack) -> None:
    [port] = reserved(stack, LOCAL).ports
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@ensureDeferred
async def test_what_others_listen_on_cannot_be_reserved(stack: ExitStack) -> None:
    """Whether they would share it or not."""
    [port] = reserved(stack, LOCAL).ports
    description = f"tcp:{port}:interface=127.0.0.1"
    service = listen(LOCAL, "a", port)
    try:
        with pytest.raises(StartError, match="Couldn't listen"):
            Reservation([description], reactor())
    finally:
        await service.stopService()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"Couldn't listen on 127.0.0.1:{port}"):
            Reservation([f"tcp:{port}:interface=127.0.0.1"], reactor())


def test_what_was_given_back_can_be_had(stack: ExitStack) -> None:
    first = reserved(stack, LOCAL)
    first.give_back()
    again = reserved(stack, f"tcp:{first.ports[0]}:interface=127.0.0.1")
    assert again.ports == first.ports


def test_several_ports_keep_their_order(stack: ExitStack, tmp_path: Any) -> None:
    """With TLS and with the PROXY protocol, too."""
    pem = tmp_path / "pem"
    pem.write_bytes(server_pem())
    tls = f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}"
    made = reserved(stack, LOCAL, tls, f"haproxy:{LOCAL}", r"tcp6:0:interface=\:\:1")
    assert len(set(made.ports)) == 4
    service = listen(tls, "t", made.ports[1])
    try:
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", made.ports[1]))
    finally:
        service.stopService()


def test_other_endpoints_are_refused() -> None:
    """In one line."""
    with pytest.raises(StartError, match="workers cannot share a unix: endpoint") as raised:
        Reservation([LOCAL, "unix:x"], reactor())
    assert "\n" not in str(raised.value)


def test_a_port_that_cannot_be_had(stack: ExitStack) -> None:
    with pytest.raises(StartError, match=r"listen = 'tcp:0:interface=192\.0\.2\.1': "):
        Reservation(["tcp:0:interface=192.0.2.1"], reactor())
    with pytest.raises(CannotListenError):
        bind("192.0.2.1", 0, shared=True)
