"""Which requests are refused, in which order of checks, and how (Engine.IO reference, ``verify``)."""

import pytest

from .server import Node
from .wire import UPGRADE, Answer, Client, Headers, WebSocket, request

POLLING = "/websockets/?EIO=4&transport=polling"
WEBSOCKET = "/websockets/?EIO=4&transport=websocket"
ORIGIN = ("Origin", "https://a.example")
BAD_ORIGIN = ("Origin", "https://a\x80.example")
MESSAGES = {
    0: b'{"code":0,"message":"Transport unknown"}',
    1: b'{"code":1,"message":"Session ID unknown"}',
    2: b'{"code":2,"message":"Bad handshake method"}',
    3: b'{"code":3,"message":"Bad request"}',
    4: b'{"code":4,"message":"Forbidden"}',
    5: b'{"code":5,"message":"Unsupported protocol version"}',
}


def check(answer: Answer, code: int) -> None:
    """Assert a refusal, to the last byte."""
    assert answer.brief == (403 if code == 4 else 400, MESSAGES[code])
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("upgrade", [(), UPGRADE], ids=["polling", "websocket"])
@pytest.mark.parametrize(
    ("target", "headers", "code"),
    [
        pytest.param("/websockets/", (), 0, id="no transport"),
        pytest.param("/websockets/?EIO=4", (), 0, id="no transport, EIO"),
        pytest.param("/websockets/?EIO=4&transport=", (), 0, id="empty transport"),
        pytest.param("/websockets/?EIO=4&transport=Polling", (), 0, id="transport in capitals"),
        pytest.param("/websockets/?EIO=4&transport=webtransport", (), 0, id="webtransport"),
        pytest.param("/websockets/?EIO=4&transport=constructor", (), 0, id="a word of JavaScript"),
        pytest.param(
            "/websockets/?EIO=4&transport=x&sid=y", [BAD_ORIGIN], 0, id="transport before origin"
        ),
        pytest.param(POLLING, [BAD_ORIGIN], 3, id="illegal origin"),
        pytest.param(POLLING + "&sid=x", [BAD_ORIGIN], 3, id="origin before sid"),
        pytest.param(POLLING + "&sid=unknown", (), 1, id="unknown sid"),
        pytest.param(WEBSOCKET + "&sid=unknown", (), 1, id="unknown sid, websocket"),
        pytest.param("/websockets/?EIO=9&transport=polling&sid=x", (), 1, id="sid before EIO"),
        pytest.param("/websockets/?EIO=5&transport=polling", (), 5, id="EIO too new"),
        pytest.param("/websockets/?EIO=2&transport=polling", (), 5, id="EIO too old"),
        pytest.param("/websockets/?EIO=&transport=polling", (), 5, id="empty EIO"),
        pytest.param("/websockets/?EIO=four&transport=polling", (), 5, id="EIO in words"),
        pytest.param("/websockets/?EIO=4&transport=polling&a=%zz", (), 3, id="broken percent"),
        pytest.param("/websockets/?EIO=4&transport=polling&a=%ff", (), 3, id="query not UTF-8"),
        pytest.param("/websockets/?EIO=4&transport=polling&j=x", (), 3, id="j without digits"),
        pytest.param(POLLING + "&a=b" * 65, (), 3, id="too many fields"),
    ],
)
def test_refusals_of_a_get(
    node: Node, target: str, headers: Headers, code: int, upgrade: Headers
) -> None:
    """Polling and WebSocket handshakes fail the same checks, with the same answer."""
    if upgrade and code == 5:
        target = target.replace("polling", "websocket")
    check(request(node.port, "GET", target, [*headers, *upgrade]), code)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "FOO"])
def test_a_handshake_takes_get_only(node: Node, method: str) -> None:
    """Code 2, checked after the sid and before the transport's own needs."""
    check(request(node.port, method, POLLING, body=b""), 2)
    check(request(node.port, method, WEBSOCKET, body=b""), 2)
    check(request(node.port, method, POLLING + "&sid=unknown", body=b""), 1)
    check(request(node.port, method, "/websockets/?EIO=9&transport=polling", body=b""), 2)


def test_head_is_no_handshake(node: Node) -> None:
    """HEAD opens no session."""
    answer = request(node.port, "HEAD", POLLING)
    assert answer.status == 400
    assert answer.headers["content-length"] == str(len(MESSAGES[2]))


