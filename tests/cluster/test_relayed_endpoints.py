"""Splices whose client's side is more than a TCP connection: TLS, the PROXY protocol, UNIX sockets."""

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..protocol import wire
from ..protocol.wire import CLOSE, TEXT, UPGRADE, Client, Connection, WebSocket, request_bytes
from ..running_redis import RunningRedis
from ..unit.transports.certificate import server_pem
from .running_small_node import RunningSmallNode

KINDS = ("ssl", "haproxy", "unix")


class Over(WebSocket):
    """A WebSocket client on a socket that is there already."""

    def __init__(self, opened: Any, target: str) -> None:
        self._socket = opened
        self.buffer = b""
        wire.OPEN.add(self)
        self.send(request_bytes("GET", target, UPGRADE))
        self.answer_to_upgrade = self.answer()


@pytest.fixture(params=KINDS)
def connect(
    request: pytest.FixtureRequest, redis: RunningRedis, tmp_path: Path
) -> Iterator[Callable[[], Any]]:
    """Return how to connect to a node that listens in an uncommon way."""
    pem, path = tmp_path / "pem", tmp_path / "s"
    pem.write_bytes(server_pem())
    listen = {
        "ssl": f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}",
        "haproxy": "haproxy:tcp:0:interface=127.0.0.1",
        "unix": f"unix:{path}",
    }[request.param]
    with RunningSmallNode(f"via-{request.param}", redis.port, listen=listen) as node:

        def connected() -> Any:
            if request.param == "unix":
                unix = socket.socket(socket.AF_UNIX)
                unix.settimeout(wire.PATIENCE_S)
                unix.connect(str(path))
                return unix
            plain = socket.create_connection(("127.0.0.1", node.port), wire.PATIENCE_S)
            if request.param == "haproxy":
                plain.sendall(b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n")
                return plain
            context = ssl.create_default_context(
                cadata=server_pem().decode().partition("-----END PRIVATE KEY-----\n")[2]
            )
            return context.wrap_socket(plain, server_hostname="localhost")

        yield connected


def joined(owner: RunningSmallNode, connect: Callable[[], Any]) -> tuple[Client, Over]:
    client = Client(owner.port)
    websocket = Over(connect(), client.target("websocket"))
    assert websocket.answer_to_upgrade.status == 101
    websocket.say("2probe", "5", "4x")
    assert [websocket.text(), websocket.text()] == ["3probe", "4x"]
    return client, websocket


def test_bytes_in_both_directions(owner: RunningSmallNode, connect: Callable[[], Any]) -> None:
    """Large ones too, which make the buffers on the way full."""
    _, websocket = joined(owner, connect)
    websocket.say(*["4size:300000"] * 20)
    for _ in range(20):
        assert websocket.text() == "4" + "x" * 300_000


def test_a_goodbye_of_the_node(owner: RunningSmallNode, connect: Callable[[], Any]) -> None:
    """Its last words arrive, then the end."""
    client, websocket = joined(owner, connect)
    websocket.send_frame(TEXT, b"4x", masked=False)
    opcode, payload = websocket.frame()
    assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1002))
    assert websocket.rest() == b""
    assert owner.reason_of(client.sid) == "transport error"


def test_a_client_that_goes(owner: RunningSmallNode, connect: Callable[[], Any]) -> None:
    for leave in (Connection.close, Connection.reset):
        client, websocket = joined(owner, connect)
        leave(websocket)
        assert owner.reason_of(client.sid) == "transport close"
