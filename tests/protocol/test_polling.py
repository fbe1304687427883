"""The rules of polling: one GET and one POST at a time, and every way a session ends."""

import json
import re

import pytest

from ..until import until
from .server import Node
from .wire import Client, Connection, packets_of, request, request_bytes

UNKNOWN = (400, b'{"code":1,"message":"Session ID unknown"}')
REVISIONS = pytest.mark.parametrize("eio", [4, 3])
CLOSE = {4: b"1", 3: b"1:1"}
NOOP = {4: b"6", 3: b"1:6"}


def joined(node: Node, eio: int) -> Client:
    """Return a client with an empty backlog in ``/dropcodes``; ``42/dropcodes`` echoes nothing."""
    client = Client(node.port, eio, headers=node.authorization())
    client.say("40/dropcodes,")
    answers = client.poll()
    if answers == "2:40":
        answers += client.poll()
    if eio == 3:
        assert answers == "2:4013:40/dropcodes,"
    else:
        assert re.fullmatch(r'40/dropcodes,\{"sid":"[\w-]{20}"\}', answers)
    return client


def end_of(client: Client) -> None:
    """Assert that the session is unknown to polls, posts and upgrades."""
    assert client.get().brief == UNKNOWN
    assert client.post("4x").brief == UNKNOWN
    assert client.websocket().answer_to_upgrade.brief == UNKNOWN


# The handshake


@REVISIONS
def test_the_open_packet(node: Node, eio: int) -> None:
    """Exactly five members, milliseconds; revision 3 counts its length."""
    body = Client(node.port, eio).opened.body.decode()
    pattern = (
        r'0\{"sid":"[\w-]{28}","upgrades":\["websocket"\],"pingInterval":25000,'
        r'"pingTimeout":20000,"maxPayload":1024\}'
    )
    if eio == 3:
        length, _, body = body.partition(":")
        assert int(length) == len(body)
    assert re.fullmatch(pattern, body)


def test_the_open_packet_of_a_client_without_revision(node: Node) -> None:
    """It is one of revision 3 (Swift up to 15.2)."""
    client = Client(node.port, None, headers=node.authorization())
    assert client.opened.body.startswith(b'123:0{"sid":"')
    assert client.poll() == "2:40"


def test_sids_differ(node: Node) -> None:
    """A sid is random, and tells the node it belongs to."""
    answers = [request(node.port, "GET", "/websockets/?EIO=4&transport=polling") for _ in range(9)]
    sids = {json.loads(answer.body[1:])["sid"] for answer in answers}
    assert len(sids) == 9
    assert all(sid.startswith(answers[0].headers["x-node-id"]) for sid in sids)


# Held polls


@REVISIONS
def test_a_poll_is_held_until_there_is_something(node: Node, eio: int) -> None:
    """The answer to a CONNECT comes through the poll that was there before it."""
    client = joined(node, eio)
    held = client.hold()
    client.say("40/none,")
    answer = held.answer()
    if eio == 4:
        assert answer.body == b'44/none,{"message":"Invalid namespace"}'
    else:
        assert answer.body == b'27:44/none,"Invalid namespace"'
    assert client.alive


@REVISIONS
def test_packets_wait_for_the_next_poll_in_order(node: Node, eio: int) -> None:
    """What two POSTs bring about comes with one poll."""
    client = joined(node, eio)
    client.say("40/a,", "40/b,")
    client.say("40/c,")
    names = re.findall(r"44/(.),", client.poll())
    assert names == ["a", "b", "c"]


@REVISIONS
def test_a_second_poll_ends_the_session(node: Node, eio: int) -> None:
    """The first one gets a close packet, the second an empty 400."""
    client = joined(node, eio)
    held = client.hold()
    # The held poll is in before the second: its connection has answered nothing else.
    wait_for_hold(client)
    assert client.get().brief == (400, b"")
    assert held.answer().brief == (200, CLOSE[eio])
    end_of(client)


def wait_for_hold(client: Client) -> None:
    """Return when the node has read what was sent before on other connections: it reads in turns."""
    for _ in range(3):
        assert client.alive


@pytest.mark.parametrize("how", ["close", "reset"])
@REVISIONS
def test_a_client_that_drops_a_held_poll_is_gone(node: Node, eio: int, how: str) -> None:
    """A TCP connection that ends under a held poll ends the session."""
    client = joined(node, eio)
    held = client.hold()
    wait_for_hold(client)
    getattr(held, how)()
    wait_until_gone(client)
    end_of(client)


