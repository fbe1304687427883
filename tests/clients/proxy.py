"""A TCP proxy before a node that sees every request, and can hold back WebSocket handshakes."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

import attrs

HOLD_TIMEOUT_S = 120.0
_CHUNK = 65536


@attrs.frozen
class Request:
    """The head of one request."""

    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        """The query's values by name."""
        return parse_qs(urlsplit(self.target).query)

    @property
    def is_handshake(self) -> bool:
        """Whether it asks for a new Engine.IO session."""
        return self.method == "GET" and "sid" not in self.query

    @property
    def is_websocket(self) -> bool:
        """Whether it asks for a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"


class Proxy:
    """Forwards connections from a port of its own to a node's, each with two threads."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._requests: list[Request] = []
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._lock = threading.Lock()
        self._may_upgrade = threading.Event()
        self._may_upgrade.set()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._may_upgrade.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        with self._lock:
            for end in self._sockets:
                _shut(end)
            threads = list(self._threads)
        for thread in threads:
            thread.join()
        for end in self._sockets:
            end.close()

    def hold_websockets(self) -> None:
        """Keep WebSocket handshakes from the node until :meth:`release_websockets`."""
        self._may_upgrade.clear()

    def release_websockets(self) -> None:
        """Let them through."""
        self._may_upgrade.set()

    def requests(self) -> list[Request]:
        """Every request forwarded so far, oldest first."""
        with self._lock:
            return list(self._requests)

    def handshakes(self) -> list[Request]:
        """The requests for a new session."""
        return [request for request in self.requests() if request.is_handshake]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                node = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            threads = [
                threading.Thread(target=work, args=(client, node), daemon=True)
                for work in (self._forward_requests, self._forward)
            ]
            with self._lock:
                self._sockets |= {client, node}
                self._threads += threads
                for thread in threads:
                    thread.start()

    def _forward(self, client: socket.socket, node: socket.socket) -> None:
        """Pass what the node says to the client."""
        with suppress(OSError):
            while data := node.recv(_CHUNK):
                client.sendall(data)
        _shut(client)
        _shut(node)

    def _forward_requests(self, client: socket.socket, node: socket.socket) -> None:
        """Pass what the client says to the node, request by request until one is a WebSocket's."""
        with suppress(OSError), client.makefile("rb") as stream:
            while lines := _read_head(stream.readline):
                request = _parse(lines)
                if request.is_websocket:
                    self._may_upgrade.wait(HOLD_TIMEOUT_S)
                with self._lock:
                    self._requests.append(request)
                body = stream.read(int(request.headers.get("content-length", 0)))
                node.sendall(b"".join(lines) + body)
                if request.is_websocket:
                    while data := stream.read1(_CHUNK):
                        node.sendall(data)
        _shut(client)
        _shut(node)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def _read_head(readline: Callable[[], bytes]) -> list[bytes]:
    lines: list[bytes] = []
    while line := readline():
        lines.append(line)
        if line == b"\r\n":
            return lines
    return []


def _parse(lines: list[bytes]) -> Request:
    method, target, _ = lines[0].decode("latin-1").split(" ", 2)
    fields = (line.decode("latin-1").partition(":") for line in lines[1:-1])
    headers = {name.lower(): value.strip() for name, _, value in fields}
    assert "transfer-encoding" not in headers, "no stock client sends chunks"
    return Request(method, target, headers)
