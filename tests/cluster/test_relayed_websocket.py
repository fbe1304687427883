"""WebSockets by way of a node that does not have the session: spliced, byte for byte."""

import select
import socket
import struct
import threading

import pytest

from ..protocol.wire import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    UPGRADE,
    Client,
    Connection,
    WebSocket,
    frame,
    request_bytes,
)
from ..running_redis import RunningRedis
from .running_small_node import PATIENCE_S, RunningSmallNode
from .test_relayed_polling import KEY, NOOP, UNKNOWN, astray, essence, opened

REVISIONS = pytest.mark.parametrize("eio", [4, 3])


def upgraded(client: Client) -> WebSocket:
    """Upgrade a session."""
    websocket = client.websocket()
    assert websocket.answer_to_upgrade.status == 101
    websocket.say("2probe")
    assert websocket.text() == "3probe"
    websocket.say("5", "4upgraded")
    assert websocket.text() == "4upgraded"
    return websocket


@REVISIONS
def test_an_upgrade(owner: RunningSmallNode, other: RunningSmallNode, eio: int) -> None:
    """The held poll gets its noop, what waits goes out on the WebSocket, in order."""
    client = astray(owner, other, eio)
    held = client.hold()
    websocket = client.websocket()
    websocket.say("2probe")
    assert websocket.text() == "3probe"
    assert held.answer().brief == (200, NOOP[eio])
    assert client.get().brief == (200, NOOP[eio])
    client.say("4a", "4b")
    websocket.say("5", "4c")
    assert [websocket.text() for _ in range(3)] == ["4a", "4b", "4c"]
    assert client.get().brief == (400, b'{"code":3,"message":"Bad request"}')


def test_the_answer_is_the_same(owner: RunningSmallNode, other: RunningSmallNode) -> None:
    """But for who has answered."""
    origin = [("Origin", "https://a.example"), *KEY]
    answers = [
        WebSocket(client.port, client.target("websocket"), origin).answer_to_upgrade
        for client in (opened(owner), astray(owner, other))
    ]
    assert essence(answers[0]) == essence(answers[1])
    assert answers[0].status == 101
    assert answers[1].headers["x-node-id"] == "other"