def wait_until_gone(client: Client) -> None:
    until(lambda: not client.alive, said=lambda: "the session lives on")


@REVISIONS
def test_a_client_may_drop_a_connection_between_two_polls(node: Node, eio: int) -> None:
    """Only a poll that is held counts: a connection that was answered is nobody's."""
    client = joined(node, eio)
    for _ in range(3):
        connection = Connection(node.port)
        client.say("40/x,")
        assert connection.request("GET", client.target(), client.headers).status == 200
        connection.reset()
        assert client.alive


def test_polls_and_posts_on_one_connection(node: Node) -> None:
    """HTTP keeps connections open; a POST cannot wait behind a poll on the same one, but before it."""
    client = Client(node.port)
    connection = Connection(node.port)
    for _ in range(5):
        assert connection.request("POST", client.target(), (), b"40/x,").body == b"ok"
        assert connection.request("GET", client.target()).body.startswith(b"44/x,")


# POSTs


@REVISIONS
def test_the_answer_to_a_post(node: Node, eio: int) -> None:
    """Two bytes, lower case."""
    client = joined(node, eio)
    answer = client.post(packets_of(eio, "40/x,"))
    assert answer.brief == (200, b"ok")
    assert answer.headers["content-type"] == "text/html"
    assert answer.headers["content-length"] == "2"


def half_a_post(client: Client, headers: list[tuple[str, str]] | None = None) -> Connection:
    """Send a POST but for its last byte, and return when the node has got so far."""
    connection = Connection(client.port)
    body = packets_of(client.eio, "40/x,").encode()
    sent = request_bytes("POST", client.target(), [*client.headers, *(headers or [])], body)
    connection.send(sent[:-1])
    wait_for_hold(client)
    return connection


LAST_BYTE = b","


@REVISIONS
def test_a_post_in_two_parts(node: Node, eio: int) -> None:
    """It takes its time, and polls go on meanwhile."""
    client = joined(node, eio)
    posting = half_a_post(client)
    held = client.hold()
    posting.send(LAST_BYTE)
    assert posting.answer().brief == (200, b"ok")
    assert b"44/x," in held.answer().body
    client.say("40/y,")
    assert "44/y," in client.poll()


@REVISIONS
def test_a_second_post_ends_the_session(node: Node, eio: int) -> None:
    """It gets an empty 400, the first one loses its connection, a held poll gets a close packet."""
    client = joined(node, eio)
    posting, held = half_a_post(client), client.hold()
    wait_for_hold(client)
    assert client.post(packets_of(eio, "40/y,")).brief == (400, b"")
    assert posting.rest() == b""
    assert held.answer().brief == (200, CLOSE[eio])
    end_of(client)


def test_a_second_post_in_two_parts_ends_the_session(node: Node) -> None:
    """The session ends with its head; it is answered when it is whole."""
    client = joined(node, 4)
    first, held = half_a_post(client), client.hold()
    wait_for_hold(client)
    second = Connection(node.port)
    head = request_bytes("POST", client.target(), client.headers, b"40/y,")
    second.send(head[:-1])
    assert held.answer().brief == (200, b"1")
    assert first.rest() == b""
    second.send(LAST_BYTE)
    assert second.answer().brief == UNKNOWN
    end_of(client)


@pytest.mark.parametrize("how", ["close", "reset"])
@REVISIONS
def test_a_client_that_drops_a_post_in_mid_body_is_gone(node: Node, eio: int, how: str) -> None:
    """Packets are missing, so the session ends. Its held poll is failed: a client comes back."""
    client = joined(node, eio)
    posting, held = half_a_post(client), client.hold()
    wait_for_hold(client)
    getattr(posting, how)()
    assert held.answer().brief == UNKNOWN
    end_of(client)


def test_a_chunked_post_that_is_dropped(node: Node) -> None:
    """No length is known here: the session ends all the same."""
    client = joined(node, 4)
    held, posting = client.hold(), Connection(node.port)
    head = request_bytes(
        "POST", client.target(), [*client.headers, ("Transfer-Encoding", "chunked")]
    )
    posting.send(head + b"3\r\n40/\r\n")
    wait_for_hold(client)
    posting.close()
    assert held.answer().brief == UNKNOWN
    end_of(client)


