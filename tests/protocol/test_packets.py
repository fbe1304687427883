"""Socket.IO packets as clients write them: what is taken, what is ignored, what ends the session."""

import pytest

from .server import Node
from .test_polling import joined
from .wire import BINARY, Headers, WebSocket, open_websocket

REVISIONS = pytest.mark.parametrize("eio", [4, 3])
HEADER = '451-/dropcodes,["x",{"_placeholder":true,"num":0}]'


def in_dropcodes(node: Node, eio: int, headers: Headers | None = None) -> WebSocket:
    websocket = open_websocket(node.port, eio, headers=headers or node.authorization())
    websocket.say("40/dropcodes,")
    assert websocket.text().startswith("40/dropcodes,")
    return websocket


def goes_on(websocket: WebSocket) -> None:
    """Assert that the next thing heard is the answer to what is said now."""
    websocket.say("40/none,")
    assert websocket.text().startswith("44/none,")


def attachment(websocket: WebSocket, eio: int, data: bytes = b"\x01") -> None:
    websocket.send_frame(BINARY, data if eio == 4 else b"\x04" + data)


@pytest.mark.parametrize(
    "text",
    [
        "4",
        "47",
        "4x",
        "40[]",
        '40"s"',
        "40/dropcodes,[]",
        "40null",
        "40/x,{",
        '40{"a":1}x',
        "41{}",
        "41/dropcodes,{}",
        "42",
        "42/dropcodes,",
        "42[]",
        "42{}",
        "42/dropcodes,{}",
        "42/dropcodes,[null]",
        "42/dropcodes,[true]",
        '42abc["x"]',
        '42["a"]x',
        '42/dropcodes,["a"]["b"]',
        '42/dropcodes,"a"',
        '42/dropcodes, ["a"]',
        '42/dropcodes,-1["a"]',
        '42/dropcodes,1.5["a"]',
        '42/dropcodes,99999999999999999999["a"]',
        '42["connect"]',
        '42["connect_error"]',
        '42["disconnect"]',
        '42["disconnecting"]',
        '42["newListener"]',
        '42["removeListener"]',
        "42/dropcodes,[NaN]",
        '42/dropcodes,["a",Infinity]',
        '42/dropcodes,["a",1e999]',
        '42/dropcodes,["a","\\ud800"]',
        '42/dropcodes,["a",{"b":1,"b":2}]',
        "43",
        "43/dropcodes,1",
        "43/dropcodes,1{}",
        "45",
        '451["a"]',
        '45x-["a"]',
        '45-1-["a"]',
        '45-["a"]',
        "451-",
        "451-/dropcodes,{}",
        '4511-/dropcodes,["a"]',
        '45999999999999-/dropcodes,["a"]',
        "461-/dropcodes,1{}",
        '451-/dropcodes,["x",{"_placeholder":true,"num":1}]',
        '451-/dropcodes,["x",{"_placeholder":true,"num":-1}]',
        '451-/dropcodes,["x",{"_placeholder":true,"num":"0"}]',
        '451-/dropcodes,["x",{"_placeholder":true,"num":true}]',
        '451-/dropcodes,["x",{"_placeholder":true}]',
    ],
)
@REVISIONS
def test_bad_packets_end_the_session(node: Node, eio: int, text: str) -> None:
    """Over a WebSocket by its close, with nothing said before."""
    websocket = in_dropcodes(node, eio)
    websocket.say(text)
    assert websocket.close_code() == 1000


@pytest.mark.parametrize("text", ["47", "42[]", '42["a"]x', '4511-["a"]', "40[]", "41{}"])
@REVISIONS
def test_bad_packets_end_the_session_over_polling(node: Node, eio: int, text: str) -> None:
    """By a close packet."""
    client = joined(node, eio)
    client.say(text)
    assert client.poll() == ("6 1" if eio == 4 else "1:61:1")
    assert not client.alive


@pytest.mark.parametrize(
    "text",
    [
        '42/dropcodes,["a"]',
        '42/dropcodes,0["a"]',
        '42/dropcodes,12["a",1,null,{"b":[]}]',
        "42/dropcodes,[1]",
        '42/dropcodes,["€😀"]',
        '42/dropcodes,["a", 1 ]',
        '42/dropcodes,["a",{"_placeholder":false,"num":7}]',
        "43/dropcodes,0[]",
        "43/dropcodes,13[]",
        "43/dropcodes,9007199254740991[1]",
        "43/dropcodes,[]",
        '450-/dropcodes,["a"]',
    ],
)
@REVISIONS
def test_packets_that_nobody_waits_for_are_ignored(node: Node, eio: int, text: str) -> None:
    """Unknown events and acks are no errors."""
    websocket = in_dropcodes(node, eio)
    websocket.say(text)
    goes_on(websocket)


@REVISIONS
def test_attachments(node: Node, eio: int) -> None:
    """As many as announced, then text again."""
    websocket = in_dropcodes(node, eio)
    marks = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(10))
    websocket.say(f'4510-/dropcodes,["x",{marks}]')
    for _ in range(10):
        attachment(websocket, eio)
    websocket.say("461-/dropcodes,5[7]")
    attachment(websocket, eio, b"")
    goes_on(websocket)


@REVISIONS
def test_attachments_over_polling(node: Node, eio: int) -> None:
    """Base64 in a text payload."""
    client = joined(node, eio)
    client.say(HEADER, "bAQ==" if eio == 4 else "b4AQ==")
    client.say(HEADER)
    client.say("bAQ==" if eio == 4 else "b4AQ==", "40/x,")
    assert "44/x," in client.poll()


@REVISIONS
def test_a_text_where_an_attachment_is_missing(node: Node, eio: int) -> None:
    """Nothing may come between."""
    websocket = in_dropcodes(node, eio)
    websocket.say(HEADER, '42/dropcodes,["a"]')
    assert websocket.close_code() == 1000


@REVISIONS
def test_an_attachment_that_nobody_announced(node: Node, eio: int) -> None:
    """It ends the session."""
    websocket = in_dropcodes(node, eio)
    attachment(websocket, eio)
    assert websocket.close_code() == 1000


@REVISIONS
def test_heartbeats_between_a_packet_and_its_attachments(node: Node, eio: int) -> None:
    """They are Engine.IO's, not Socket.IO's."""
    websocket = in_dropcodes(node, eio)
    websocket.say(HEADER, "3" if eio == 4 else "2")
    attachment(websocket, eio)
    if eio == 3:
        assert websocket.text() == "3"
    goes_on(websocket)
