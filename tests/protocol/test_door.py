"""Who is turned away before a session exists: with what answer, and how long.

Each test is another client, as a trusted proxy in front (the test, from loopback) says.
"""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from ..free_port import free_port
from ..stopwatch import Stopwatch
from ..until import until
from .conftest import running
from .server import Node
from .wire import (
    CLOSE,
    UPGRADE,
    Answer,
    Client,
    Connection,
    Headers,
    WebSocket,
    open_websocket,
    request,
    request_bytes,
)

POLLING = "/websockets/?EIO=4&transport=polling"
WEBSOCKET = "/websockets/?EIO=4&transport=websocket"
TOO_MANY = b'{"code":4,"message":"Too many requests"}'
FULL = b'{"code":4,"message":"Service unavailable"}'
JOINED = '40/dropcodes,{"sid":"'
BAN_S = 300
_numbers = itertools.count(1)


@pytest.fixture
def address() -> str:
    """An IPv4 address that no other test uses."""
    number = next(_numbers)
    return f"198.51.{number // 256}.{number % 256}"


def at(address: str) -> Headers:
    """What the proxy adds to a request from ``address``."""
    return [("X-Forwarded-For", address)]


def knock(node: Node, headers: Headers, target: str = POLLING) -> Answer:
    """Ask for a session."""
    more = UPGRADE if target == WEBSOCKET else ()
    return request(node.port, "GET", target, [*headers, *more])


GUARDED = ("--max-connections-per-ip=5", "--max-connections-per-key=2")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with limits that are soon reached, and whose bans last longer than a test."""
    options = (*GUARDED, "--connect-rate-per-ip=2/8", "--auth-failures-per-ip=0.01/3")
    with running(tmp_path_factory.mktemp("guarded"), *options, f"--ban={BAN_S}") as node:
        yield node


@pytest.fixture(scope="module")
def unforgiving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One that lets nobody knock again while a test lasts, however slow the machine."""
    options = (*GUARDED, "--connect-rate-per-ip=0.01/8")
    with running(tmp_path_factory.mktemp("unforgiving"), *options) as node:
        yield node


@pytest.fixture(scope="module")
def forgiving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One whose bans are short."""
    options = (*GUARDED, "--auth-failures-per-ip=0.01/3", "--ban=1.5")
    with running(tmp_path_factory.mktemp("forgiving"), *options) as node:
        yield node


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node for four connections, whose clients have to join within twelve seconds; they are in peace for three."""
    options = ("--max-connections=4", "--connect-timeout=12")
    with running(tmp_path_factory.mktemp("small"), *options) as node:
        yield node


# Handshakes


@pytest.mark.parametrize("target", [POLLING, WEBSOCKET])
def test_too_many_handshakes(guarded: Node, address: str, target: str) -> None:
    """429 before anything is allocated, on both transports, for pages too; others are let in."""
    page = [*at(address), ("Origin", "https://a.example")]
    let_in = 0
    # One more comes every half second: whoever is slower than he was has to go on for longer.
    while let_in < 8 or (answer := knock(guarded, page, target)).status != 429:
        connection = Client(guarded.port, headers=at(address))
        connection.say("1")
        let_in += 1
    assert answer.brief == (429, TOO_MANY)
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    assert knock(guarded, at("198.51.100.1"), target).status in (101, 200)
    until(lambda: knock(guarded, at(address), target).status in (101, 200))


def test_what_is_no_handshake_is_not_counted(guarded: Node, address: str) -> None:
    """Polls, posts and upgrades of sessions, refusals for other reasons, calls of other paths."""
    client = Client(guarded.port, headers=at(address))
    for _ in range(20):
        client.say("6")
        assert knock(guarded, at(address), POLLING + "&sid=unknown").status == 400
        assert knock(guarded, at(address), POLLING.replace("EIO=4", "EIO=9")).status == 400
        assert request(guarded.port, "POST", POLLING, at(address), b"").status == 400
        assert request(guarded.port, "GET", "/healthcheck", at(address)).status == 200
    for _ in range(4):
        Client(guarded.port, headers=at(address))


