"""Payloads and frames to the last byte, on plain Engine.IO: the echo sends each message back."""

from urllib.parse import quote

import pytest

from .server import Echo
from .wire import BINARY, TEXT, Answer, Client, WebSocket

PATH = "/engine.io/"
PLAIN = "text/plain; charset=UTF-8"
OCTETS = "application/octet-stream"
SCRIPT = "text/javascript; charset=UTF-8"

EURO = b"\x00\x04\xff4\xe2\x82\xac"
FOUR_BYTES = b"\x01\x05\xff\x04\x01\x02\x03\x04"
LONG = b"\x00\x01\x02\x04\xff4" + b"x" * 123
"""A text of 124 bytes with its type: the digits are 1, 2, 4."""


def echoed(echo: Echo, eio: int, query: str, body: bytes, kind: str | None) -> Answer:
    """Post ``body`` in a session opened with ``query``; return the next poll's answer."""
    client = Client(echo.port, eio, query, path=PATH)
    posted = client.post(body, [("Content-Type", kind)] if kind else [])
    assert posted.brief == (200, b"ok")
    return client.get()


@pytest.mark.parametrize(
    "body",
    [
        b"4hello",
        b"4",
        b"4\xe2\x82\xac",
        b"4\xf0\x9f\x98\x80",
        b"4a\x1e4b\x1e4c",
        b"bAQIDBA==",
        b"4hello\x1ebAQIDBA==\x1e4x",
        b"bNAo=",
    ],
    ids=repr,
)
@pytest.mark.parametrize("kind", [None, "text/plain;charset=UTF-8"])
@pytest.mark.parametrize("query", ["", "&b64=1"])
def test_revision_4(echo: Echo, body: bytes, kind: str | None, query: str) -> None:
    """The same bytes in both directions; ``b64`` changes nothing."""
    answer = echoed(echo, 4, query, body, kind)
    assert answer.brief == (200, body)
    assert answer.headers["content-type"] == PLAIN


@pytest.mark.parametrize(
    "body",
    [
        b"6:4hello",
        b"1:4",
        b"6:4hello2:4\xe2\x82\xac",
        b"3:4\xf0\x9f\x98\x80",
        b"3:4\xf0\x9f\x98\x802:4\xe2\x82\xac2:4x",
        b"124:4" + b"x" * 123,
    ],
    ids=repr,
)
@pytest.mark.parametrize("query", ["", "&b64=1"])
def test_revision_3_text(echo: Echo, body: bytes, query: str) -> None:
    """Lengths are UTF-16 code units."""
    answer = echoed(echo, 3, query, body, "text/plain;charset=UTF-8")
    assert answer.brief == (200, body)
    assert answer.headers["content-type"] == PLAIN


def test_an_empty_packet_of_revision_3_is_skipped(echo: Echo) -> None:
    """``0:`` is nothing."""
    assert echoed(echo, 3, "", b"0:2:4a0:", None).body == b"2:4a"


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (EURO, b"2:4\xe2\x82\xac"),
        (LONG, b"124:4" + b"x" * 123),
        (FOUR_BYTES, FOUR_BYTES),
        (EURO + FOUR_BYTES, EURO + FOUR_BYTES),
        (FOUR_BYTES + LONG, FOUR_BYTES + LONG),
        (b"\x01\x01\xff\x04", b"\x01\x01\xff\x04"),
        (b"\x00\x00\x00\x02\xff4x", b"2:4x"),
    ],
    ids=repr,
)
def test_revision_3_binary(echo: Echo, body: bytes, answer: bytes) -> None:
    """python-socketio 4 posts everything so; answers are binary only when a message in them is."""
    got = echoed(echo, 3, "", body, OCTETS)
    assert got.brief == (200, answer)
    assert got.headers["content-type"] == (OCTETS if answer[0] < 2 else PLAIN)


@pytest.mark.parametrize(
    "kind", ["application/octet-stream; charset=x", "Application/Octet-Stream"]
)
def test_revision_3_binary_by_another_name(echo: Echo, kind: str) -> None:
    """Its content type is a prefix, in any case."""
    assert echoed(echo, 3, "", FOUR_BYTES, kind).body == FOUR_BYTES


def test_revision_3_without_binary(echo: Echo) -> None:
    """``b64`` counts from the handshake on, though later requests leave it out."""
    answer = echoed(echo, 3, "&b64=1", EURO + FOUR_BYTES, OCTETS)
    assert answer.body == b"2:4\xe2\x82\xac10:b4AQIDBA=="
    assert answer.headers["content-type"] == PLAIN


def test_base64_in_a_text_payload_is_binary(echo: Echo) -> None:
    """In revision 3, too: the answer uses the binary framing."""
    assert echoed(echo, 3, "", b"10:b4AQIDBA==", None).body == FOUR_BYTES


@pytest.mark.parametrize(
    "body",
    [
        b"\x00\x04\xff4",
        b"\x02\x01\xff4",
        b"\x00\xff4",
        b"\x00\x0a\xff4",
        b"\x01\x02\xff\x03\x00",
        b"\x00\x02\xff4\xff",
        b"\x00" + b"\x01" * 400 + b"\xff4",
        b"2:4x",
    ],
    ids=repr,
)
def test_broken_binary_payloads(echo: Echo, body: bytes) -> None:
    """400, and the session is over."""
    client = Client(echo.port, 3, path=PATH)
    assert client.post(body, [("Content-Type", OCTETS)]).brief == (400, b"")
    assert client.get().json["code"] == 1


# JSONP


