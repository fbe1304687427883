"""Which key counts, and what each kind of wrong key leads to."""

import json

import pytest

from .server import Node
from .wire import Client, Headers, WebSocket, event_of, open_websocket, request

JOINED = '40/dropcodes,{"sid":"'
UNAUTHORIZED = '44/dropcodes,{"message":"unauthorized","data":{"code":"unauthorized"}}'
FORBIDDEN = '44/dropcodes,{"message":"forbidden","data":{"code":"forbidden"}}'
KEY_FORBIDDEN = (403, b'{"code":4,"message":"Forbidden"}')


def ask(websocket: WebSocket, auth: object = None, name: str = "/dropcodes") -> str:
    """Ask for a namespace; return the answer."""
    websocket.say(f"40{name}," + ("" if auth is None else json.dumps(auth)))
    return websocket.text()


def header(key: str, scheme: str = "ApiKey") -> Headers:
    return [("Authorization", f"{scheme} {key}")]


@pytest.mark.parametrize("scheme", ["ApiKey", "Bearer", "apikey", "BEARER"])
def test_a_key_in_the_header(node: Node, scheme: str) -> None:
    """Both schemes, in any case."""
    websocket = open_websocket(node.port, headers=header(node.plugin_key().key, scheme))
    assert ask(websocket).startswith(JOINED)


def test_a_key_in_the_query(node: Node) -> None:
    """Where headers cannot be set."""
    websocket = open_websocket(node.port, query=f"&apiKey={node.plugin_key().key}")
    assert ask(websocket).startswith(JOINED)


@pytest.mark.parametrize("field", ["apiKey", "token"])
def test_a_key_in_auth(node: Node, field: str) -> None:
    """Both names."""
    websocket = open_websocket(node.port)
    assert ask(websocket, {field: node.plugin_key().key}).startswith(JOINED)


def receives(node: Node, websocket: WebSocket, streamer: str) -> None:
    """Assert that the socket is ``streamer``'s."""
    node.publish(streamer, {"for": streamer})
    assert event_of(websocket.text())[1]["data"] == {"for": streamer}


def test_which_of_several_keys_counts(node: Node) -> None:
    """``auth`` wins over the header, the header over the query."""
    in_auth, in_header, in_query = (node.plugin_key() for _ in range(3))
    query = f"&apiKey={in_query.key}"
    both = open_websocket(node.port, query=query, headers=header(in_header.key))
    assert ask(both, {"apiKey": in_auth.key}).startswith(JOINED)
    receives(node, both, in_auth.streamer)
    again = open_websocket(node.port, query=query, headers=header(in_header.key))
    assert ask(again).startswith(JOINED)
    receives(node, again, in_header.streamer)
    last = open_websocket(node.port, query=query)
    assert ask(last).startswith(JOINED)
    receives(node, last, in_query.streamer)


@pytest.mark.parametrize("auth", [{"apiKey": ""}, {"apiKey": None}, {"apiKey": 5}, {"apiKey": [1]}])
def test_what_is_no_key_does_not_count(node: Node, auth: object) -> None:
    """The header does, then."""
    websocket = open_websocket(node.port, headers=header(node.plugin_key().key))
    assert ask(websocket, auth).startswith(JOINED)


def wrong_keys(node: Node) -> dict[str, str]:
    key = node.plugin_key().key
    return {
        "nonsense": "nonsense",
        "another secret": key[:-1] + ("A" if key[-1] != "A" else "B"),
        "cut": key[:-1],
        "longer": key + "x",
        "very long": "kEy7" * 200,
        "not ASCII": "ключ",
        "unknown id": key.replace(key[3:9], "abcdef"),
    }


@pytest.mark.parametrize(
    "which",
    ["nonsense", "another secret", "cut", "longer", "very long", "not ASCII", "unknown id"],
)
def test_a_wrong_key(node: Node, which: str) -> None:
    """A definite no, so that a stock client stops; the connection stays."""
    key = wrong_keys(node)[which]
    node.keys.append(key)
    websocket = open_websocket(node.port)
    assert ask(websocket, {"apiKey": key}) == UNAUTHORIZED
    assert ask(websocket, {"apiKey": node.plugin_key().key}).startswith(JOINED)


def test_no_key(node: Node) -> None:
    """The same."""
    assert ask(open_websocket(node.port)) == UNAUTHORIZED
    assert ask(open_websocket(node.port, headers=[("Authorization", "Basic YTpi")])) == UNAUTHORIZED


def test_a_wrong_key_in_auth_is_not_made_good_by_the_header(node: Node) -> None:
    """The key that counts is the one that is judged."""
    websocket = open_websocket(node.port, headers=header(node.plugin_key().key))
    assert ask(websocket, {"apiKey": "nonsense"}) == UNAUTHORIZED


