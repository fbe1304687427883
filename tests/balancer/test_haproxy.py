"""HAProxy's configuration: what it does with requests, and with nodes that stop."""

import http.client
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import parts
from tests.free_port import free_port
from tests.protocol import wire
from tests.running_cluster import Balancing, RunningCluster
from tests.running_haproxy import DEPLOYED, RunningHAProxy
from tests.running_node import ONE_ADDRESS
from tests.until import until

HANDSHAKE = "/websockets/?EIO=4&transport=polling&apiKey=sk-not-to-be-logged"


class OneAnswer:
    """A server that gives every request the same answer, and keeps the heads of requests.

    Args:
        answer: all that is written before the connection is closed; empty: it only closes.
    """

    def __init__(self, answer: bytes) -> None:
        self.heads: list[str] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        # Wakes the thread that waits for a connection, which closing alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def requests(self, path: str) -> list[str]:
        """The requests for ``path``: health checks are for another."""
        return [head for head in self.heads if head.split(" ", 2)[1].startswith(path)]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                if head := _request(connection):
                    self.heads.append(head.decode("latin-1"))
                    healthy = head.startswith(b"GET /healthcheck ")
                    connection.sendall(_OK if healthy else self._answer)


def _request(connection: socket.socket) -> bytes:
    """Read a request to its end, so that its answer is not lost in a reset; return its head."""
    taken, length = b"", 0
    while b"\r\n\r\n" not in taken or len(taken) < taken.index(b"\r\n\r\n") + 4 + length:
        more = connection.recv(65536)
        if not more:
            return b""
        taken += more
        if found := re.search(rb"\r\ncontent-length: (\d+)\r\n", taken, re.IGNORECASE):
            length = int(found[1])
    return taken.partition(b"\r\n\r\n")[0]


def _reply(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


_OK, _DRAINING = _reply("200 OK"), _reply("503 Service Unavailable")


@contextmanager
def answering(*answers: bytes) -> Iterator[list[OneAnswer]]:
    servers = [OneAnswer(answer) for answer in answers]
    try:
        yield servers
    finally:
        for server in servers:
            server.close()


def ask(port: int, method: str, path: str, **headers: str) -> int:
    """The status of an answer; 0: there was none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, b"{}" if method == "POST" else None, headers)
        return connection.getresponse().status
    except http.client.RemoteDisconnected:
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize("sticky", ["yes", "no"])
def test_haproxy_has_nothing_to_say_about_it(sticky: str) -> None:
    """The file as it is, with its own servers: valid, and without a warning."""
    variables = {**os.environ, "STICKY": sticky, "MAXCONN": "2000", "RUN_AS": ""}
    check = [str(parts.haproxy()), "-c", "-V", "-f", str(DEPLOYED)]
    done = subprocess.run(check, env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_the_client_s_address_comes_last(tmp_path: Path) -> None:
    """What a client says itself stands before it, and nodes do not believe it."""
    with answering(_OK) as [server], RunningHAProxy(tmp_path, [server.port]) as balancer:
        forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
        assert ask(balancer.port, "GET", "/x", **forged) == 200
        [head] = server.requests("/x")
    named = [line.lower() for line in head.split("\r\n") if line.lower().startswith("x-forwarded")]
    assert named == [
        "x-forwarded-for: 6.6.6.6",
        "x-forwarded-proto: http",
        "x-forwarded-for: 127.0.0.1",
    ]


def test_no_key_gets_into_the_log(tmp_path: Path) -> None:
    """A line a request, without the query of its URL."""
    with answering(_OK) as [server], RunningHAProxy(tmp_path, [server.port]) as balancer:
        assert ask(balancer.port, "GET", HANDSHAKE) == 200
        until(lambda: "GET /websockets/" in balancer.log())
        assert "sk-not" not in balancer.log()
        assert "sk-not-to-be-logged" in server.requests("/websockets")[0]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/websockets/"), ("POST", "/websockets/"), ("GET", "/v1/messages")],
)
def test_what_a_node_refuses_another_takes(tmp_path: Path, method: str, path: str) -> None:
    """503: it has done nothing. No client sees it while another node is there."""
    with (
        answering(_DRAINING, _OK) as [draining, other],
        RunningHAProxy(tmp_path, [draining.port, other.port], sticky=False) as balancer,
    ):
        assert {ask(balancer.port, method, path) for _ in range(10)} == {200}
        assert draining.requests(path)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_call_that_may_have_been_done_is_not_made_again(tmp_path: Path, method: str) -> None:
    """503 of a node whose Redis was lost between a message and the answer."""
    with (
        answering(_DRAINING, _DRAINING) as servers,
        RunningHAProxy(tmp_path, [each.port for each in servers], sticky=False) as balancer,
    ):
        assert ask(balancer.port, method, "/v1/messages") == 503
        assert sum(len(each.requests("/v1")) for each in servers) == 1


def test_where_nobody_listens_another_is_asked(tmp_path: Path) -> None:
    """A node that is gone, before its health check has told."""
    with (
        answering(_OK) as [server],
        RunningHAProxy(tmp_path, [free_port(), server.port], sticky=False) as balancer,
    ):
        assert {ask(balancer.port, "POST", "/v1/messages") for _ in range(10)} == {200}


def test_what_may_have_been_done_is_not_done_again(tmp_path: Path) -> None:
    """A node that took a request and broke: a second try could publish twice."""
    with (
        answering(b"", b"") as servers,
        RunningHAProxy(tmp_path, [each.port for each in servers], sticky=False) as balancer,
    ):
        assert ask(balancer.port, "POST", "/v1/messages") in (502, 0)
        assert sum(len(each.requests("/v1")) for each in servers) == 1


def test_a_node_that_drains_is_taken_out_and_no_client_is_refused(tmp_path: Path) -> None:
    """From SIGTERM on, through its drain, until it is gone and beyond."""
    with RunningCluster(
        tmp_path, *ONE_ADDRESS, "--drain", "6", nodes=2, balancing=Balancing.STICKY
    ) as cluster:
        assert cluster.balancer is not None
        cluster.balancer.wait_until_up()
        key = cluster.plugin_key().key
        stopping, staying = cluster.nodes
        path = f"/websockets/?EIO=4&transport=polling&apiKey={key}"
        # It stops at once when nobody has to be moved.
        plugins = [wire.open_websocket(stopping.port, 4, f"&apiKey={key}") for _ in range(8)]
        stopping.terminate()
        stopping.wait_for("/healthcheck", lambda status, _: status == 503)
        answered: list[tuple[int, str | None]] = []
        while stopping.runs or len(answered) < 20:
            connection = http.client.HTTPConnection("127.0.0.1", cluster.port, timeout=30)
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            answered.append((answer.status, answer.headers["X-Node-Id"]))
            connection.close()
            time.sleep(0.02)  # a load that a test may make, for as long as the node takes
        stopping.wait_gone()
        for each in plugins:
            each.close()
        cluster.balancer.wait_for({"node1": "DOWN", "node2": "UP"})
    assert set(answered) == {(200, staying.node_id)}
    assert "503" in cluster.balancer.log()


def test_the_variables_are_those_it_explains() -> None:
    """Each that is used has a value in the file, so that it runs without any."""
    lines = [line.strip() for line in DEPLOYED.read_text().splitlines()]
    preset = {line.split()[1] for line in lines if line.startswith("presetenv ")}
    uses = [line for line in lines if not line.startswith(("#", "presetenv "))]
    assert preset == set(re.findall(r'"\$\{?([A-Z_]+)', "\n".join(uses)))