def test_an_address_is_a_network_of_64_bits_in_ipv6(unforgiving: Node) -> None:
    """What one subscriber has; its neighbour is another."""
    for number in range(8):
        Client(unforgiving.port, headers=at(f"2001:db8:1:1::{number}")).say("1")
    assert knock(unforgiving, at("2001:db8:1:1:ffff::1")).status == 429
    assert knock(unforgiving, at("[2001:db8:1:1::5]:443")).status == 429
    assert knock(unforgiving, at("2001:db8:1:2::1")).status == 200


@pytest.mark.parametrize(
    "forged",
    [
        "{invented}, {address}",
        "{invented}, 127.0.0.1, {address}",
        "{invented},{invented},  {address}:1234",
        "127.0.0.1, {address}",
        "unknown, {address}",
        "{invented}, {address}, 127.0.0.1",
        "{address}, 127.0.0.1, ::1",
    ],
)
def test_what_a_client_writes_into_the_header_does_not_help(
    unforgiving: Node, address: str, forged: str
) -> None:
    """The proxy's own entry counts: the rightmost that is no trusted proxy."""
    answers = []
    for number in range(9):
        invented = f"203.0.113.{number}"
        answers.append(knock(unforgiving, at(forged.format(address=address, invented=invented))))
        if answers[-1].status == 200:
            # So that only the rate is reached.
            sid = answers[-1].body.split(b'"')[3].decode()
            request(unforgiving.port, "POST", f"{POLLING}&sid={sid}", at(address), b"1")
    assert [answer.status for answer in answers] == [200] * 8 + [429]


def test_nobody_believes_a_client_that_is_no_proxy(tmp_path: Path) -> None:
    options = ("--trusted-proxies=10.0.0.0/8", "--connect-rate-per-ip=0.1/3")
    with running(tmp_path, *options) as node:
        for number in range(3):
            Client(node.port, headers=at(f"203.0.113.{number}"))
        assert knock(node, at("203.0.113.9")).status == 429


def test_wrong_keys_with_large_bodies_count_before_the_bodies_have_come(tmp_path: Path) -> None:
    """For who has connected, whatever the header says."""
    options = ("--trusted-proxies=10.0.0.0/8", "--auth-failures-per-ip=0.1/3", "--ban=60")
    with running(tmp_path, *options) as node:
        length, key = ("Content-Length", "1000000"), ("Authorization", "ApiKey wrong")
        for number in range(5):
            connection = Connection(node.port)
            headers = [*at(f"203.0.113.{number}"), key, length]
            connection.send(request_bytes("POST", "/v1/messages", headers))
            answer = connection.answer()
            assert answer.status == (401 if number < 4 else 429)
            assert answer.headers["connection"] == "close"
        assert knock(node, at("203.0.113.9")).status == 429


# Sockets


def test_a_client_that_opens_socket_after_socket(tmp_path: Path) -> None:
    """Those over the limit are closed without a word; when others are over there is room again."""
    options = ("--trusted-proxies=10.0.0.0/8", "--max-connections-per-ip=2")
    with running(tmp_path, *options, "--header-timeout=5") as node:
        idle = [Connection(node.port) for _ in range(15)]
        # One is the test's own, kept open by the backend that asks whether the node is up.
        late = Connection(node.port)
        with suppress(ConnectionError):
            late.send(request_bytes("GET", "/healthcheck"))
        assert late.rest() == b""
        for connection in idle:
            assert connection.rest() == b""
        assert request(node.port, "GET", "/healthcheck").status == 200


# Connections


