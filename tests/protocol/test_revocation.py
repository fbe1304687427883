"""Keys over the API of a running node: seen, revoked, and what becomes of who is connected by them."""

import pytest

from ..stopwatch import Stopwatch
from .server import Node
from .wire import Client, Headers, WebSocket, open_websocket, request

UNAUTHORIZED = '44/dropcodes,{"message":"unauthorized","data":{"code":"unauthorized"}}'
UNKNOWN = (400, b'{"code":1,"message":"Session ID unknown"}')
CLOSED_WITHIN_S = 2.0
"""What docs/keys.md promises."""


def header(key: str) -> Headers:
    return [("Authorization", f"ApiKey {key}")]


def key_id(key: str) -> str:
    return key.split("_")[1]


def join(websocket: WebSocket) -> str:
    websocket.say("40/dropcodes,")
    return websocket.text()


@pytest.mark.parametrize("eio", [3, 4])
def test_a_revoked_key_s_websockets_are_closed_and_do_not_get_in_again(
    node: Node, eio: int
) -> None:
    key = node.plugin_key().key
    websockets = [open_websocket(node.port, eio, headers=header(key)) for _ in range(3)]
    for websocket in websockets:
        assert join(websocket).startswith("40/dropcodes,")
    other = node.plugin_key()
    bystander = open_websocket(node.port, headers=header(other.key))
    assert join(bystander).startswith("40/dropcodes,")

    watch = Stopwatch()
    assert node.backend.call("DELETE", f"/v1/keys/{key_id(key)}")[0] == 200
    assert [websocket.close_code() for websocket in websockets] == [1001] * 3
    assert watch.lived_s < CLOSED_WITHIN_S

    again = open_websocket(node.port, headers=header(key))
    assert join(again) == UNAUTHORIZED
    node.publish(other.streamer, {"code": "heard"})
    assert bystander.text().startswith("42/dropcodes,")


def test_a_revoked_key_s_poll_is_failed(node: Node) -> None:
    """So that its client starts anew, and is told."""
    key = node.plugin_key().key
    client = Client(node.port, headers=header(key))
    client.say("40/dropcodes,")
    assert client.poll().startswith("40/dropcodes,")
    held = client.hold()
    assert node.backend.call("DELETE", f"/v1/keys/{key_id(key)}")[0] == 200
    assert held.answer().brief == UNKNOWN
    assert not client.alive
    again = Client(node.port, headers=header(key))
    again.say("40/dropcodes,")
    assert again.poll() == UNAUTHORIZED


def test_a_revoked_backend_key_calls_nothing_more(node: Node) -> None:
    """A second DELETE says that there is no such key."""
    body = {"kind": "backend", "rights": ["read"]}
    key = node.backend.call("POST", "/v1/keys", body)[1]["key"]
    node.keys.append(key)
    assert request(node.port, "GET", "/v1/nodes", header(key)).status == 200
    assert node.backend.call("DELETE", f"/v1/keys/{key_id(key)}")[0] == 200
    assert request(node.port, "GET", "/v1/nodes", header(key)).status == 401
    status, answer = node.backend.call("DELETE", f"/v1/keys/{key_id(key)}")
    assert (status, answer["error"]["code"]) == (404, "not_found")


def test_the_list_tells_which_keys_are_used(node: Node) -> None:
    """Two keys of a streamer are valid side by side: one is rotated out once the other is in use."""
    old, new = (node.plugin_key(streamer="rotating").key for _ in range(2))

    def used() -> dict[str, object]:
        items = []
        cursor = ""
        while cursor is not None:
            query = f"?limit=200&cursor={cursor}" if cursor else "?limit=200"
            status, page = node.backend.call("GET", f"/v1/keys{query}")
            assert status == 200
            items += page["items"]
            cursor = page["next_cursor"]
        assert not any("key" in each for each in items)
        return {each["key_id"]: each["last_used_at"] for each in items}

    assert used()[key_id(old)] is None
    assert join(open_websocket(node.port, headers=header(old))).startswith("40/dropcodes,")
    assert used()[key_id(old)] is not None
    assert used()[key_id(new)] is None
    assert join(open_websocket(node.port, headers=header(new))).startswith("40/dropcodes,")
    assert used()[key_id(new)] is not None
    assert node.backend.call("DELETE", f"/v1/keys/{key_id(old)}")[0] == 200
    assert key_id(old) not in used()
    assert join(open_websocket(node.port, headers=header(new))).startswith("40/dropcodes,")
