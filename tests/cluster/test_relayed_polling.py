"""Polls and posts by way of a node that does not have the session: as if it had."""

import json
import select
from collections.abc import Callable
from urllib.parse import quote

import pytest

from ..protocol.wire import Answer, Client, Connection, Headers, packets_of, request, request_bytes
from .running_small_node import PATIENCE_S, RunningSmallNode

UNKNOWN = (400, b'{"code":1,"message":"Session ID unknown"}')
REVISIONS = pytest.mark.parametrize("eio", [4, 3])
CLOSE = {4: b"1", 3: b"1:1"}
NOOP = {4: b"6", 3: b"1:6"}
KEY: Headers = [("Authorization", "ApiKey right")]


def opened(owner: RunningSmallNode, eio: int = 4, query: str = "", headers: Headers = ()) -> Client:
    """Open a session on its node."""
    return Client(owner.port, eio, query, headers)


def astray(
    owner: RunningSmallNode,
    other: RunningSmallNode,
    eio: int = 4,
    query: str = "",
    headers: Headers = (),
) -> Client:
    """Open a session on its node, and talk to the other one from then on."""
    client = opened(owner, eio, query, headers)
    client.port = other.port
    return client


def essence(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """Return an answer without what each node says for itself."""
    headers = {k: v for k, v in answer.headers.items() if k not in ("date", "x-node-id")}
    return answer.status, headers, answer.body


def _binary_v3(*packets: bytes) -> bytes:
    return b"".join(
        bytes([each.startswith(b"\x04"), *map(int, str(len(each)))]) + b"\xff" + each
        for each in packets
    )


ORIGIN: Headers = [("Origin", "https://a.example")]
OCTETS: Headers = [("Content-Type", "application/octet-stream")]
FORM: Headers = [("Content-Type", "application/x-www-form-urlencoded")]


def text(client: Client) -> list[Answer]:
    return [client.post(packets_of(client.eio, "4hello")), client.get()]


def not_ascii(client: Client) -> list[Answer]:
    body = "4€é😀" if client.eio == 4 else "5:4€é😀"
    return [client.post(body), client.get()]


def several(client: Client) -> list[Answer]:
    return [client.post(packets_of(client.eio, "4a", "4b", "4c")), client.get()]


def large_answer(client: Client) -> list[Answer]:
    return [client.post(packets_of(client.eio, "4size:300000")), client.get()]


def binary_answer(client: Client) -> list[Answer]:
    return [client.post(packets_of(client.eio, "4bytes:65536")), client.get()]


def binary_post(client: Client) -> list[Answer]:
    if client.eio == 4:
        return [client.post("bAQIDBA=="), client.get()]
    body = _binary_v3(b"4text", b"\x04\x00\xff\r\n\x01")
    return [client.post(body, OCTETS), client.get()]


def wrong_content_type(client: Client) -> list[Answer]:
    return [client.post(b"\x00\x01\xff", OCTETS), client.get()]


def nonsense(client: Client) -> list[Answer]:
    return [client.post("nonsense"), client.get()]


def empty_post(client: Client) -> list[Answer]:
    return [client.post(""), client.get()]


def close_packet(client: Client) -> list[Answer]:
    return [client.post(packets_of(client.eio, "1")), client.get()]


def with_origin(client: Client) -> list[Answer]:
    return [client.post(packets_of(client.eio, "4x"), ORIGIN), client.post("nonsense", ORIGIN)]


def other_methods(client: Client) -> list[Answer]:
    return [
        request(client.port, method, client.target(), ORIGIN)
        for method in ("PUT", "DELETE", "HEAD", "BREW")
    ]


def wrong_transport(client: Client) -> list[Answer]:
    """A WebSocket without an upgrade, an upgrade for polling."""
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    return [
        request(client.port, "GET", client.target("websocket")),
        request(client.port, "GET", client.target(), upgrade),
        request(client.port, "POST", client.target(), upgrade, b"4x"),
        request(client.port, "GET", client.target("websocket"), upgrade),
        request(client.port, "GET", client.target("telepathy")),
    ]


def too_large(client: Client) -> list[Answer]:
    """One packet, and a whole body."""
    return [client.post(packets_of(client.eio, "4" + "x" * 2000)), client.get()]


def much_too_large(client: Client) -> list[Answer]:
    """The head alone is enough."""
    connection = Connection(client.port)
    head = request_bytes("POST", client.target(), ORIGIN)[:-2]
    connection.send(head + b"Content-Length: 10000000\r\n\r\n")
    return [connection.answer()]


def key_of_another(client: Client) -> list[Answer]:
    other: Headers = [("Authorization", "ApiKey wrong")]
    return [
        request(client.port, "GET", client.target(), other),
        request(client.port, "GET", f"{client.target()}&apiKey=wrong", ORIGIN),
        request(client.port, "POST", client.target(), other, b"4x"),
        *text(client),
    ]


def strange_queries(client: Client) -> list[Answer]:
    """Of which the other node has to make the same."""
    answers = []
    for query in ("&a=b;c", "&a=%C3%A9+%2B", "&=", "&a=//b?c=/@:[1]", "&a=#x", "&a=%", "&j=x"):
        target = client.target() + query
        answers.append(
            request(client.port, "POST", target, [], b"2:4x" if client.eio == 3 else b"4x")
        )
    connection = Connection(client.port)
    raw = request_bytes("PUT", client.target() + "&a=~").replace(b"~", "é".encode())
    connection.send(raw)
    answers.append(connection.answer("PUT"))
    return answers


DIALOGUES = [
    text,
    not_ascii,
    several,
    large_answer,
    binary_answer,
    binary_post,
    wrong_content_type,
    nonsense,
    empty_post,
    close_packet,
    with_origin,
    other_methods,
    wrong_transport,
    too_large,
    much_too_large,
    key_of_another,
    strange_queries,
]


@pytest.mark.parametrize("query", ["", "&b64=1"])
@pytest.mark.parametrize("dialogue", DIALOGUES)
@REVISIONS
def test_answers_are_the_same(
    owner: RunningSmallNode,
    other: RunningSmallNode,
    eio: int,
    dialogue: Callable[[Client], list[Answer]],
    query: str,
) -> None:
    """Status, headers and body, to the byte; only who has answered differs."""
    direct = dialogue(opened(owner, eio, query, KEY))
    relayed = dialogue(astray(owner, other, eio, query, KEY))
    assert [essence(each) for each in relayed] == [essence(each) for each in direct]
    assert {each.headers["x-node-id"] for each in relayed} == {"other"}


@REVISIONS
def test_jsonp(owner: RunningSmallNode, other: RunningSmallNode, eio: int) -> None:
    """A script comes back, a form is taken."""
    answers = []
    for client in (opened(owner, eio, "&j=7"), astray(owner, other, eio, "&j=7")):
        body = b"d=" + quote(packets_of(eio, "4\u2028x")).encode()
        answers.append(
            [
                essence(request(client.port, "POST", client.target() + "&j=7", FORM, body)),
                essence(request(client.port, "GET", client.target() + "&j=7")),
            ]
        )
    assert answers[0] == answers[1]
    assert answers[1][1][2].startswith(b"___eio[7](")


def test_a_preflight_is_answered_by_any_node(
    owner: RunningSmallNode, other: RunningSmallNode
) -> None:
    """It carries no sid that could be believed, so none is looked at."""
    client = opened(owner)
    asked: Headers = [*ORIGIN, ("Access-Control-Request-Headers", "authorization")]
    answers = [
        essence(request(port, "OPTIONS", target, asked))
        for port in (owner.port, other.port)
        for target in (client.target(), client.target().replace(client.sid, "nobody"))
    ]
    assert answers == [answers[0]] * 4
    assert answers[0][0] == 204


@REVISIONS
def test_a_held_poll_gets_what_comes(
    owner: RunningSmallNode, other: RunningSmallNode, eio: int
) -> None:
    """Over the other node or over its own, whichever comes first."""
    client = astray(owner, other, eio)
    connection = client.hold()
    client.say("4x")
    answer = connection.answer()
    assert answer.brief == (200, packets_of(eio, "4x").encode())
    client.port = owner.port
    connection = client.hold()
    client.port = other.port
    client.say("4y")
    assert connection.answer().brief == (200, packets_of(eio, "4y").encode())


def test_a_connection_serves_many_requests(
    owner: RunningSmallNode, other: RunningSmallNode
) -> None:
    """Of different sessions, for this node and for others."""
    clients = [astray(owner, other), opened(other), astray(owner, other)]
    connection = Connection(other.port)
    for round_ in range(3):
        for client in clients:
            body = f"4{client.sid}{round_}".encode()
            assert connection.request("POST", client.target(), [], body).brief == (200, b"ok")
            assert connection.request("GET", client.target()).brief == (200, body)


@REVISIONS
def test_a_second_poll_ends_the_session(
    owner: RunningSmallNode, other: RunningSmallNode, eio: int
) -> None:
    """Also when the first was for its own node, and the second is not."""
    for first_port in (owner.port, other.port):
        client = astray(owner, other, eio)
        client.port = first_port
        first = client.hold()
        client.port = other.port
        answers = [client.get(), first.answer()]
        # Either may have come first.
        assert sorted(each.status for each in answers) == [200, 400]
        assert {each.body for each in answers} == {CLOSE[eio], b""}
        assert client.get().brief == UNKNOWN


@REVISIONS
def test_a_second_post_ends_the_session(
    owner: RunningSmallNode, other: RunningSmallNode, eio: int
) -> None:
    """The first loses its connection, though only its beginning has gone to the session's node."""
    client = astray(owner, other, eio)
    head = request_bytes("POST", client.target())[:-2]
    both = Connection(other.port), Connection(other.port)
    for connection in both:
        connection.send(head + b"Content-Length: 2\r\n\r\n4")
    assert owner.reason_of(client.sid) == "transport error"
    # They go over connections of their own: either may have come first.
    cut, *_ = select.select([each.socket for each in both], [], [], PATIENCE_S)[0]
    first, second = sorted(both, key=lambda each: each.socket is not cut)
    with pytest.raises(ConnectionError):
        first.answer()
    second.send(b"x")
    assert second.answer().brief == UNKNOWN
    assert client.get().brief == UNKNOWN


def test_a_post_that_is_lost_half_way_ends_the_session(
    owner: RunningSmallNode, other: RunningSmallNode
) -> None:
    """Packets are missing, and the client may not know."""
    client = astray(owner, other)
    connection = Connection(other.port)
    connection.send(request_bytes("POST", client.target())[:-2] + b"Content-Length: 10\r\n\r\n4")
    connection.close()
    assert owner.reason_of(client.sid) == "transport close"
    assert client.get().brief == UNKNOWN


def test_a_post_that_comes_in_pieces_is_whole(
    owner: RunningSmallNode, other: RunningSmallNode
) -> None:
    """With its length declared, and in chunks."""
    client = astray(owner, other)
    for declared, pieces in (
        (b"Content-Length: 6", [b"4he", b"llo"]),
        (b"Transfer-Encoding: chunked", [b"3\r\n4he\r\n", b"3\r\nllo\r\n0\r\n\r\n"]),
    ):
        connection = Connection(other.port)
        connection.send(request_bytes("POST", client.target())[:-2] + declared + b"\r\n\r\n")
        for piece in pieces:
            # Others come in between: the pieces are not read in one go.
            assert request(other.port, "PUT", client.target()).status == 405
            connection.send(piece)
        assert connection.answer().brief == (200, b"ok")
        assert client.poll() == "4hello"


def test_a_chunked_post_without_end_is_cut(
    owner: RunningSmallNode, other: RunningSmallNode
) -> None:
    """413 as soon as it has more than it may, and the session is over."""
    client = astray(owner, other)
    connection = Connection(other.port)
    connection.send(
        request_bytes("POST", client.target())[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
    )
    assert request(other.port, "PUT", client.target()).status == 405
    for _ in range(70):
        connection.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
    assert connection.answer().status == 413
    assert owner.reason_of(client.sid) in ("transport close", "transport error")


def test_a_poll_whose_client_leaves_ends_the_session(
    owner: RunningSmallNode, other: RunningSmallNode
) -> None:
    """The session's node notices that nobody waits."""
    for leave in (Connection.close, Connection.reset):
        client = astray(owner, other)
        connection = client.hold()
        # It has gone on when what comes behind it has.
        assert request(other.port, "PUT", client.target()).status == 405
        leave(connection)
        assert owner.reason_of(client.sid) == "transport close"
        assert client.get().brief == UNKNOWN


@pytest.mark.parametrize(
    "sid", ["", "x", "owner", "owner" + "x" * 22, "nobody" + "x" * 22, "x" * 22]
)
@REVISIONS
def test_a_session_that_nobody_has(
    owner: RunningSmallNode, other: RunningSmallNode, eio: int, sid: str
) -> None:
    """Whatever it seems to name."""
    for port in (owner.port, other.port):
        target = f"/websockets/?EIO={eio}&transport=polling&sid={sid or 'other' + 'x' * 22}"
        answer = request(port, "GET", target, ORIGIN)
        assert answer.brief == UNKNOWN
        assert answer.headers["access-control-allow-origin"] == "https://a.example"


def test_a_thousand_polls_are_held(owner: RunningSmallNode, other: RunningSmallNode) -> None:
    """Each on a connection of its own, all at once; each gets its own answer."""
    clients = [astray(owner, other) for _ in range(1000)]
    connections = [client.hold() for client in clients]
    for client in clients:
        client.say(f"4{client.sid}")
    for client, connection in zip(clients, connections, strict=True):
        assert json.loads(f'"{connection.answer().body[1:].decode()}"') == client.sid
