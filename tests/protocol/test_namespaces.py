"""Joining, being refused and leaving, in Socket.IO revisions 5 (EIO 4) and 4 (EIO 3)."""

import json
import re

import pytest

from .server import Node
from .wire import Client, WebSocket, event_of, open_websocket

JOINED = r'\{"sid":"[\w-]{20}"\}'
UNAUTHORIZED = '{"message":"unauthorized","data":{"code":"unauthorized"}}'


@pytest.fixture
def five(node: Node) -> WebSocket:
    """A client of revision 5 that has joined nothing."""
    return open_websocket(node.port, 4, headers=node.authorization())


@pytest.fixture
def four(node: Node) -> WebSocket:
    """A client of revision 4."""
    return open_websocket(node.port, 3, headers=node.authorization())


def join(five: WebSocket, written: str, name: str | None = None) -> str:
    """Send a CONNECT; return the socket's id."""
    five.say(f"40{written}")
    start = "40" + (f"{name}," if name else "")
    text = five.text()
    assert re.fullmatch(re.escape(start) + JOINED, text), text
    return str(json.loads(text[len(start) :])["sid"])


# Revision 5


@pytest.mark.parametrize("written", ["", "/", "/,", "{}", "/,{}", '{"a":1}', '/,{"a":1}'])
def test_the_root_is_asked_for(five: WebSocket, written: str) -> None:
    """In any of the ways clients write it; the answer never has a name for it."""
    join(five, written)


@pytest.mark.parametrize("written", ["/dropcodes", "/dropcodes,", "/dropcodes,{}"])
def test_a_namespace(five: WebSocket, written: str) -> None:
    """With and without a comma."""
    join(five, written, "/dropcodes")


def test_each_namespace_has_an_id_of_its_own(node: Node) -> None:
    """It is public, so it is not the session's."""
    client = WebSocket(node.port, "/websockets/?EIO=4&transport=websocket", node.authorization())
    sids = {json.loads(client.text()[1:])["sid"]}
    for name in ("/dropcodes", "/donations", "/notifications"):
        sids.add(join(client, f"{name},", name))
    sids.add(join(client, ""))
    assert len(sids) == 5


def test_an_unknown_namespace(five: WebSocket) -> None:
    """It is refused; others can still be joined."""
    five.say("40/none,")
    assert five.text() == '44/none,{"message":"Invalid namespace"}'
    join(five, "/dropcodes,", "/dropcodes")


def test_a_query_is_part_of_the_name_in_revision_5(five: WebSocket) -> None:
    """Only revision 4 cuts it off."""
    five.say("40/dropcodes?a=b,")
    assert five.text() == '44/dropcodes?a=b,{"message":"Invalid namespace"}'


def test_a_refusal(node: Node) -> None:
    """Message and data, for the root and for others."""
    client = open_websocket(node.port)
    client.say("40", "40/dropcodes,")
    assert client.text() == f"44{UNAUTHORIZED}"
    assert client.text() == f"44/dropcodes,{UNAUTHORIZED}"


def test_leaving(five: WebSocket) -> None:
    """There is no answer, others stay, and it can be joined again."""
    first = join(five, "/dropcodes,", "/dropcodes")
    join(five, "")
    five.say("41/dropcodes,")
    assert join(five, "/dropcodes,", "/dropcodes") != first
    five.say("41", '42/dropcodes,["a"]', "40/x,")
    assert five.text().startswith("44/x,")


@pytest.mark.parametrize(
    "text",
    [
        '42/donations,["a"]',
        '42["a"]',
        "43/donations,1[]",
        "41/donations,",
        "40/dropcodes,",
        '44/dropcodes,{"message":"no"}',
        '42/dropcodes["b"]',
    ],
)
def test_violations_end_the_connection(five: WebSocket, text: str) -> None:
    """A packet for a namespace not joined, a second CONNECT, a CONNECT_ERROR from a client."""
    join(five, "/dropcodes,", "/dropcodes")
    five.say(text)
    assert five.close_code() == 1000


@pytest.mark.parametrize("text", ['42["a"]', "41", "43[]", '44{"message":"x"}'])
def test_the_first_packet_must_be_a_connect(five: WebSocket, text: str) -> None:
    """Else the connection ends."""
    five.say(text)
    assert five.close_code() == 1000