def test_connections_of_an_address(guarded: Node, address: str) -> None:
    """Over either transport; where one ends there is room for another."""
    key = guarded.authorization
    inside = []
    for _ in range(2):
        client = Client(guarded.port, headers=[*at(address), *key()])
        client.say("40/dropcodes,")
        assert client.poll().startswith(JOINED)
        inside.append(client)
    sockets = [joined(guarded, [*at(address), *key()]) for _ in range(3)]
    for target in (POLLING, WEBSOCKET):
        answer = knock(guarded, at(address), target)
        assert answer.brief == (429, TOO_MANY)
        assert answer.headers["retry-after"] == "5"
    inside[0].say("1")
    # The rate of handshakes is exhausted by now: one more every half second.
    until(lambda: knock(guarded, at(address)).status == 200)
    sockets[0].reset()
    until(lambda: knock(guarded, at(address)).status == 200)
    assert inside[1].alive


def joined(node: Node, headers: Headers) -> WebSocket:
    websocket = open_websocket(node.port, headers=headers)
    websocket.say("40/dropcodes,")
    assert websocket.text().startswith(JOINED)
    return websocket


def test_a_full_node(small: Node, address: str) -> None:
    """503 to all but those inside; ``/healthcheck`` is answered; then there is room again."""
    inside = [joined(small, [*at(address), *small.authorization()]) for _ in range(4)]
    for target in (POLLING, WEBSOCKET):
        answer = knock(small, at("203.0.113.1"), target)
        assert answer.brief == (503, FULL)
        assert answer.headers["retry-after"] == "5"
    assert request(small.port, "GET", "/healthcheck").json["connections"] == 4
    inside[0].reset()
    until(lambda: knock(small, at("203.0.113.1"), WEBSOCKET).status == 101)
    for websocket in inside[1:]:
        websocket.say("41/dropcodes,", "40/dropcodes,")
        assert websocket.text().startswith(JOINED)
        websocket.reset()


def test_those_who_only_wait_give_way(small: Node) -> None:
    """The oldest first, and not at once: whoever wants to join has the time for it."""
    until(lambda: request(small.port, "GET", "/healthcheck").json["connections"] == 0)
    with ExitStack() as waiting:
        idle = [open_websocket(small.port, headers=at(f"203.0.113.{n}")) for n in range(4)]
        for websocket in idle:
            waiting.callback(websocket.close)
        assert knock(small, at("203.0.113.9")).status == 503
        until(lambda: knock(small, at("203.0.113.9")).status == 200)
        assert idle[0].frame()[0] == CLOSE
        honest = joined(small, [*at("203.0.113.10"), *small.authorization()])
        assert idle[1].frame()[0] == CLOSE
        honest.reset()


# Keys


def test_connections_of_a_key(guarded: Node, address: str) -> None:
    """Seen in the request it is refused there, with 429; else the connection is closed for a return."""
    key = guarded.plugin_key().key
    authorization = [("Authorization", f"ApiKey {key}")]
    inside = [joined(guarded, [*at(address), *authorization]) for _ in range(2)]
    for target in (POLLING, WEBSOCKET):
        assert knock(guarded, [*at(address), *authorization], target).brief == (429, TOO_MANY)
        in_url = f"{target}&apiKey={key}"
        more = UPGRADE if target == WEBSOCKET else ()
        answer = request(guarded.port, "GET", in_url, [*at(address), *more])
        assert answer.brief == (429, TOO_MANY)
    late = open_websocket(guarded.port, headers=at("198.51.100.2"))
    late.say(f'40/dropcodes,{{"apiKey":"{key}"}}')
    assert late.close_code() == 1001
    polling = Client(guarded.port, headers=at("198.51.100.2"))
    polling.say(f'40/dropcodes,{{"apiKey":"{key}"}}')
    assert polling.get().brief == (400, b'{"code":1,"message":"Session ID unknown"}')
    # Whoever has only the id learns nothing.
    guess = [("Authorization", f"ApiKey {key[:-1]}{'A' if key[-1] != 'A' else 'B'}")]
    assert knock(guarded, [*at("198.51.100.2"), *guess]).status == 200
    inside[0].reset()
    until(lambda: knock(guarded, [*at("198.51.100.3"), *authorization]).status == 200)


