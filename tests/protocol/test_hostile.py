"""Input that no client sends by mistake. Each test ends with an honest client that is served, and a
node that has not grown.
"""

import random
import resource
from collections.abc import Iterator
from contextlib import suppress

import pytest

from ..stopwatch import Stopwatch
from .server import Honest, Node
from .test_packets import HEADER, in_dropcodes
from .test_polling import UNKNOWN, joined
from .wire import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    UPGRADE,
    Client,
    Connection,
    WebSocket,
    frame,
    open_websocket,
    request,
    request_bytes,
)

GROWTH_MIB = 48.0
"""What one attack may leave behind: a body of 1 MiB can be 300,000 objects, and the allocator keeps
what they took."""
MOST_MIB = 160.0
"""What all attacks together may bring the node to."""
REVISIONS = pytest.mark.parametrize("eio", [4, 3])


@pytest.fixture(autouse=True)
def _unharmed(besieged: Node, honest: Honest) -> Iterator[None]:
    """Check the honest client and the node's memory behind each test."""
    before = besieged.rss_mib()
    yield
    honest.check()
    assert besieged.rss_mib() < min(before + GROWTH_MIB, MOST_MIB)


def close_code(websocket: WebSocket) -> int:
    """Wait for the end of a client that broke the rules; return the close frame's code."""
    opcode, payload = websocket.frame()
    assert opcode == CLOSE, (opcode, payload)
    websocket.close()
    return int.from_bytes(payload[:2], "big")


def push(connection: Connection, data: bytes, times: int = 1) -> None:
    """Send until the server has had enough."""
    try:
        for _ in range(times):
            connection.send(data)
    except ConnectionError:
        pass


def header(node: Node) -> tuple[str, str]:
    return ("Authorization", f"ApiKey {node.backend_key}")


# JSON


NESTED = {
    "arrays": "[" * 900,
    "closed arrays": "[" * 400 + "]" * 400,
    "objects": '{"a":' * 190,
    "closed objects": '{"a":' * 140 + "1" + "}" * 140,
    "just too deep": "[" * 64 + "]" * 64,
}


@pytest.mark.parametrize("which", NESTED)
@pytest.mark.parametrize("start", ['42/dropcodes,["a",', "43/dropcodes,1[", "40/donations,"])
@REVISIONS
def test_deeply_nested_packets(besieged: Node, eio: int, start: str, which: str) -> None:
    """They end the session."""
    websocket = in_dropcodes(besieged, eio)
    websocket.say(start + NESTED[which] + ("]" if start.endswith(("[", ",")) else ""))
    assert websocket.close_code() == 1000


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'{"a":' + b"[" * 400_000 + b"]" * 400_000 + b"}",
        b'{"namespace":"/dropcodes","event":"e","to":"all","data":'
        + b"[" * 100
        + b"]" * 100
        + b"}",
        b'{"data":' + b"9" * 1_000_000 + b"}",
        b'{"data":1e' + b"9" * 1000 + b"}",
        b'{"data":"\\ud800"}',
        b'{"data":"' + b"\\" * 1_000_001 + b'"}',
        b'{"a":1,' * 100_000,
        b"\xff" * 1_000_000,
        b"\x00" * 1_000_000,
        b"[" + b"{}," * 300_000 + b"{}]",
    ],
    ids=range(12),
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/batch", "/v1/keys"])
def test_hostile_json_to_the_api(besieged: Node, path: str, body: bytes) -> None:
    """400, without a word of the parser's inside, or 413 without a look at it."""
    answer = request(besieged.port, "POST", path, [header(besieged)], body)
    refused = (answer.status, answer.json["error"]["code"])
    assert refused in ((400, "invalid_request"), (413, "too_large"))
    assert len(answer.body) < 1000


def test_a_batch_of_bad_messages(besieged: Node) -> None:
    """Each has its own answer; too many have one."""
    for number, status in ((1000, 200), (1001, 400)):
        body = b'{"messages":[' + b",".join([b'{"a":[[]]}'] * number) + b"]}"
        answer = request(besieged.port, "POST", "/v1/messages/batch", [header(besieged)], body)
        assert answer.status == status


# Socket.IO


