"""The clients of these tests: sockets, so that what is sent and expected is bytes on a page."""

import json
import os
import re
import socket
import struct
from collections.abc import Sequence
from itertools import cycle
from typing import Any, NamedTuple

PATIENCE_S = 60.0
"""A test that waits longer for an answer has failed."""

RECEIVED: list[bytes] = []
"""All that any server has ever sent to these clients."""

SIDS: set[str] = set()
"""Of all sessions these clients have ever had."""

ELSEWHERE: dict[int, int] = {}
"""Port → the port of another node, which connections for a session go to instead: see tests/cluster."""

OPEN: set["Connection"] = set()
"""Connections that nobody has closed yet."""

Headers = Sequence[tuple[str, str]]

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def brief(self) -> tuple[int, bytes]:
        return self.status, self.body


class Connection:
    """One TCP connection to a server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self.buffer = b""
        OPEN.add(self)
        if port not in ELSEWHERE:
            self._connect(port)

    @property
    def socket(self) -> socket.socket:
        if self._socket is None:
            self._connect(self._port)
        assert self._socket is not None
        return self._socket

    def _connect(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)

    def send(self, data: bytes) -> None:
        if self._socket is None and b"sid=" in data.partition(b"\r\n")[0]:
            self._connect(ELSEWHERE[self._port])
        self.socket.sendall(data)

    def request(
        self, method: str, target: str, headers: Headers = (), body: bytes | None = None
    ) -> Answer:
        self.send(request_bytes(method, target, headers, body))
        return self.answer(method)

    def answer(self, method: str = "GET") -> Answer:
        """Wait for one answer."""
        head = self.until(b"\r\n\r\n").decode("latin-1")
        status_line, *lines = head[:-4].split("\r\n")
        version, status, phrase = status_line.split(" ", 2)
        assert version == "HTTP/1.1"
        # What twisted.web says of a status that it does not know.
        assert phrase != "Unknown Status", status_line
        pairs = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in pairs}
        names = [name for name, _ in pairs if name != "WWW-Authenticate"]
        assert len(names) == len(set(names)), f"a header comes twice: {head}"
        code = int(status)
        if method == "HEAD" or code in (101, 204):
            return Answer(code, headers, b"")
        return Answer(code, headers, self.exactly(int(headers["content-length"])))

    def until(self, end: bytes) -> bytes:
        while end not in self.buffer:
            self._more()
        data, _, self.buffer = self.buffer.partition(end)
        return data + end

    def exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._more()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def rest(self) -> bytes:
        """Wait for the server to close; return what came before."""
        try:
            while True:
                self._more()
        except ConnectionError:
            data, self.buffer = self.buffer, b""
            return data

    def reset(self) -> None:
        """Go without a goodbye: RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        OPEN.discard(self)
        if self._socket is not None:
            self._socket.close()

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server has closed the connection")
        RECEIVED.append(data)
        self.buffer += data


class WebSocket(Connection):
    """A WebSocket client; :attr:`answer_to_upgrade` tells how it began."""

    def __init__(self, port: int, target: str, headers: Headers = ()) -> None:
        super().__init__(port)
        self.answer_to_upgrade = self.request("GET", target, [*UPGRADE, *headers])

    def send_frame(
        self, opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0, masked: bool = True
    ) -> None:
        self.send(frame(opcode, payload, fin=fin, rsv=rsv, masked=masked))

    def say(self, *texts: str) -> None:
        self.send(b"".join(frame(TEXT, text.encode()) for text in texts))

    def frame(self) -> tuple[int, bytes]:
        """Wait for one frame: its opcode and payload."""
        first, second = self.exactly(2)
        assert first & 0x70 == 0, "reserved bits"
        assert first & 0x80, "a fragment"
        size = second  # never masked
        if size == 126:
            size = int.from_bytes(self.exactly(2), "big")
        elif size == 127:
            size = int.from_bytes(self.exactly(8), "big")
        return first & 0x0F, self.exactly(size)

    def text(self) -> str:
        """Wait for a text frame."""
        opcode, payload = self.frame()
        assert opcode == TEXT, (opcode, payload)
        return payload.decode()

    def close_code(self) -> int | None:
        """Wait for the end; return the code of the close frame, which must be all that comes."""
        opcode, payload = self.frame()
        assert opcode == CLOSE, (opcode, payload)
        self.send(frame(CLOSE, payload[:2]))
        assert self.rest() == b""
        return int.from_bytes(payload[:2], "big") if payload else None


UPGRADE: Headers = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)


