"""The headers of answers, and who may read them (Fetch standard, CORS)."""

from urllib.parse import quote

import pytest

from .server import Node
from .wire import UPGRADE, Client, Headers, WebSocket, packets_of, request, request_bytes

POLLING = "/websockets/?EIO=4&transport=polling"
WEBSOCKET = "/websockets/?EIO=4&transport=websocket"


@pytest.mark.parametrize(("eio", "j"), [(4, None), (3, None), (4, 0), (3, 7)])
def test_the_headers_of_a_poll(node: Node, eio: int, j: int | None) -> None:
    """Type, length, never stored. JSONP is a script: proxies may block text/plain ones."""
    client = Client(node.port, eio, f"&j={j}" if j is not None else "")
    if j is None:
        client.say("40/x,")
    else:
        assert client.post("d=" + quote(packets_of(eio, "40/x,"))).body == b"ok"
    kind = "text/plain" if j is None else "text/javascript"
    for answer in (client.opened, client.get()):
        assert answer.headers["content-type"] == f"{kind}; charset=UTF-8"
        assert answer.headers["content-length"] == str(len(answer.body))
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["server"] == "reward-push"
        assert "set-cookie" not in answer.headers


def test_a_preflight(node: Node) -> None:
    """No sid, key or cookie is needed; the headers asked for are granted."""
    headers = [
        ("Origin", "https://a.example"),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "authorization,x-own"),
    ]
    for target in (POLLING, "/websockets/", "/websockets", POLLING + "&sid=unknown"):
        answer = request(node.port, "OPTIONS", target, headers)
        assert answer.brief == (204, b"")
        assert answer.headers["content-length"] == "0"
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["access-control-allow-headers"] == "authorization,x-own"
        assert answer.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
        assert answer.headers["vary"] == "Origin, Access-Control-Request-Headers"


def test_a_preflight_that_names_no_headers(node: Node) -> None:
    """The key's header is among those granted."""
    answer = request(node.port, "OPTIONS", POLLING, [("Origin", "https://a.example")])
    assert "authorization" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize(
    "origin", ["https://a.example", "http://a.example:8080", "null", "http://absolute", "file://"]
)
def test_every_origin_is_echoed(node: Node, origin: str) -> None:
    """Never ``*``: older clients send credentials. OBS loads local files with ``null``."""
    headers = [("Origin", origin)]
    client = Client(node.port, headers=headers)
    post = client.post("40/x,")
    for answer in (client.opened, post, client.get()):
        assert answer.status == 200
        check_cors(answer.headers, origin)
    assert WebSocket(node.port, WEBSOCKET, headers).answer_to_upgrade.status == 101


def check_cors(headers: dict[str, str], origin: str) -> None:
    assert headers["access-control-allow-origin"] == origin
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["vary"] == "Origin"


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("GET", "/websockets/?EIO=4&transport=x", None, 400),
        ("GET", POLLING + "&sid=x", None, 400),
        ("POST", POLLING, b"", 400),
        ("GET", "/websockets/?EIO=5&transport=polling", None, 400),
        ("GET", WEBSOCKET, None, 400),
        ("POST", POLLING, b"x" * 70_000, 413),
    ],
)
def test_refusals_can_be_read_by_pages(
    node: Node, method: str, target: str, body: bytes | None, status: int
) -> None:
    """Else a page only sees that something went wrong."""
    answer = request(node.port, method, target, [("Origin", "https://a.example")], body)
    assert answer.status == status
    check_cors(answer.headers, "https://a.example")


def test_refusals_within_a_session_can_be_read_by_pages(node: Node) -> None:
    """405, 403, 413 and 400, as far as a session can bring them about."""
    origin = ("Origin", "https://a.example")
    client = Client(node.port, headers=[origin, *node.authorization()])
    answers = [
        request(node.port, "PUT", client.target(), [origin]),
        request(node.port, "GET", client.target(), [origin, *node.authorization()]),
        client.post("4" * 1026),
        client.post("x"),
    ]
    assert [answer.status for answer in answers] == [405, 403, 413, 400]
    for answer in answers:
        check_cors(answer.headers, "https://a.example")


def test_an_illegal_origin_is_not_echoed(node: Node) -> None:
    """What is no origin goes into no header."""
    answer = request(node.port, "GET", POLLING, [("Origin", "https://a\x80.example")])
    assert answer.status == 400
    assert "access-control-allow-origin" not in answer.headers


# A list of origins


@pytest.mark.parametrize("origin", ["https://a.example", "null"])
def test_a_listed_origin(strict: Node, origin: str) -> None:
    """It is let in over both transports."""
    headers = [("Origin", origin)]
    check_cors(Client(strict.port, headers=headers).opened.headers, origin)
    assert WebSocket(strict.port, WEBSOCKET, headers).answer_to_upgrade.status == 101