@pytest.mark.parametrize(
    "change",
    [
        {"Sec-WebSocket-Version": "12"},
        {"Sec-WebSocket-Key": "short"},
        {"Connection": "keep-alive"},
        {"Authorization": "ApiKey wrong"},
        {"Origin": "illegal \x01"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_refusals_are_the_same(
    owner: RunningSmallNode, other: RunningSmallNode, change: dict[str, str]
) -> None:
    """And the connection can be used for something else."""
    headers = list((dict(UPGRADE) | dict(KEY) | change).items())
    answers = []
    for client in (opened(owner, headers=KEY), astray(owner, other, headers=KEY)):
        connection = Connection(client.port)
        answers.append(connection.request("GET", client.target("websocket"), headers))
        assert answers[-1].status in (400, 403)
        assert connection.request("POST", client.target(), [], b"4x").brief == (200, b"ok")
    assert essence(answers[0]) == essence(answers[1])


def test_an_old_http_and_a_body(owner: RunningSmallNode, other: RunningSmallNode) -> None:
    """HTTP/1.0 knows no upgrade; a body has no business in one, and is ignored."""
    answers = []
    for client in (opened(owner), astray(owner, other)):
        connection = Connection(client.port)
        whole = request_bytes("GET", client.target("websocket"), UPGRADE)
        connection.send(whole.replace(b"HTTP/1.1", b"HTTP/1.0"))
        answers.append(connection.rest().split(b"\r\n\r\n")[1])
        connection = Connection(client.port)
        answers.append(connection.request("GET", client.target("websocket"), UPGRADE, b"x").status)
    assert answers[:2] == answers[2:] == [b'{"code":3,"message":"Bad request"}', 101]


def test_an_upgrade_of_a_session_that_nobody_has(
    owner: RunningSmallNode, other: RunningSmallNode
) -> None:
    """400, as for polls."""
    for sid in ("owner" + "x" * 22, "nobody" + "x" * 22):
        target = f"/websockets/?EIO=4&transport=websocket&sid={sid}"
        assert WebSocket(other.port, target).answer_to_upgrade.brief == UNKNOWN


@REVISIONS
def test_frames_of_all_kinds(owner: RunningSmallNode, other: RunningSmallNode, eio: int) -> None:
    """Text, binary, fragments, pings, and large ones."""
    websocket = upgraded(astray(owner, other, eio))
    kind = b"" if eio == 4 else b"\x04"
    websocket.send_frame(BINARY, kind + b"\x00\xff\r\n")
    assert websocket.frame() == (BINARY, kind + b"\x00\xff\r\n")
    websocket.send_frame(TEXT, b"4fra", fin=False)
    websocket.send_frame(PING, b"in between")
    assert websocket.frame() == (PONG, b"in between")
    websocket.send_frame(0, b"gment")
    assert websocket.text() == "4fragment"
    websocket.say("4size:200000")
    assert websocket.text() == "4" + "x" * 200_000


def test_what_comes_in_one_segment_with_the_upgrade(
    owner: RunningSmallNode, other: RunningSmallNode
) -> None:
    """A client that is sure of itself does not wait for the 101."""
    client = astray(owner, other)
    connection = Connection(other.port)
    hasty = b"".join(frame(TEXT, each) for each in (b"2probe", b"5", b"4early"))
    connection.send(request_bytes("GET", client.target("websocket"), UPGRADE) + hasty)
    assert connection.answer().status == 101
    expected = b"".join(frame(TEXT, each, masked=False) for each in (b"3probe", b"4early"))
    assert connection.exactly(len(expected)) == expected


def test_the_close_handshake(owner: RunningSmallNode, other: RunningSmallNode) -> None:
    """Begun by the client: the session is told, the answer and the end of the connection come back."""
    client = astray(owner, other)
    websocket = upgraded(client)
    websocket.send_frame(CLOSE, struct.pack("!H", 1000))
    assert websocket.frame() == (CLOSE, struct.pack("!H", 1000))
    assert websocket.rest() == b""
    assert owner.reason_of(client.sid) == "transport close"


def test_a_broken_frame(owner: RunningSmallNode, other: RunningSmallNode) -> None:
    """The reason comes through, though the client is still sending: the session's node half-closes."""
    client = astray(owner, other)
    websocket = upgraded(client)
    websocket.send_frame(TEXT, b"4x", masked=False)
    websocket.send(b"x" * 100_000)
    opcode, payload = websocket.frame()
    assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1002))
    assert websocket.rest() == b""
    assert owner.reason_of(client.sid) == "transport error"


def test_a_client_that_has_said_all(owner: RunningSmallNode, other: RunningSmallNode) -> None:
    """Its half-close ends the session as on its own node; what is on its way still comes."""
    client = astray(owner, other)
    websocket = upgraded(client)
    websocket.say("4last words")
    websocket.socket.shutdown(socket.SHUT_WR)
    assert websocket.text() == "4last words"
    assert websocket.rest() == b""
    assert owner.reason_of(client.sid) == "transport close"


def test_a_client_that_is_cut_off(owner: RunningSmallNode, other: RunningSmallNode) -> None:
    """A reset passes through."""
    client = astray(owner, other)
    websocket = upgraded(client)
    websocket.reset()
    assert owner.reason_of(client.sid) == "transport close"


def test_a_client_that_leaves_before_the_answer(
    owner: RunningSmallNode, other: RunningSmallNode
) -> None:
    """Nothing is left behind: the session goes on."""
    client = astray(owner, other)
    for _ in range(20):
        connection = Connection(other.port)
        connection.send(request_bytes("GET", client.target("websocket"), UPGRADE))
        connection.reset()
    client.say("4x")
    assert client.poll() == "4x"


def test_a_client_that_reads_late(owner: RunningSmallNode, other: RunningSmallNode) -> None:
    """What has waited for it in all buffers comes in order, once it reads."""
    client = astray(owner, other)
    websocket = upgraded(client)
    websocket.say(*["4size:100000"] * 64)
    client.port = owner.port
    assert client.get().status == 400  # by then the session has begun to answer
    for _ in range(64):
        assert websocket.text() == "4" + "x" * 100_000
    websocket.say("4done")
    assert websocket.text() == "4done"


def test_a_node_that_does_not_read_stops_the_client(
    redis: RunningRedis, owner: RunningSmallNode, other: RunningSmallNode
) -> None:
    """The node in between takes no more than its buffers hold, and loses nothing of it."""
    client = astray(owner, other)
    websocket = upgraded(client)
    chunk = b"".join(frame(TEXT, b"4" + b"x" * 1000) for _ in range(64))
    # While Redis does not answer no node is taken for dead, however long this takes.
    redis.pause()
    owner.pause()
    try:
        sent = 0
        while select.select([], [websocket.socket], [], 0.5)[1]:
            websocket.socket.setblocking(False)
            try:
                sent += websocket.socket.send(chunk[sent % len(chunk) :])
            except BlockingIOError:
                continue
            finally:
                websocket.socket.settimeout(PATIENCE_S)
            assert sent < 64 << 20, "nothing stops the client"
    finally:
        owner.resume()
        redis.resume()
    rest = chunk[sent % len(chunk) :] if sent % len(chunk) else b""
    expected = (sent + len(rest)) // len(chunk) * 64
    sending = threading.Thread(target=websocket.socket.sendall, args=[rest])
    sending.start()
    for _ in range(expected):
        assert websocket.text() == "4" + "x" * 1000
    sending.join()
    websocket.say("4done")
    assert websocket.text() == "4done"