def request_bytes(
    method: str, target: str, headers: Headers = (), body: bytes | None = None
) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: node.test"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def frame(
    opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0, masked: bool = True
) -> bytes:
    head = bytes([fin << 7 | rsv << 4 | opcode])
    flag = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([flag | len(payload)])
    elif len(payload) < 1 << 16:
        head += bytes([flag | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([flag | 127]) + len(payload).to_bytes(8, "big")
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(a ^ b for a, b in zip(payload, cycle(mask), strict=False))


def request(
    port: int, method: str, target: str, headers: Headers = (), body: bytes | None = None
) -> Answer:
    """Send one request on a connection of its own."""
    connection = Connection(port)
    try:
        return connection.request(method, target, headers, body)
    finally:
        connection.close()


class Client:
    """One Engine.IO session of a polling client. Each request has a connection of its own.

    ``eio``: the revision, ``None`` for a client that names none. ``query``: more of the handshake's.
    """

    def __init__(
        self,
        port: int,
        eio: int | None = 4,
        query: str = "",
        headers: Headers = (),
        path: str = "/websockets/",
    ) -> None:
        self.port = port
        self.eio = eio
        self.base = f"{path}?" + (f"EIO={eio}&" if eio else "")
        self.headers = headers
        target = f"{self.base}transport=polling{query}"
        self.opened = request(port, "GET", target, headers)
        assert self.opened.status == 200, self.opened
        self.sid = handshake_of(self.opened.body)["sid"]
        SIDS.add(self.sid)

    def target(self, transport: str = "polling") -> str:
        return f"{self.base}transport={transport}&sid={self.sid}"

    def get(self) -> Answer:
        return request(self.port, "GET", self.target(), self.headers)

    def post(self, body: str | bytes, headers: Headers = ()) -> Answer:
        data = body.encode() if isinstance(body, str) else body
        return request(self.port, "POST", self.target(), [*self.headers, *headers], data)

    def hold_post(self, body: str) -> Connection:
        """Send a POST without waiting for its answer."""
        held = Connection(self.port)
        held.send(request_bytes("POST", self.target(), self.headers, body.encode()))
        return held

    def say(self, *packets: str) -> None:
        """Post packets; they must be taken."""
        joined = packets_of(self.eio, *packets)
        answer = self.post(joined)
        assert answer.brief == (200, b"ok"), (packets, answer)

    def poll(self) -> str:
        """Poll once; return the packets, those of revision 4 separated by a space."""
        answer = self.get()
        assert answer.status == 200, answer
        return answer.body.decode().replace("\x1e", " ")

    def hold(self) -> Connection:
        """Send a GET without waiting for its answer."""
        held = Connection(self.port)
        held.send(request_bytes("GET", self.target(), self.headers))
        return held

    def websocket(self, headers: Headers = ()) -> WebSocket:
        """Open a WebSocket for this session."""
        return WebSocket(self.port, self.target("websocket"), headers)

    @property
    def alive(self) -> bool:
        """Whether the node knows the session: asked with a method that sessions do not take."""
        answer = request(self.port, "PUT", self.target(), self.headers)
        assert answer.status in (400, 405), answer
        return answer.json["code"] != 1 if answer.status == 400 else True


def handshake_of(body: bytes) -> Any:
    """Return the JSON of the open packet in a polling answer of either revision, or a script of one."""
    text = body.decode()
    if text.startswith("___eio"):
        text = json.loads(text[text.index("(") + 1 : -2])
    return json.loads(text[text.index("{") : text.index("}") + 1])


def packets_of(eio: int | None, *packets: str) -> str:
    """Return a text payload: ASCII packets only."""
    if eio == 4:
        return "\x1e".join(packets)
    return "".join(f"{len(packet)}:{packet}" for packet in packets)


def open_websocket(
    port: int, eio: int | None = 4, query: str = "", headers: Headers = ()
) -> WebSocket:
    """Open a session over a WebSocket, and take its open packet (and ``40`` in revision 3)."""
    client = WebSocket(port, f"/websockets/?{ws_query(eio)}{query}", headers)
    assert client.answer_to_upgrade.status == 101, client.answer_to_upgrade
    first = client.text()
    assert first.startswith('0{"sid":"')
    SIDS.add(handshake_of(first.encode())["sid"])
    if eio != 4:
        first = client.text()
        assert first == "40" or first.startswith("44"), first
    return client


def event_of(text: str, namespace: str = "/dropcodes") -> Any:
    """Return the array in an event, with or without an ack id."""
    match = re.fullmatch(rf"42{namespace},\d*(\[.*\])", text)
    assert match is not None, text
    return json.loads(match[1])


def ws_query(eio: int | None) -> str:
    return f"EIO={eio}&transport=websocket" if eio else "transport=websocket"