def test_no_origin_at_all(strict: Node) -> None:
    """Native clients send none, and are let in."""
    assert Client(strict.port).alive
    assert WebSocket(strict.port, WEBSOCKET).answer_to_upgrade.status == 101


@pytest.mark.parametrize(
    "origin",
    [
        "https://b.example",
        "http://a.example",
        "https://a.example:8443",
        "https://a.example.evil",
        "https://evil-a.example",
    ],
)
def test_another_origin(strict: Node, origin: str) -> None:
    """It gets 403 over both transports: browsers do not check WebSockets by themselves."""
    headers: Headers = [("Origin", origin)]
    for answer in (
        request(strict.port, "GET", POLLING, headers),
        request(strict.port, "GET", WEBSOCKET, [*UPGRADE, *headers]),
    ):
        assert answer.brief == (403, b'{"code":4,"message":"Forbidden"}')
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["vary"] == "Origin"
    preflight = request(strict.port, "OPTIONS", POLLING, headers)
    assert "access-control-allow-origin" not in preflight.headers


def test_another_origin_cannot_upgrade_or_end_a_session(strict: Node) -> None:
    """A page that has got hold of a sid."""
    client = Client(strict.port)
    evil = [("Origin", "https://b.example")]
    assert client.websocket(evil).answer_to_upgrade.status == 403
    assert client.post("1", evil).status == 403
    assert client.post("4" * 70_000, evil).status == 413
    assert client.alive


def test_the_answer_to_an_upgrade(node: Node) -> None:
    """The accept key is that of RFC 6455's example; no extension and no protocol is taken up."""
    offers = [
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ("Sec-WebSocket-Protocol", "chat"),
    ]
    answer = WebSocket(node.port, WEBSOCKET, offers).answer_to_upgrade
    assert answer.status == 101
    assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert answer.headers["upgrade"].lower() == "websocket"
    assert answer.headers["connection"].lower() == "upgrade"
    assert "sec-websocket-extensions" not in answer.headers
    assert "sec-websocket-protocol" not in answer.headers


def test_a_refused_upgrade_leaves_the_connection_to_http(node: Node) -> None:
    """Another request may follow on it."""
    websocket = WebSocket(node.port, "/websockets/?EIO=9&transport=websocket")
    assert websocket.answer_to_upgrade.status == 400
    websocket.send(request_bytes("GET", POLLING))
    assert websocket.answer().status == 200


# What browsers are told


@pytest.mark.parametrize(
    ("method", "target", "headers", "body"),
    [
        ("GET", POLLING, [], None),
        ("GET", POLLING + "&sid=unknown", [], None),
        ("POST", POLLING + "&sid=unknown", [], b"x" * 70_000),
        ("OPTIONS", POLLING, [("Origin", "https://a.example")], None),
        ("GET", "/websockets/?EIO=4&transport=polling&j=0", [], None),
        ("GET", "/healthcheck", [], None),
        ("HEAD", "/healthcheck", [], None),
        ("GET", "/v1/messages", [], None),
        ("GET", "/nothing", [], None),
        ("PATCH", "/v1/messages", [], None),
        ("GET", "/" + "x" * 20_000, [], None),
    ],
)
def test_every_answer_protects_browsers(
    node: Node, method: str, target: str, headers: Headers, body: bytes | None
) -> None:
    """From taking it for something else, from telling where they came from, from running or framing it."""
    answer = request(node.port, method, target, headers, body)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_the_answer_to_an_upgrade_has_no_content_to_protect(node: Node) -> None:
    answer = WebSocket(node.port, WEBSOCKET).answer_to_upgrade
    assert answer.status == 101
    assert "content-security-policy" not in answer.headers
    assert answer.headers["server"] == "reward-push"


@pytest.mark.parametrize("second", ["https://a.example", "https://b.example"])
def test_two_origins_are_none(strict: Node, second: str) -> None:
    """A page sends one."""
    headers = [("Origin", "https://a.example"), ("Origin", second)]
    for target, more in ((POLLING, []), (WEBSOCKET, UPGRADE)):
        answer = request(strict.port, "GET", target, [*headers, *more])
        assert (answer.status, answer.json["code"]) == (400, 3)
        assert "access-control-allow-origin" not in answer.headers


def test_the_api_is_not_for_pages(node: Node) -> None:
    """A backend calls it: no page of any origin may read its answers, nor is a preflight granted."""
    origin = ("Origin", "https://a.example")
    for method in ("GET", "OPTIONS", "POST"):
        answer = request(node.port, method, "/v1/messages", [origin, *backend(node)])
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def backend(node: Node) -> Headers:
    return [("Authorization", f"ApiKey {node.backend_key}")]