@pytest.mark.parametrize(
    "text",
    [
        "42/dropcodes," + "9" * 900 + '["a"]',
        "43/dropcodes," + "9" * 900 + "[]",
        "43/dropcodes,9007199254740992[]",
        "45" + "9" * 900 + '-/dropcodes,["a"]',
        "4511" + '-/dropcodes,["a"]',
        "461000000-/dropcodes,1[]",
        "42/dropcodes,[" + "9" * 900 + "]",
        '42/dropcodes,["a"' + ',{"_placeholder":true,"num":0}' * 20 + "]x",
    ],
    ids=range(8),
)
@REVISIONS
def test_huge_numbers(besieged: Node, eio: int, text: str) -> None:
    """They end the session before they are numbers."""
    websocket = in_dropcodes(besieged, eio)
    websocket.say(text)
    assert websocket.close_code() == 1000


def test_attachments_that_never_come(besieged: Node) -> None:
    """Who waits for them loses nothing but his own session."""
    waiting = [in_dropcodes(besieged, 4) for _ in range(50)]
    for websocket in waiting:
        websocket.say(HEADER)
    for websocket in waiting[:25]:
        websocket.say(HEADER)
        assert websocket.close_code() == 1000
    for websocket in waiting[25:]:
        websocket.reset()


def test_a_flood_of_namespaces(besieged: Node) -> None:
    """Each is refused, none is remembered."""
    client = joined(besieged, 4)
    for _ in range(20):
        client.say(*[f"40/{number}," for number in range(5000)])
        assert client.poll().startswith("44/0,")
        while not client.poll().endswith('44/4999,{"message":"Invalid namespace"}'):
            pass


def test_answers_that_nobody_fetches(besieged: Node) -> None:
    """A client that only posts is closed when too much waits for it."""
    client = joined(besieged, 4)
    body = "\x1e".join(["40/" + "x" * 900 + ","] * 70)
    statuses = {client.post(body).status for _ in range(400)}
    assert statuses == {200, 400}
    assert client.get().brief == UNKNOWN


def test_many_packets_before_a_namespace_has_decided(besieged: Node) -> None:
    """The wait for a key's look-up holds so many and no more."""
    websocket = WebSocket(
        besieged.port, "/websockets/?EIO=4&transport=websocket", besieged.authorization()
    )
    websocket.text()
    websocket.say("40/dropcodes,", *['42/dropcodes,["a"]'] * 2000)
    last = websocket.frame()
    assert last[0] in (TEXT, CLOSE)


@REVISIONS
def test_many_small_packets_in_one_post(besieged: Node, eio: int) -> None:
    """64 KiB of the smallest there are: taken, and answered where they want an answer."""
    client = joined(besieged, eio)
    client.say(*["6"] * (32_000 if eio == 4 else 21_000))
    if eio == 3:
        client.say(*["2"] * 21_000)
        assert client.poll().startswith("1:31:3")
    client.say("40/x,")
    while "44/x," not in client.poll():
        pass


# Slow


def trickled(connection: Connection, data: bytes) -> tuple[bytes, Stopwatch]:
    """Send byte by byte, each 20 ms, until the server speaks; return what it says, and what it took since the begin."""
    watch = Stopwatch()
    connection.socket.settimeout(0.02)
    answer = b""
    for at in range(len(data)):
        connection.send(data[at : at + 1])
        try:
            answer = connection.socket.recv(65536)
        except TimeoutError:
            continue
        break
    return answer, watch


@pytest.mark.parametrize(
    "head",
    [b"GET / HTTP/1.1\r\nX: " + b"x" * 200, b"x" * 200, b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 50],
)
def test_a_head_that_trickles(besieged: Node, head: bytes) -> None:
    """408 after its total time."""
    answer, watch = trickled(Connection(besieged.port), head)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert watch.passed_s > 0.5
    assert watch.lived_s < 1.6


def test_a_connection_without_a_word(besieged: Node) -> None:
    """It is closed."""
    assert Connection(besieged.port).rest() == b""


def test_a_post_that_trickles(besieged: Node) -> None:
    """408 after its total time, and its session is over."""
    client = joined(besieged, 4)
    head = request_bytes("POST", client.target(), client.headers, b"4" * 900)[:-900]
    connection = Connection(besieged.port)
    connection.send(head)
    answer, watch = trickled(connection, b"4" * 200)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert watch.passed_s > 0.5
    assert watch.lived_s < 1.6
    assert client.get().brief == UNKNOWN


def test_a_body_for_the_api_that_trickles(besieged: Node) -> None:
    """408; chunks do not help."""
    for more in ([("Content-Length", "900")], [("Transfer-Encoding", "chunked")]):
        connection = Connection(besieged.port)
        connection.send(request_bytes("POST", "/v1/messages", [header(besieged), *more]))
        answer, _ = trickled(connection, b"1\r\n{\r\n" * 50)
        assert answer.startswith(b"HTTP/1.1 408 ")