def test_an_event_right_behind_its_connect(five: WebSocket) -> None:
    """It waits until the client is let in."""
    five.say("40/dropcodes,", '42/dropcodes,["a"]', "41/dropcodes,", "40/x,")
    assert five.text().startswith("40/dropcodes,")
    assert five.text().startswith("44/x,")


# Revision 4


def test_the_root_is_joined_unasked(node: Node) -> None:
    """Without a payload, over polling too, with a key and without."""
    for headers in ((), node.authorization()):
        assert Client(node.port, 3, headers=headers).poll() == "2:40"


@pytest.mark.parametrize("written", ["/dropcodes", "/dropcodes,", "/dropcodes?a=b c,"])
def test_a_namespace_of_revision_4(four: WebSocket, written: str) -> None:
    """The answer has neither payload nor query."""
    four.say(f"40{written}")
    assert four.text() == "40/dropcodes,"


def test_a_namespace_before_the_root(node: Node) -> None:
    """Clients ask before they have seen ``40``, which comes first all the same."""
    client = WebSocket(node.port, "/websockets/?EIO=3&transport=websocket", node.authorization())
    client.say("40/dropcodes,", "40/none,")
    assert client.text().startswith("0{")
    answers = [client.text() for _ in range(3)]
    assert answers == ["40", "40/dropcodes,", '44/none,"Invalid namespace"']


@pytest.mark.parametrize("query", ["apiKey={}", "token={}", "x=y&apiKey={}", "token={}&t=1"])
def test_the_query_of_a_namespace_is_its_auth(node: Node, query: str) -> None:
    """A client without a key in header or URL brings it here."""
    client = open_websocket(node.port, 3)
    client.say(f"40/dropcodes?{query.format(node.plugin_key().key)},")
    assert client.text() == "40/dropcodes,"


def test_a_namespace_without_a_key(node: Node) -> None:
    """Sitting in ``/`` gives no right."""
    client = open_websocket(node.port, 3)
    client.say("40/dropcodes,")
    assert client.text() == '44/dropcodes,"unauthorized"'


def test_a_bad_key_is_refused_at_the_root(node: Node) -> None:
    """By a string; nothing but the refusal is said unasked."""
    bad = [("Authorization", "ApiKey nonsense")]
    client = WebSocket(node.port, "/websockets/?EIO=3&transport=websocket", bad)
    assert client.text().startswith("0{")
    assert client.text() == '44"unauthorized"'
    client.say("40/dropcodes,")
    assert client.text() == '44/dropcodes,"unauthorized"'
    client.say("40")
    assert client.text() == '44"unauthorized"'


def test_a_bad_key_at_the_root_and_a_good_one_in_a_namespace(node: Node) -> None:
    """The namespace's query is its ``auth``, which wins; a namespace without one is refused as the root is."""
    bad = [("Authorization", "ApiKey nonsense")]
    client = open_websocket(node.port, 3, headers=bad)
    client.say(f"40/dropcodes?apiKey={node.plugin_key().key},", "40/donations,")
    assert client.text() == "40/dropcodes,"
    assert client.text() == '44/donations,"unauthorized"'


@pytest.mark.parametrize("written", ["40", "40/", "40/,"])
def test_a_repeated_root(four: WebSocket, written: str) -> None:
    """It is answered again."""
    four.say(written)
    assert four.text() == "40"


def test_a_repeated_namespace(four: WebSocket) -> None:
    """It is answered again."""
    four.say("40/dropcodes,", "40/dropcodes,")
    assert [four.text(), four.text()] == ["40/dropcodes,"] * 2


@pytest.mark.parametrize("text", ['42/donations,["a"]', "41/donations,", "43/none,1[]"])
def test_packets_for_a_namespace_not_joined_are_ignored(four: WebSocket, text: str) -> None:
    """Socket.IO 2 did so."""
    four.say(text, "40/x,")
    assert four.text() == '44/x,"Invalid namespace"'


def test_leaving_in_revision_4(node: Node) -> None:
    """Leaving the root leaves it only."""
    key = node.plugin_key()
    client = open_websocket(node.port, 3, headers=[("Authorization", f"ApiKey {key.key}")])
    client.say("40/dropcodes,", "41")
    assert client.text() == "40/dropcodes,"
    node.publish(key.streamer, {"code": "c"})
    assert event_of(client.text())[0] == "dropcode"
    client.say("41/dropcodes,", "40/x,")
    assert client.text() == '44/x,"Invalid namespace"'