def test_a_websocket_handshake_without_upgrade(node: Node) -> None:
    """Code 3, checked before the revision."""
    check(request(node.port, "GET", WEBSOCKET), 3)
    check(request(node.port, "GET", WEBSOCKET.replace("4", "9")), 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Sec-WebSocket-Version", "8"),
        ("Sec-WebSocket-Key", "short"),
        ("Upgrade", "h2c"),
        ("Connection", "keep-alive"),
    ],
)
def test_a_bad_upgrade_request(node: Node, name: str, value: str) -> None:
    """Code 3 for a new session and for one that polls, which goes on."""
    headers = [(each, value if each == name else good) for each, good in UPGRADE]
    check(request(node.port, "GET", WEBSOCKET, headers), 3)
    client = Client(node.port)
    check(request(node.port, "GET", client.target("websocket"), headers), 3)
    assert client.alive


def test_polling_with_an_upgrade_to_websocket(node: Node) -> None:
    """A client that waits for a 101 is told that none comes; its session goes on."""
    check(request(node.port, "GET", POLLING, UPGRADE), 3)
    client = Client(node.port)
    check(request(node.port, "GET", client.target(), UPGRADE), 3)
    assert client.alive


def test_polling_with_an_upgrade_to_something_else(node: Node) -> None:
    """HTTP lets a server ignore an upgrade: Java's client offers h2c with every request."""
    h2c = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c")]
    client = Client(node.port, 3, headers=[*h2c, *node.authorization()])
    assert client.poll() == "2:40"


def test_another_transport_than_the_session_has(node: Node) -> None:
    """A session that is on a WebSocket takes no polls: code 3, and lives on."""
    websocket = WebSocket(node.port, WEBSOCKET)
    sid = websocket.text().partition('"sid":"')[2].partition('"')[0]
    for method, body in (("GET", None), ("POST", b"1")):
        check(request(node.port, method, f"{POLLING}&sid={sid}", body=body), 3)
    check(request(node.port, "GET", f"{WEBSOCKET}&sid={sid}"), 3)
    websocket.say("40/none,")
    assert websocket.text() == '44/none,{"message":"Invalid namespace"}'


def test_a_transport_that_is_switched_off(polling_only: Node) -> None:
    """Code 0, and no upgrade is offered."""
    check(request(polling_only.port, "GET", WEBSOCKET, UPGRADE), 0)
    client = Client(polling_only.port)
    assert b'"upgrades":[]' in client.opened.body
    check(request(polling_only.port, "GET", client.target("websocket"), UPGRADE), 0)
    assert client.alive


@pytest.mark.parametrize("eio", ["EIO=3&", ""])
def test_revision_3_switched_off(strict: Node, eio: str) -> None:
    """Code 5 over both transports, also for clients that name no revision."""
    check(request(strict.port, "GET", f"/websockets/?{eio}transport=polling"), 5)
    check(request(strict.port, "GET", f"/websockets/?{eio}transport=websocket", UPGRADE), 5)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "TRACE", "FOO"])
def test_other_methods_on_a_session(node: Node, method: str) -> None:
    """405 with the methods there are; the session lives."""
    client = Client(node.port)
    answer = request(node.port, method, client.target())
    assert answer.brief == (405, b"")
    assert answer.headers["allow"] == "GET, POST, OPTIONS"
    assert client.alive


@pytest.mark.parametrize("path", ["/websockets", "/websockets/"])
def test_the_path_with_and_without_a_slash(node: Node, path: str) -> None:
    """Both are served, for all of a session's requests."""
    client = Client(node.port, path=path)
    client.say("40/none,")
    assert client.poll() == '44/none,{"message":"Invalid namespace"}'


@pytest.mark.parametrize(
    "path", ["/", "/websocket", "/websockets//", "/websockets/x", "/socket.io/"]
)
def test_other_paths(node: Node, path: str) -> None:
    """They are not Engine.IO's."""
    assert request(node.port, "GET", f"{path}?EIO=4&transport=polling").status == 404


def test_unknown_parameters_are_ignored(node: Node) -> None:
    """Cache busters and the application's own."""
    assert Client(node.port, query="&t=Oabc.0&x&y=&&z=1=2").alive