def test_a_key_for_other_namespaces(node: Node) -> None:
    """Forbidden, but for the root, which takes any valid key."""
    key = node.plugin_key(namespaces=["/donations"])
    websocket = open_websocket(node.port, headers=header(key.key))
    assert ask(websocket) == FORBIDDEN
    assert ask(websocket, name="/donations").startswith('40/donations,{"sid":"')
    websocket.say("40")
    assert websocket.text().startswith('40{"sid":"')


def test_a_key_for_other_namespaces_in_revision_4(node: Node) -> None:
    """Refusals are strings."""
    key = node.plugin_key(namespaces=["/donations"])
    websocket = open_websocket(node.port, 3, headers=header(key.key))
    assert ask(websocket) == '44/dropcodes,"forbidden"'
    assert ask(websocket, name="/donations") == "40/donations,"


def test_a_backend_key_opens_no_namespace(node: Node) -> None:
    """It is valid, so it is forbidden, not unauthorized."""
    websocket = open_websocket(node.port, headers=header(node.backend_key))
    assert ask(websocket) == FORBIDDEN


def test_a_plugin_key_opens_no_api(node: Node) -> None:
    """The other way round."""
    answer = request(node.port, "POST", "/v1/messages", header(node.plugin_key().key), b"{}")
    assert (answer.status, answer.json["error"]["code"]) == (403, "forbidden")


# A gateway's key


def test_a_gateway_key_names_its_streamer_in_auth(node: Node) -> None:
    """Each socket its own."""
    key = node.plugin_key(streamer="*").key
    for streamer in ("gate-1", "gate-2"):
        websocket = open_websocket(node.port)
        assert ask(websocket, {"apiKey": key, "streamer": streamer}).startswith(JOINED)
        receives(node, websocket, streamer)


def test_a_gateway_key_names_its_streamer_in_the_query(node: Node) -> None:
    """``auth`` wins here, too."""
    key = node.plugin_key(streamer="*").key
    websocket = open_websocket(node.port, query="&streamer=gate-3", headers=header(key))
    assert ask(websocket).startswith(JOINED)
    receives(node, websocket, "gate-3")
    other = open_websocket(node.port, query="&streamer=gate-3", headers=header(key))
    assert ask(other, {"streamer": "gate-4"}).startswith(JOINED)
    receives(node, other, "gate-4")


@pytest.mark.parametrize(
    "auth", [{}, {"streamer": ""}, {"streamer": "*"}, {"streamer": 5}, {"streamer": "a b"}]
)
def test_a_gateway_key_without_a_good_streamer(node: Node, auth: object) -> None:
    """It is told which field to blame."""
    websocket = open_websocket(node.port, headers=header(node.plugin_key(streamer="*").key))
    answer = ask(websocket, auth)
    refusal = json.loads(answer.removeprefix("44/dropcodes,"))
    assert refusal["data"] == {"code": "invalid_request", "field": "streamer"}


def test_other_keys_cannot_choose_their_streamer(node: Node) -> None:
    """The key's own is the one."""
    key = node.plugin_key()
    websocket = open_websocket(node.port, query="&streamer=other", headers=header(key.key))
    assert ask(websocket, {"streamer": "other"}).startswith(JOINED)
    receives(node, websocket, key.streamer)


# Later requests


@pytest.mark.parametrize("opened_in", ["header", "query"])
@pytest.mark.parametrize("shown_in", ["header", "query"])
def test_another_key_on_a_later_request(node: Node, opened_in: str, shown_in: str) -> None:
    """403, code 4, for polls, posts and upgrades; the session is untouched."""
    own, other = node.plugin_key().key, node.plugin_key().key
    client = Client(
        node.port,
        query=f"&apiKey={own}" if opened_in == "query" else "",
        headers=header(own) if opened_in == "header" else (),
    )
    client.headers = ()
    foreign = Client(node.port)
    foreign.sid = client.sid
    if shown_in == "header":
        foreign.headers = header(other)
    else:
        foreign.base += f"apiKey={other}&"
    assert foreign.get().brief == KEY_FORBIDDEN
    assert foreign.post("1").brief == KEY_FORBIDDEN
    assert foreign.websocket(foreign.headers).answer_to_upgrade.brief == KEY_FORBIDDEN
    assert foreign.post("1" * 70_000).status == 413
    client.say("40/dropcodes,")
    assert client.poll().startswith(JOINED)


def test_the_same_key_or_none_on_a_later_request(node: Node) -> None:
    """Wherever it stands."""
    key = node.plugin_key().key
    client = Client(node.port, headers=header(key))
    for headers in (header(key), header(key, "Bearer"), ()):
        client.headers = headers
        client.say("40/x,")
        assert client.poll().startswith("44/x,")
    client.base += f"apiKey={key}&"
    client.say("40/x,")
    assert client.poll().startswith("44/x,")


def test_a_key_after_a_handshake_without_one(node: Node) -> None:
    """There is no key that it could differ from."""
    client = Client(node.port)
    client.headers = node.authorization()
    client.say("40/x,")
    assert client.poll().startswith("44/x,")
