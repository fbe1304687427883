"""Clients that do not read, and ports where a slow start is possible in other ways."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..free_port import free_port
from ..running_node import ONE_ADDRESS, message
from ..stopwatch import Stopwatch
from ..unit.transports.certificate import self_signed
from .conftest import running
from .server import Node
from .wire import (
    PATIENCE_S,
    PING,
    PONG,
    Connection,
    WebSocket,
    event_of,
    open_websocket,
    request_bytes,
)

QUEUE_BYTES = 64 * 1024


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that waits for a slow client for a few seconds: longer than a busy machine stands still."""
    options = (*ONE_ADDRESS, f"--max-queue-bytes={QUEUE_BYTES}", "--slow-timeout=3")
    with running(tmp_path_factory.mktemp("impatient"), *options) as node:
        yield node


def join(websocket: WebSocket, device: str) -> None:
    websocket.say(f'40/dropcodes,{{"device":"{device}"}}')
    assert websocket.text().startswith("40/dropcodes,")


def test_a_client_that_never_reads_is_closed_and_misses_nothing(impatient: Node) -> None:
    """When nothing has moved for a while. What lives on comes again at its next connect."""
    key = impatient.plugin_key()
    headers = [("Authorization", f"ApiKey {key.key}")]
    deaf = open_websocket(impatient.port, headers=headers)
    join(deaf, "deaf")
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    posts = [message(key.streamer, [n, "x" * 15_000], ttl_ms=60_000) for n in range(500)]
    for start in range(0, 500, 50):
        impatient.publish_batch(posts[start : start + 50])
    impatient.wait_for(f"/v1/streamers/{key.streamer}", lambda _, answer: not answer["online"])
    back = open_websocket(impatient.port, headers=headers)
    join(back, "deaf")
    heard = set()
    while len(heard) < 500:
        opcode, payload = back.frame()
        text = payload.decode()
        if opcode == PING:
            back.send_frame(PONG, payload)
        elif text == "2":
            back.say("3")
        else:
            heard.add(event_of(text)[1]["data"][0])
    assert heard == set(range(500))


def test_what_a_client_does_not_read_can_still_be_taken_back(node: Node) -> None:
    """It waits in the node, not in the kernel: it is not written any more once it has ended."""
    key = node.plugin_key()
    deaf = open_websocket(node.port, headers=[("Authorization", f"ApiKey {key.key}")])
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    join(deaf, "deaf")
    for n in range(20):
        node.publish(key.streamer, [n, "x" * 15_000], ttl_ms=60_000)
    taken_back = node.publish(key.streamer, ["taken back"], ttl_ms=60_000)["id"]
    node.publish(key.streamer, ["the last"], ttl_ms=60_000)
    assert node.backend.call("DELETE", f"/v1/messages/{taken_back}")[0] == 200
    heard = []
    while heard[-1:] != ["the last"]:
        opcode, payload = deaf.frame()
        if opcode != PING and payload != b"2":
            event, body = event_of(payload.decode())
            assert (event, body["id"]) != ("dropcode", taken_back)
            heard.append(body["data"][0])
    assert heard == [*range(20), "the last"]


def test_a_tls_handshake_that_does_not_begin_is_cut(tmp_path: Path) -> None:
    """Nor one that does not end: the time for a head runs from the first moment."""
    certificate = tmp_path / "both.pem"
    certificate.write_bytes(b"".join(self_signed()))
    port = free_port()
    listen = f"ssl:{port}:privateKey={certificate}:certKey={certificate}:interface=127.0.0.1"
    with running(tmp_path, "--listen", listen, "--header-timeout=0.6") as node:
        hello = ssl.create_default_context()
        for first in (b"", b"\x16\x03\x01\x02\x00", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"):
            watch = Stopwatch()
            connection = Connection(port)
            connection.send(first)
            connection.socket.settimeout(PATIENCE_S)
            connection.rest()
            assert watch.lived_s < 5
        hello.check_hostname = False
        hello.verify_mode = ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", port), PATIENCE_S) as plain,
            hello.wrap_socket(plain) as secure,
        ):
            secure.sendall(request_bytes("GET", "/healthcheck"))
            assert secure.recv(100).startswith(b"HTTP/1.1 200 ")
        assert node.backend.call("GET", "/healthcheck")[0] == 200


def test_a_proxy_on_a_unix_socket_is_on_this_machine(tmp_path: Path) -> None:
    """It may say who its clients are."""
    path = tmp_path / "node.sock"
    with running(tmp_path, f"--listen=unix:{path}", "--connect-rate-per-ip=0.1/2") as _:
        statuses = []
        for number in range(6):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(PATIENCE_S)
                connection.connect(str(path))
                address = [("X-Forwarded-For", f"203.0.113.{number % 2}")]
                target = "/websockets/?EIO=4&transport=polling"
                connection.sendall(request_bytes("GET", target, address))
                statuses.append(int(connection.recv(1000)[9:12]))
        assert statuses == [200, 200, 200, 200, 429, 429]