@pytest.mark.parametrize(("eio", "prefix"), [(4, ""), (3, "3:")])
def test_jsonp_both_ways(echo: Echo, eio: int, prefix: str) -> None:
    """The index is the handshake's; a form brings packets, a script takes them."""
    client = Client(echo.port, eio, "&j=12", path=PATH)
    assert client.opened.body.startswith(b'___eio[12]("')
    assert client.opened.body.endswith(b'");')
    assert client.opened.headers["content-type"] == SCRIPT
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    assert client.post("d=" + quote(prefix + '4"<'), form).brief == (200, b"ok")
    # Neither this GET nor that POST has a j.
    answer = client.get()
    assert answer.body == b'___eio[12]("%s4\\"\\u003c");' % prefix.encode()
    assert answer.headers["content-type"] == SCRIPT


def test_jsonp_keeps_the_index_of_the_handshake(echo: Echo) -> None:
    """Another one later is not looked at."""
    client = Client(echo.port, 4, "&j=1", path=PATH)
    client.base += "j=2&"
    client.post("d=4x")
    assert client.get().body == b'___eio[1]("4x");'


def test_a_session_is_not_turned_into_jsonp_later(echo: Echo) -> None:
    """A ``j`` counts at the handshake only."""
    client = Client(echo.port, 4, path=PATH)
    client.base += "j=2&"
    assert client.post("4x").brief == (200, b"ok")
    assert client.get().body == b"4x"


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        (b"d=4a%0Ab", b'___eio[0]("4a\\nb");'),
        (b"d=4a%5Cnb", b'___eio[0]("4a\\nb");'),
        (b"d=4a%5C%5Cnb", b'___eio[0]("4a\\\\nb");'),
        (b"d=4a+b%2Bc", b'___eio[0]("4a b+c");'),
        (b"d=4%E2%80%A8%E2%80%A9", b'___eio[0]("4\\u2028\\u2029");'),
        (b"d=bAQIDBA%3D%3D", b'___eio[0]("bAQIDBA==");'),
        (b"x=1&d=4x", b'___eio[0]("4x");'),
    ],
)
def test_jsonp_escapes(echo: Echo, form: bytes, answer: bytes) -> None:
    """Forms change line ends, so clients escape them; literals are ASCII."""
    client = Client(echo.port, 4, "&j=0", path=PATH)
    assert client.post(form).brief == (200, b"ok")
    assert client.get().body == answer


def test_jsonp_of_revision_3_has_no_binary_answers(echo: Echo) -> None:
    """Scripts are text."""
    client = Client(echo.port, 3, "&j=0", path=PATH)
    assert client.post("d=10:b4AQIDBA%3D%3D").brief == (200, b"ok")
    assert client.get().body == b'___eio[0]("10:b4AQIDBA==");'


@pytest.mark.parametrize("form", [b"", b"4x", b"e=4x", b"d=", b"d=%zz", b"d=%ff", b"d=9"])
def test_broken_forms(echo: Echo, form: bytes) -> None:
    """400, and the session is over."""
    client = Client(echo.port, 4, "&j=0", path=PATH)
    assert client.post(form).brief == (400, b"")
    assert client.get().json["code"] == 1


# Frames


@pytest.mark.parametrize(
    ("eio", "query", "sent", "echoed"),
    [
        (4, "", (TEXT, b"4\xe2\x82\xac"), None),
        (4, "", (BINARY, b"\x01\x02\x03"), None),
        (4, "", (BINARY, b""), None),
        (4, "", (BINARY, b"\x04\x01"), None),
        (4, "", (TEXT, b"bAQID"), (BINARY, b"\x01\x02\x03")),
        (4, "&b64=1", (BINARY, b"\x01\x02\x03"), (TEXT, b"bAQID")),
        (3, "", (TEXT, b"4\xf0\x9f\x98\x80"), None),
        (3, "", (BINARY, b"\x04\x01\x02\x03"), None),
        (3, "", (BINARY, b"\x04"), None),
        (3, "", (TEXT, b"b4AQID"), (BINARY, b"\x04\x01\x02\x03")),
        (3, "&b64=1", (BINARY, b"\x04\x01\x02\x03"), (TEXT, b"b4AQID")),
        (4, "", (TEXT, b"4" + b"x" * 70_000), None),
        (4, "", (TEXT, b"4" + b"x" * 300), None),
    ],
)
def test_frames(
    echo: Echo,
    eio: int,
    query: str,
    sent: tuple[int, bytes],
    echoed: tuple[int, bytes] | None,
) -> None:
    """One packet a frame; binary has a type byte in revision 3 only."""
    client = WebSocket(echo.port, f"{PATH}?EIO={eio}&transport=websocket{query}")
    assert client.text().startswith('0{"sid":"')
    client.send_frame(*sent)
    while (got := client.frame()) == (TEXT, b"2"):
        client.say("3")
    assert got == (echoed or sent)


@pytest.mark.parametrize("size", [1, 5, 100])
def test_a_message_in_fragments(echo: Echo, size: int) -> None:
    """They are put together, whatever comes between."""
    client = WebSocket(echo.port, f"{PATH}?EIO=3&transport=websocket")
    client.text()
    message = b"4" + bytes(range(32, 127)) * 3
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    for number, piece in enumerate(pieces):
        client.send_frame(0 if number else TEXT, piece, fin=number == len(pieces) - 1)
        if number == 1:
            client.send_frame(9, b"ping")
    assert client.frame() == (10, b"ping")
    assert client.frame() == (TEXT, message)
