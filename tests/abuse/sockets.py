"""What attackers use: connections from any address of loopback, and many answers at once."""

import itertools
import json
import resource
import selectors
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress

import attrs

from ..protocol.wire import Headers, WebSocket, request_bytes

PATIENCE_S = 60.0
"""Who waits longer for an answer has failed."""
AT_ONCE = 50
"""Connections of a flood that are under way at one time."""
_BIND_ADDRESS_NO_PORT = 24
"""IP_BIND_ADDRESS_NO_PORT: the port is chosen at the connect, so that one address has all its ports for each peer."""
_numbers = itertools.count(1)


@attrs.frozen
class Reply:
    """How a request was answered."""

    status: int
    retry_after: str | None
    body: bytes = b""


CUT = Reply(0, None)
"""The connection was closed without an answer."""


def address() -> str:
    """Return an address of loopback that nobody has come from yet."""
    number = next(_numbers)
    return f"127.1.{number // 250}.{number % 250 + 1}"


def addresses(count: int) -> Iterator[str]:
    """Return ``count`` new addresses, over and over."""
    return itertools.cycle([address() for _ in range(count)])


def many_files() -> None:
    """Let this process, and the nodes it starts from now on, have as many files open as they may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def dial(port: int, source: str, receive_buffer: int | None = None) -> socket.socket:
    """Connect to 127.0.0.1 from ``source``."""
    made = socket.socket()
    made.settimeout(PATIENCE_S)
    made.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if receive_buffer is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.bind((source, 0))
    made.connect(("127.0.0.1", port))
    return made


class Attacker(WebSocket):
    """A session over WebSocket from ``source``. With ``connect``, what follows ``40``, it has joined a namespace."""

    def __init__(
        self,
        port: int,
        source: str,
        connect: str | None = None,
        headers: Headers = (),
        receive_buffer: int | None = None,
    ) -> None:
        self._source = source
        self._receive_buffer = receive_buffer
        super().__init__(port, "/websockets/?EIO=4&transport=websocket", headers)
        assert self.answer_to_upgrade.status == 101, self.answer_to_upgrade
        self.text()
        if connect is not None:
            self.say("40" + connect)
            assert self.text().startswith("40/")

    def _connect(self, port: int) -> None:
        self._socket = dial(port, self._source, self._receive_buffer)


def reset(connection: socket.socket) -> None:
    """Go without a goodbye: RST, which also leaves no port behind that has to wait."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_reply(connection: socket.socket) -> Reply:
    """Wait for the answer to one request. ``CUT``: there was none."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            if not (more := connection.recv(65536)):
                return CUT
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines)
        size = int(fields.get("content-length", "0"))
        while len(body) < size:
            if not (more := connection.recv(65536)):
                return CUT
            body += more
    except ConnectionError:
        return CUT
    return Reply(int(status_line.split(" ")[1]), fields.get("retry-after"), body)


def flood(
    port: int,
    sources: Iterator[str],
    requests: Sequence[bytes],
    *,
    leave: bool = True,
    at_once: int = AT_ONCE,
) -> "Counter[Reply]":
    """Send each request on a connection of its own, ``at_once`` at one time; count the answers.

    Whoever is let in leaves again, unless told otherwise: else a session over polling stays until the
    connect time-out and the time for a last poll are over. Their replies are counted without the body.
    """
    replies: Counter[Reply] = Counter()
    for start in range(0, len(requests), at_once):
        connections = []
        for request in requests[start : start + at_once]:
            connection = dial(port, next(sources))
            # Where it is refused before its end, the answer has been sent.
            with suppress(ConnectionError):
                connection.sendall(request)
            connections.append(connection)
        for connection in connections:
            reply = read_reply(connection)
            if reply.body.startswith(b'0{"sid":"'):
                if leave:
                    _say_bye(port, next(sources), json.loads(reply.body[1:])["sid"])
                reply = Reply(reply.status, None)
            elif reply.status == 101:
                reply = Reply(reply.status, None)
            replies[reply] += 1
            reset(connection)
    return replies


def open_polling(port: int, source: str) -> str:
    """Open a session over polling; return its sid."""
    connection = dial(port, source)
    connection.sendall(knock("/websockets/?EIO=4&transport=polling"))
    reply = read_reply(connection)
    reset(connection)
    assert reply.status == 200, reply
    return str(json.loads(reply.body[1:])["sid"])


def session_request(
    method: str, sid: str, headers: Headers = (), body: bytes | None = None
) -> bytes:
    """Return a request for a session over polling."""
    target = f"/websockets/?EIO=4&transport=polling&sid={sid}"
    return request_bytes(method, target, headers, body)


def _say_bye(port: int, source: str, sid: str) -> None:
    connection = dial(port, source)
    connection.sendall(session_request("POST", sid, body=b"1"))
    read_reply(connection)
    reset(connection)


def wait_ends(connections: Sequence[socket.socket], patience_s: float) -> list[bytes]:
    """Read all at the same time until the node closes them; return what each was sent."""
    received = dict.fromkeys(connections, b"")
    deadline = time.monotonic() + patience_s
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ)
        while selector.get_map():
            assert time.monotonic() < deadline, f"{len(selector.get_map())} are still open"
            for key, _ in selector.select(0.5):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                try:
                    data = connection.recv(65536)
                except ConnectionError:
                    data = b""
                received[connection] += data
                if not data:
                    selector.unregister(connection)
                    connection.close()
    return list(received.values())


def knock(target: str, headers: Headers = ()) -> bytes:
    """Return the request for a session."""
    return request_bytes("GET", target, headers)