# Large


@REVISIONS
@pytest.mark.parametrize("length", [65_537, 10_000_000_000, 10**30])
def test_a_huge_declared_post(besieged: Node, eio: int, length: int) -> None:
    """413 before a byte of it is read, and the session is over."""
    client = joined(besieged, eio)
    held = client.hold()
    connection = Connection(besieged.port)
    declared = [*client.headers, ("Content-Length", str(length))]
    connection.send(request_bytes("POST", client.target(), declared))
    answer = connection.answer()
    assert answer.brief == (413, b"")
    assert answer.headers["connection"] == "close"
    assert held.answer().status in (200, 400)
    assert client.get().brief == UNKNOWN


def test_a_huge_declared_api_call(besieged: Node) -> None:
    """413 in the API's own words, without a key even."""
    connection = Connection(besieged.port)
    connection.send(request_bytes("POST", "/v1/messages", [("Content-Length", "10000000000")]))
    answer = connection.answer()
    assert (answer.status, answer.json["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("chunk", "times"),
    [(b"1\r\nx\r\n" * 10_000, 150), (b"fffff\r\n" + b"x" * 0xFFFFF + b"\r\n", 10)],
    ids=["tiny", "large"],
)
def test_a_flood_of_chunks_in_a_session(besieged: Node, chunk: bytes, times: int) -> None:
    """413 where it passes the limit, and the session is over. What still comes is not kept.

    On a busy machine the time for a body may be over before.
    """
    client = joined(besieged, 4)
    connection = Connection(besieged.port)
    connection.send(request_bytes("POST", client.target(), [("Transfer-Encoding", "chunked")]))
    push(connection, chunk, times)
    answer = connection.answer()
    assert answer.brief == (413, b"") or answer.status == 408
    assert client.get().brief == UNKNOWN


def test_a_flood_of_chunks_to_the_api(besieged: Node) -> None:
    """The same; tiny ones may be stopped by the time for a body before. Without a key: 401."""
    chunked = ("Transfer-Encoding", "chunked")
    for chunk in (b"1\r\nx\r\n" * 10_000, b"fffff\r\n" + b"x" * 0xFFFFF + b"\r\n"):
        for headers, statuses in (
            ([chunked, header(besieged)], (408, 413)),
            ([chunked], (401, 408)),
        ):
            connection = Connection(besieged.port)
            connection.send(request_bytes("POST", "/v1/messages", headers))
            push(connection, chunk, 10_000_000 // len(chunk))
            assert connection.answer().status in statuses


def test_a_large_body_for_the_api_without_a_backend_s_key(besieged: Node) -> None:
    """The answer is there before the body is, and the connection is over."""
    plugin = besieged.authorization()
    for headers, status in (
        ((), 401),
        ([("Authorization", "ApiKey rpk_aaaaaaaaaaaa_x")], 401),
        ([("Authorization", f"ApiKey {besieged.backend_key}x")], 401),
        (plugin, 403),
    ):
        for path in ("/v1/messages", "/v1/messages/batch", "/v1/keys"):
            connection = Connection(besieged.port)
            length = ("Content-Length", "1000000")
            connection.send(request_bytes("POST", path, [*headers, length]) + b"{" * 1000)
            answer = connection.answer()
            assert (answer.status, answer.headers["connection"]) == (status, "close")
            assert answer.headers["content-type"] == "application/json"
            assert ("www-authenticate" in answer.headers) is (status == 401)


def test_many_large_bodies_under_way(besieged: Node) -> None:
    """So many, then 503 until one of them is over; who comes with little is served."""
    length = ("Content-Length", "16000000")
    head = request_bytes("POST", "/v1/messages/batch", [header(besieged), length])
    waiting = [Connection(besieged.port) for _ in range(16)]
    for connection in waiting:
        connection.send(head + b'{"messages":[')
    late = Connection(besieged.port)
    while True:
        late.send(head)
        answer = late.answer()
        if answer.status == 503:
            break
        late = Connection(besieged.port)
    assert answer.json["error"]["code"] == "unavailable"
    assert answer.headers["retry-after"] == "1"
    assert besieged.backend.call("GET", "/v1/nodes")[0] == 200
    for connection in waiting:
        assert connection.answer().status == 408


def test_a_flood_without_end(besieged: Node) -> None:
    """Some of what comes behind the refusal is thrown away, then the connection is cut."""
    connection = Connection(besieged.port)
    connection.send(request_bytes("POST", "/v1/messages", [("Content-Length", "10000000000")]))

    def flood() -> None:
        while True:
            connection.send(b"x" * 1_000_000)

    with pytest.raises(ConnectionError):
        flood()


@REVISIONS
def test_an_oversize_packet_in_a_post(besieged: Node, eio: int) -> None:
    """413, though the POST as a whole is within its limit. The packet before it counts."""
    client = joined(besieged, eio)
    held = client.hold()
    text = "4" + "x" * 1025
    body = f"40/x,\x1e{text}" if eio == 4 else f"5:40/x,{len(text)}:{text}"
    assert client.post(body).brief == (413, b"")
    assert b"44/x," in held.answer().body
    assert client.get().brief == UNKNOWN


@pytest.mark.parametrize("size", [65_537, 70_000, 5_000_000])
def test_a_post_over_its_limit(besieged: Node, size: int) -> None:
    """413, and the session is over."""
    client = joined(besieged, 4)
    assert client.post("6\x1e" * (size // 2) + "6").brief == (413, b"")
    assert client.get().brief == UNKNOWN


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [1026, 70_000, 3_000_000])
@REVISIONS
def test_an_oversize_message(besieged: Node, eio: int, size: int, opcode: int) -> None:
    """1009, and the session is over."""
    websocket = in_dropcodes(besieged, eio)
    websocket.send_frame(opcode, b"4" + b"\x04" * size)
    assert close_code(websocket) == 1009


@pytest.mark.parametrize("bits", [16, 31, 32, 62])
def test_a_huge_declared_frame(besieged: Node, bits: int) -> None:
    """1009 by its head alone."""
    websocket = in_dropcodes(besieged, 4)
    websocket.send(b"\x81\xff" + (2**bits).to_bytes(8, "big") + b"mask")
    assert close_code(websocket) == 1009


def test_a_frame_longer_than_there_are_bytes(besieged: Node) -> None:
    """A length of 64 bits with the highest set is none."""
    websocket = in_dropcodes(besieged, 4)
    websocket.send(b"\x81\xff" + (2**63).to_bytes(8, "big") + b"mask")
    assert close_code(websocket) == 1002


@pytest.mark.parametrize("piece", [b"x", b"x" * 100])
def test_a_bomb_in_fragments(besieged: Node, piece: bytes) -> None:
    """1009 where their sum passes the limit."""
    websocket = in_dropcodes(besieged, 4)
    websocket.send_frame(TEXT, b"4", fin=False)
    push(websocket, frame(0, piece, fin=False) * 100, 300)
    assert close_code(websocket) == 1009


def test_empty_fragments_without_end(besieged: Node) -> None:
    """They take no room, and the message is whole at last."""
    websocket = in_dropcodes(besieged, 4)
    websocket.send_frame(TEXT, b"40/x", fin=False)
    websocket.send(frame(0, b"", fin=False) * 20_000)
    websocket.send_frame(0, b",")
    assert websocket.text().startswith("44/x,")


def test_a_flood_of_pings_and_no_reading(besieged: Node) -> None:
    """Answers do not pile up."""
    websocket = in_dropcodes(besieged, 4)
    websocket.socket.settimeout(2)
    with suppress(TimeoutError):
        websocket.send(frame(PING, b"x" * 125) * 100_000)
    websocket.reset()


# Broken


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"40/x,", masked=False),
        frame(TEXT, b"40/x,", rsv=4),
        frame(TEXT, b"40/x,", rsv=2),
        frame(BINARY, b"x" * 300, rsv=4),
        frame(PING, b"x", rsv=1),
        frame(PING, b"x" * 126),
        frame(CLOSE, b"\x03\xe8" + b"x" * 124),
        frame(PING, b"x", fin=False),
        frame(0, b"x"),
        frame(TEXT, b"4", fin=False) + frame(TEXT, b"4"),
        *(frame(opcode, b"x") for opcode in (3, 7, 11, 15)),
        frame(CLOSE, b"\x03"),
        frame(CLOSE, b"\x00\x00"),
        frame(CLOSE, b"\x03\xed"),
    ],
    ids=range(17),
)
def test_broken_frames(besieged: Node, data: bytes) -> None:
    """1002: unmasked, compressed, oversize or torn control frames, unknown opcodes, bad codes."""
    websocket = in_dropcodes(besieged, 4)
    websocket.send(data)
    assert close_code(websocket) == 1002