def test_a_gateway_key_has_no_limit(guarded: Node) -> None:
    authorization = guarded.authorization(streamer="*")
    for number in range(5):
        websocket = open_websocket(
            guarded.port, headers=[*at(f"198.51.101.{number}"), *authorization]
        )
        websocket.say(f'40/dropcodes,{{"streamer":"g-{number}"}}')
        assert websocket.text().startswith(JOINED)


@pytest.mark.parametrize("streamer", ["s-limited", "*"])
def test_a_key_with_a_limit_of_its_own(guarded: Node, streamer: str) -> None:
    """In place of the node's, which is two; a gateway's, too."""
    named = ',"streamer":"s"' if streamer == "*" else ""
    for most in (1, 3):
        key = guarded.plugin_key(streamer=streamer, max_connections=most).key
        for number in range(most):
            websocket = open_websocket(guarded.port, headers=at(f"198.51.102.{number}"))
            websocket.say(f'40/dropcodes,{{"apiKey":"{key}"{named}}}')
            assert websocket.text().startswith(JOINED)
        header = [("Authorization", f"ApiKey {key}")]
        assert knock(guarded, [*at("198.51.102.9"), *header]).brief == (429, TOO_MANY)


# Wrong keys


def guess(websocket: WebSocket, number: int) -> str:
    websocket.say(f'40/dropcodes,{{"apiKey":"rpk_aaaaaaaaaaaa_{number}"}}')
    return websocket.text()


def call(node: Node, key: str, address: str) -> Answer:
    headers = [*at(address), ("Authorization", f"ApiKey {key}")]
    return request(node.port, "GET", "/v1/nodes", headers)


def check_ban(node: Node, address: str, inside: WebSocket) -> None:
    """All keys of an address are refused, right ones too; nobody else is; sessions stay."""
    good = node.plugin_key().key
    for headers in ((), [("Authorization", f"ApiKey {good}")]):
        for target in (POLLING, WEBSOCKET):
            answer = knock(node, [*at(address), *headers], target)
            assert answer.brief == (429, TOO_MANY)
            assert 1 <= int(answer.headers["retry-after"]) <= BAN_S
    for key in (node.backend_key, "wrong"):
        answer = call(node, key, address)
        assert (answer.status, answer.json["error"]["code"]) == (429, "rate_limited")
        assert 1 <= int(answer.headers["retry-after"]) <= BAN_S
    assert request(node.port, "GET", "/healthcheck", at(address)).status == 200
    assert request(node.port, "GET", "/v1/nodes", at(address)).status == 401
    assert call(node, node.backend_key, "198.51.100.4").status == 200
    inside.say("40/none,")
    assert inside.text().startswith("44/none,")


def test_guessing_keys_as_a_client(guarded: Node, address: str) -> None:
    """On one connection even; the guess after the last that is looked at closes it."""
    inside = joined(guarded, [*at(address), *guarded.authorization()])
    websocket = open_websocket(guarded.port, headers=at(address))
    answers = {guess(websocket, number) for number in range(4)}
    assert answers == {'44/dropcodes,{"message":"unauthorized","data":{"code":"unauthorized"}}'}
    websocket.say(f'40/dropcodes,{{"apiKey":"{guarded.plugin_key().key}"}}')
    assert websocket.close_code() == 1001
    check_ban(guarded, address, inside)


def test_guessing_keys_at_the_api(guarded: Node, address: str) -> None:
    """Of any form, on any path."""
    inside = joined(guarded, [*at(address), *guarded.authorization()])
    for number in range(4):
        answer = call(guarded, f"rpk_aaaaaaaaaaaa_{number}", address)
        assert (answer.status, answer.json["error"]["code"]) == (401, "unauthorized")
    check_ban(guarded, address, inside)


def test_a_ban_ends(forgiving: Node, address: str) -> None:
    """By itself; sessions of before it have gone on."""
    inside = joined(forgiving, [*at(address), *forgiving.authorization()])
    for number in range(4):
        assert call(forgiving, f"rpk_aaaaaaaaaaaa_{number}", address).status == 401
    answer = call(forgiving, forgiving.backend_key, address)
    if answer.status == 429:  # else the machine stood still for all of it
        assert 1 <= int(answer.headers["retry-after"]) <= 2
    until(lambda: call(forgiving, forgiving.backend_key, address).status == 200)
    assert knock(forgiving, at(address)).status == 200
    inside.say("40/none,")
    assert inside.text().startswith("44/none,")


