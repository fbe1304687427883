"""Bytes that client libraries are known to send."""

from urllib.parse import quote

import pytest

from .server import Node
from .wire import Client, WebSocket, event_of, open_websocket, request

OCTETS = [("Content-Type", "application/octet-stream")]


def gets_its_code(node: Node, websocket: WebSocket, streamer: str) -> None:
    node.publish(streamer, {"code": "c"})
    name, message = event_of(websocket.text())
    assert (name, message["data"]) == ("dropcode", {"code": "c"})


def test_swift_15(node: Node) -> None:
    """No ``EIO`` at all; the root is written ``/,``."""
    key = node.plugin_key()
    client = Client(node.port, None, f"&apiKey={key.key}")
    client.say("40/,", "40/dropcodes,")
    answers = ""
    while "40/dropcodes," not in answers:
        answers += client.poll()
    assert answers == "2:402:4013:40/dropcodes,"
    websocket = client.websocket()
    websocket.say("2probe")
    assert websocket.text() == "3probe"
    websocket.say("5", "2")
    assert websocket.text() == "3"
    gets_its_code(node, websocket, key.streamer)


def test_swift_15_over_a_websocket(node: Node) -> None:
    """The same without polling."""
    key = node.plugin_key()
    websocket = open_websocket(node.port, None, f"&apiKey={key.key}")
    websocket.say("40/,", "40/dropcodes,")
    assert [websocket.text(), websocket.text()] == ["40", "40/dropcodes,"]
    gets_its_code(node, websocket, key.streamer)


def test_swift_16(node: Node) -> None:
    """The root as ``/,`` with auth; the answer has no name."""
    key = node.plugin_key()
    websocket = open_websocket(node.port)
    websocket.say(f'40/,{{"apiKey":"{key.key}"}}')
    assert websocket.text().startswith('40{"sid":"')
    websocket.say(f'40/dropcodes,{{"apiKey":"{key.key}"}}')
    assert websocket.text().startswith('40/dropcodes,{"sid":"')
    gets_its_code(node, websocket, key.streamer)


def test_cpp_3(node: Node) -> None:
    """A path without slash, ``auth`` at the root only, a namespace without comma or auth."""
    key = node.plugin_key()
    websocket = WebSocket(node.port, "/websockets?EIO=4&transport=websocket&t=1")
    assert websocket.text().startswith("0{")
    websocket.say(f'40{{"apiKey":"{key.key}"}}')
    assert websocket.text().startswith('40{"sid":"')
    websocket.say("40/dropcodes")
    assert websocket.text().startswith('40/dropcodes,{"sid":"')
    gets_its_code(node, websocket, key.streamer)


def test_cpp_3_in_one_go(node: Node) -> None:
    """The namespace is asked for before the root is granted."""
    key = node.plugin_key()
    websocket = open_websocket(node.port)
    websocket.say(f'40{{"apiKey":"{key.key}"}}', "40/dropcodes")
    assert websocket.text().startswith('40{"sid":"')
    assert websocket.text().startswith('40/dropcodes,{"sid":"')


def test_cpp_with_its_key_in_the_query(node: Node) -> None:
    """It percent-encodes more than needed."""
    key = node.plugin_key()
    encoded = "".join(f"%{ord(character):02x}" for character in key.key)
    websocket = open_websocket(node.port, query=f"&apiKey={encoded}")
    websocket.say("40/dropcodes")
    assert websocket.text().startswith('40/dropcodes,{"sid":"')


def test_a_sid_may_be_percent_encoded(node: Node) -> None:
    """Also where a request is judged before it is rendered."""
    client = Client(node.port)
    client.sid = "".join(f"%{ord(character):02X}" for character in client.sid)
    client.say("40/x,")
    assert client.poll().startswith("44/x,")
    assert client.post("4" * 70_000).status == 413
    assert client.get().json["code"] == 1


@pytest.mark.parametrize("query", ["", "&b64=1"])
def test_python_socketio_4(node: Node, query: str) -> None:
    """Every POST is in binary framing, text or not; it waits for ``40``."""
    key = node.plugin_key()
    client = Client(node.port, 3, query, headers=[("Authorization", f"ApiKey {key.key}")])
    assert client.poll() == "2:40"
    assert client.post(b"\x00\x01\x02\xff40/dropcodes", OCTETS).brief == (200, b"ok")
    assert client.poll() == "13:40/dropcodes,"
    assert client.post(b"\x00\x01\xff2", OCTETS).brief == (200, b"ok")
    assert client.poll() == "1:3"
    node.publish(key.streamer, {"code": "€😀"})
    answer = client.get()
    # Only ASCII: this client counts code points, where the protocol counts UTF-16 units.
    assert answer.body.isascii()
    length, _, packet = answer.body.partition(b":")
    assert int(length) == len(packet)
    assert event_of(packet.decode())[1]["data"] == {"code": "€😀"}


def test_java_1(node: Node) -> None:
    """Revision 3 over polling: the namespace's query is percent-encoded, events carry ack ids."""
    key = node.plugin_key()
    client = Client(node.port, 3, "&b64=true")
    client.say(f"40/dropcodes?apiKey={quote(key.key, safe='')}")
    answers = ""
    while "/dropcodes" not in answers:
        answers += client.poll()
    assert answers == "2:4013:40/dropcodes,"


def test_java_2(node: Node) -> None:
    """Revision 4: ``40/ns,`` with auth; requests on connections without cookies."""
    key = node.plugin_key()
    client = Client(node.port)
    client.say(f'40/dropcodes,{{"token":"{key.key}"}}')
    assert client.poll().startswith('40/dropcodes,{"sid":"')


def test_the_upgrade_of_the_javascript_2_client(node: Node) -> None:
    """Its key is in a header of polls only: the WebSocket comes without."""
    key = node.plugin_key()
    client = Client(node.port, 3, headers=[("Authorization", f"ApiKey {key.key}")])
    client.say("40/dropcodes,")
    answers = ""
    while "/dropcodes" not in answers:
        answers += client.poll()
    websocket = client.websocket()
    websocket.say("2probe")
    assert websocket.text() == "3probe"
    websocket.say("5", "2")
    assert websocket.text() == "3"
    gets_its_code(node, websocket, key.streamer)


@pytest.mark.parametrize(
    "marks", [("1764000000", "1764000001"), ("same", "same")], ids=["net", "same"]
)
def test_marks_that_do_not_tell_polls_apart(node: Node, marks: tuple[str, str]) -> None:
    """To the .NET client ``t`` is the time in seconds, to others something that never changes."""
    opening, mark = marks
    key = node.plugin_key()
    client = Client(node.port, 4, f"&apiKey={key.key}&t={opening}")
    client.say("40/dropcodes,")
    for number in range(5):
        posted = node.publish(key.streamer, number, ttl_ms=60_000)["id"]
        while True:
            answer = request(node.port, "GET", f"{client.target()}&t={mark}")
            assert answer.status == 200
            if posted in answer.body.decode():
                break