@pytest.mark.parametrize(
    "text", [b"4\xff", b"4\xc0\x80", b"4\xed\xa0\x80", b"\xf8", b"4" + b"\xfe" * 500]
)
@REVISIONS
def test_texts_that_are_not_utf_8(besieged: Node, eio: int, text: bytes) -> None:
    """1007 over a WebSocket, 400 in a POST; the session is over."""
    websocket = in_dropcodes(besieged, eio)
    websocket.send_frame(TEXT, text)
    assert close_code(websocket) == 1007
    client = joined(besieged, eio)
    body = text if eio == 4 else b"%d:%s" % (len(text), text)
    assert client.post(body).brief == (400, b"")
    assert client.get().brief == UNKNOWN


def test_a_session_that_ended_by_a_broken_frame_is_gone(besieged: Node) -> None:
    """It is not only its WebSocket that ends."""
    client = joined(besieged, 4)
    websocket = client.websocket()
    websocket.say("2probe", "5")
    assert websocket.text() == "3probe"
    websocket.send_frame(3, b"")
    assert close_code(websocket) == 1002
    assert client.get().brief == UNKNOWN


@pytest.mark.parametrize("value", ["ApiKey \xff\xfe", "ApiKey \x80", "\xff", "Bearer \xed\xa0\x80"])
def test_keys_that_are_not_utf_8(besieged: Node, value: str) -> None:
    """They are wrong keys like others, at a handshake, later and at the API."""
    headers = [("Authorization", value)]
    websocket = open_websocket(besieged.port, headers=headers)
    websocket.say("40/dropcodes,")
    assert '"unauthorized"' in websocket.text()
    client = joined(besieged, 4)
    client.headers = headers
    assert client.post("40/x,").status == (200 if value == "\xff" else 403)
    assert request(besieged.port, "POST", "/v1/messages", headers, b"{}").status == 401