def test_a_chunked_post(node: Node) -> None:
    """Chunks are put together."""
    client = joined(node, 4)
    posting = Connection(node.port)
    head = request_bytes(
        "POST", client.target(), [*client.headers, ("Transfer-Encoding", "chunked")]
    )
    for part in (head, b"3\r\n40/\r\n", b"2\r\nx,\r\n", b"0\r\n\r\n"):
        posting.send(part)
    assert posting.answer().brief == (200, b"ok")
    assert client.poll() == '44/x,{"message":"Invalid namespace"}'


def test_requests_with_another_key_do_not_count(node: Node) -> None:
    """A POST that would be refused neither overlaps another nor ends a session by being dropped."""
    client = joined(node, 4)
    foreign = Client(node.port, headers=node.authorization())
    foreign.sid = client.sid
    dropped = Connection(node.port)
    dropped.send(request_bytes("POST", foreign.target(), foreign.headers, b"40/x,")[:-1])
    wait_for_hold(client)
    client.say("40/y,")
    dropped.reset()
    wait_for_hold(client)
    assert foreign.post("1").brief == (403, b'{"code":4,"message":"Forbidden"}')
    assert foreign.post("4" * 70_000).status == 413
    assert client.poll() == '44/y,{"message":"Invalid namespace"}'


@pytest.mark.parametrize(
    ("eio", "body"),
    [
        (4, b""),
        (4, b"x"),
        (4, b"6\x1e"),
        (4, b"\x1e40/x,"),
        (4, b"7"),
        (4, b"4\xff"),
        (4, b"b!"),
        (4, b"bAQ"),
        (3, b""),
        (3, b"x"),
        (3, b"40/x,"),
        (3, b"9:40/x,"),
        (3, b"1:61:7"),
        (3, b"-1:4"),
        (3, b" 1:4"),
        (3, b"1:7"),
        (3, b"2:\xe2\x82\xac"),
        (3, b"2:4\xff"),
        (3, b"3:b5="),
        (3, b"99999999999:4"),
    ],
    ids=repr,
)
def test_a_bad_payload_ends_the_session(node: Node, eio: int, body: bytes) -> None:
    """400, and a held poll gets a close packet."""
    client = joined(node, eio)
    held = client.hold()
    wait_for_hold(client)
    assert client.post(body).brief == (400, b"")
    assert held.answer().body.endswith(CLOSE[eio])
    end_of(client)


@REVISIONS
def test_packets_before_a_bad_one_are_taken(node: Node, eio: int) -> None:
    """Reference: they have been delivered when the bad one is met."""
    client = joined(node, eio)
    held = client.hold()
    wait_for_hold(client)
    body = packets_of(eio, "40/x,") + ("\x1e9" if eio == 4 else "1:9")
    assert client.post(body).brief == (400, b"")
    assert b"44/x," in held.answer().body


def test_revision_4_takes_no_binary_payloads(node: Node) -> None:
    """400, and the session ends."""
    client = joined(node, 4)
    binary = [("Content-Type", "application/octet-stream")]
    assert client.post("40/x,", binary).brief == (400, b"")
    end_of(client)


# The end


@REVISIONS
def test_a_client_that_says_goodbye(node: Node, eio: int) -> None:
    """Its held poll gets a noop, and the sid is unknown."""
    client = joined(node, eio)
    held = client.hold()
    wait_for_hold(client)
    client.say("1")
    assert held.answer().brief == (200, NOOP[eio])
    end_of(client)


@REVISIONS
def test_a_client_that_says_goodbye_without_a_poll(node: Node, eio: int) -> None:
    """Packets behind the goodbye are not looked at."""
    client = joined(node, eio)
    client.say("1", "40/x,")
    end_of(client)


@REVISIONS
def test_a_server_close_ends_a_held_poll(node: Node, eio: int) -> None:
    """A bad Socket.IO packet: the reference closes the whole connection."""
    client = joined(node, eio)
    held = client.hold()
    wait_for_hold(client)
    client.say("42bad")
    assert held.answer().brief == (200, CLOSE[eio])
    end_of(client)


@REVISIONS
def test_a_server_close_waits_for_the_next_poll(node: Node, eio: int) -> None:
    """It gets a noop and the close packet, never a lone one; then the sid is unknown."""
    client = joined(node, eio)
    client.say("42bad")
    assert client.poll() == {4: "6 1", 3: "1:61:1"}[eio]
    end_of(client)


def test_what_was_sent_before_a_server_close_comes_first(node: Node) -> None:
    """The goodbye is behind what waited."""
    client = joined(node, 4)
    client.say("40/x,", "42bad")
    assert client.poll() == '44/x,{"message":"Invalid namespace"} 1'
    end_of(client)