def test_the_same_is_said_whatever_is_wrong_with_a_key(guarded: Node) -> None:
    """Whether there is a key of this id is nobody's business."""
    real = guarded.plugin_key(expires_at="2100-01-01T00:00:00Z").key
    wrong = [real[:-1], real + "x", "rpk_aaaaaaaaaaaa_" + "x" * 43, "nonsense", "x" * 600]
    answers, refusals = set(), set()
    for number, key in enumerate(wrong):
        address = f"198.51.102.{number}"
        answer = call(guarded, key, address)
        answers.add((answer.status, answer.body, frozenset(answer.headers)))
        websocket = open_websocket(guarded.port, headers=at(address))
        websocket.say(f'40/dropcodes,{{"apiKey":"{key}"}}')
        refusals.add(websocket.text())
    assert len(answers) == len(refusals) == 1


# The API


def test_calls_of_a_key(tmp_path: Path) -> None:
    with running(tmp_path, "--api-rate-per-key=2/10") as node:
        watch = Stopwatch()
        statuses = []
        while statuses[-1:] != [429]:
            statuses.append(node.backend.call("GET", "/v1/nodes")[0])
        assert 10 <= statuses.count(200) <= 10 + 2 * watch.passed_s + 1
        assert set(statuses) == {200, 429}
        # One more comes every half second.
        while (answer := call(node, node.backend_key, "198.51.100.5")).status == 200:
            pass
        assert (answer.status, answer.json["error"]["code"]) == (429, "rate_limited")
        assert answer.headers["retry-after"] == "1"
        assert request(node.port, "GET", "/healthcheck").status == 200
        until(lambda: node.backend.call("GET", "/v1/nodes")[0] == 200)


# The PROXY protocol


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, int]]:
    """A node, and its port at which a proxy says who its clients are."""
    port = free_port()
    listen = f"--listen=haproxy:tcp:{port}:interface=127.0.0.1"
    folder = tmp_path_factory.mktemp("proxied")
    with running(folder, listen, "--connect-rate-per-ip=0.1/3", "--header-timeout=0.6") as node:
        yield node, port


def through(port: int, header: bytes, headers: Headers = ()) -> int:
    connection = Connection(port)
    connection.send(header + request_bytes("GET", POLLING, headers))
    status = connection.answer().status
    connection.close()
    return status


def test_clients_of_a_proxy_that_says_who_they_are(proxied: tuple[Node, int]) -> None:
    """By their own address, each; what they say themselves is not believed."""
    _, port = proxied
    for client in (b"TCP4 203.0.113.1", b"TCP4 203.0.113.2", b"TCP6 2001:db8::1"):
        target = b"2001:db8::2" if b":" in client else b"192.0.2.1"
        header = b"PROXY %s %s 1000 443\r\n" % (client, target)
        forged = at("198.51.100.77")
        statuses = [through(port, header, forged if n % 2 else ()) for n in range(4)]
        assert statuses == [200, 200, 200, 429]


def test_a_proxy_that_speaks_for_itself(proxied: tuple[Node, int]) -> None:
    """Version 1 without an address, as HAProxy's own health checks: it is a trusted proxy then."""
    _, port = proxied
    for number in range(5):
        assert through(port, b"PROXY UNKNOWN\r\n", at(f"203.0.113.10{number}")) == 200


def test_without_a_header_or_with_half_of_one(proxied: tuple[Node, int]) -> None:
    """Nothing is answered; the connection ends, at the latest when a head has to be there."""
    _, port = proxied
    for data in (b"", b"PROXY TCP4 203.0.113.1", b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 x\r\n"):
        connection = Connection(port)
        connection.send(data)
        assert connection.rest() == b""