GARBAGE = random.Random(7)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n\r\n\r\n\r\nx\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost h\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        *(GARBAGE.randbytes(size) + b"\r\n\r\n" for size in (1, 10, 1000, 100_000)),
    ],
    ids=range(18),
)
def test_garbage(besieged: Node, data: bytes) -> None:
    """A refusal in the 400s, and the end of the connection."""
    connection = Connection(besieged.port)
    push(connection, data)
    try:
        answer = connection.rest()
    except ConnectionResetError:
        return
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505 "))


@REVISIONS
def test_garbage_in_sessions(besieged: Node, eio: int) -> None:
    """Whatever it is: it is refused or the end of that session."""
    noise = random.Random(eio)
    for _ in range(100):
        client = Client(besieged.port, eio)
        kind = noise.choice(["text/plain", "application/octet-stream"])
        answer = client.post(noise.randbytes(noise.randrange(1, 400)), [("Content-Type", kind)])
        assert answer.brief in [(400, b""), (413, b"")]
        assert client.get().brief == UNKNOWN
    for _ in range(100):
        websocket = open_websocket(besieged.port, eio)
        push(websocket, noise.randbytes(noise.randrange(2, 400)) + frame(3, b""))
        websocket.close()


@pytest.mark.parametrize("start", ['42/dropcodes,["', "4", "451-/dropcodes,", "40/dropcodes,{"])
@REVISIONS
def test_noise_in_packets(besieged: Node, eio: int, start: str) -> None:
    """Printable noise behind a good start: taken, ignored or the end, never more."""
    noise = random.Random(start)
    alphabet = '[]{}",:0123456789-/\\u€\x00\x1e_placeholdernum true'
    for _ in range(100):
        websocket = in_dropcodes(besieged, eio)
        websocket.say(start + "".join(noise.choices(alphabet, k=noise.randrange(1, 60))))
        websocket.say("40/none,")
        opcode, payload = websocket.frame()
        assert opcode == CLOSE or payload.startswith((b"44", b"40"))
        websocket.close()


# Many


@pytest.fixture
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_files")
def test_thousands_of_half_open_handshakes(besieged: Node, honest: Honest) -> None:
    """Others are served meanwhile, and each ends by the time for its head."""
    head = request_bytes("GET", "/websockets/?EIO=4&transport=websocket", UPGRADE)[:-3]
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200
    half_open = []
    for _ in range(min(2000, most)):
        connection = Connection(besieged.port)
        connection.send(head)
        half_open.append(connection)
    honest.check()
    for connection in half_open:
        assert connection.answer().status == 408
        connection.close()


@pytest.mark.usefixtures("_many_files")
def test_sessions_that_are_opened_and_left(besieged: Node) -> None:
    """A handshake costs little."""
    connection = Connection(besieged.port)
    for _ in range(2000):
        answer = connection.request("GET", "/websockets/?EIO=4&transport=polling")
        assert answer.status == 200
