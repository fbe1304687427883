"""Signed tokens on a running node: wherever a key may stand, and until they end."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..running_node import ONE_ADDRESS
from ..token_maker import SECRET, handmade, key_set, private_key, public_jwk, public_pem, token
from ..until import until
from .server import Node
from .wire import Client, Headers, WebSocket, event_of, open_websocket, request

JOINED = '40/dropcodes,{"sid":"'
UNAUTHORIZED = '44/dropcodes,{"message":"unauthorized","data":{"code":"unauthorized"}}'
MAX_PACKET_BYTES = 1024
"""The default of ``max_http_buffer_size``."""

FULL = {
    "groups": ["eu", "vip"],
    "namespaces": ["/dropcodes", "/donations"],
    "device": "living-room",
    "iss": "https://id.example.com",
    "aud": "reward-push",
    "iat": 1_800_000_000,
}
"""All that a token usually says."""


def fresh(node: Node, streamer: str = "s-42", life_s: float = 300, **claims: Any) -> str:
    """A good token for ``trusting``."""
    exp = round(time.time() + life_s, 3)
    text = token({"sub": streamer, "exp": exp, **claims}, private_key("ES256"), "ES256")
    node.keys.append(text)
    return text


def bearer(text: str, scheme: str = "Bearer") -> Headers:
    return [("Authorization", f"{scheme} {text}")]


def ask(websocket: WebSocket, auth: object = None) -> str:
    websocket.say("40/dropcodes," + ("" if auth is None else json.dumps(auth)))
    return websocket.text()


def refresh(websocket: WebSocket, text: str) -> Any:
    websocket.say(f'42/dropcodes,5["refresh",{json.dumps(text)}]')
    answer = websocket.text()
    assert answer.startswith("43/dropcodes,5["), answer
    return json.loads(answer.partition(",5")[2])[0]


def receives(node: Node, websocket: WebSocket, **to: str) -> None:
    body = {"namespace": "/dropcodes", "event": "dropcode", "to": to, "data": {"code": "X"}}
    assert node.backend.call("POST", "/v1/messages", body)[0] == 201
    assert event_of(websocket.text())[1]["data"] == {"code": "X"}


@pytest.mark.parametrize("scheme", ["Bearer", "ApiKey"])
def test_in_the_header(trusting: Node, scheme: str) -> None:
    """The streamer's messages come, and the groups'."""
    headers = bearer(fresh(trusting, "head", groups=["eu"]), scheme)
    websocket = open_websocket(trusting.port, headers=headers)
    assert ask(websocket).startswith(JOINED)
    receives(trusting, websocket, streamer="head")
    receives(trusting, websocket, group="eu")


def test_in_the_query(trusting: Node) -> None:
    websocket = open_websocket(trusting.port, query=f"&apiKey={fresh(trusting, **FULL)}")
    assert ask(websocket).startswith(JOINED)


@pytest.mark.parametrize("eio", [3, 4])
def test_in_the_header_of_polls(trusting: Node, eio: int) -> None:
    """The same token, again and again, is the session's own; another one is another key."""
    client = Client(trusting.port, eio, headers=bearer(fresh(trusting)))
    if eio == 3:
        client.poll()
    client.say("40/dropcodes,")
    assert "40/dropcodes," in client.poll()
    own, client.headers = client.headers, bearer(fresh(trusting))
    assert client.get().status == 403
    client.headers = own
    assert client.alive


@pytest.mark.parametrize("field", ["token", "apiKey"])
def test_in_auth(trusting: Node, field: str) -> None:
    """With all that a token usually says it fits into the 1,024 bytes of a packet."""
    text = fresh(trusting, **FULL)
    packet = "40/dropcodes," + json.dumps({field: text})
    assert len(packet) < MAX_PACKET_BYTES * 2 / 3
    assert ask(open_websocket(trusting.port), {field: text}).startswith(JOINED)
    client = Client(trusting.port)
    client.say(packet)
    assert client.poll().startswith(JOINED)


def test_too_long_for_auth_and_short_enough_for_the_rest(trusting: Node) -> None:
    """A packet over ``max_http_buffer_size`` ends the connection; header and query take 4,096 characters."""
    text = fresh(trusting, extra="x" * 2_000)
    websocket = open_websocket(trusting.port)
    websocket.say(f'40/dropcodes,{{"token":"{text}"}}')
    assert websocket.close_code() == 1009
    for where in ({"headers": bearer(text)}, {"query": f"&apiKey={text}"}):
        assert ask(open_websocket(trusting.port, **where)).startswith(JOINED)  # type: ignore[arg-type]
    text = fresh(trusting, extra="x" * 3_500)
    for where in ({"headers": bearer(text)}, {"query": f"&apiKey={text}"}):
        assert ask(open_websocket(trusting.port, **where)) == UNAUTHORIZED  # type: ignore[arg-type]


def test_wrong_ones_get_the_answer_of_wrong_keys(trusting: Node) -> None:
    exp = time.time() + 300
    claims = {"sub": "s", "exp": exp}
    wrong = [
        handmade({"alg": "none"}, claims, None),
        handmade({"alg": "HS256"}, claims, public_pem("ES256").encode()),
        token(claims, private_key("ES256", 1), "ES256"),
        token({"sub": "s"}, private_key("ES256"), "ES256"),
        fresh(trusting, life_s=-1),
        fresh(trusting, aud="somebody-else"),
        "a.b.c",
        "..",
        "." * 3_000,
    ]
    for text in wrong:
        trusting.keys.append(text) if len(text) > 40 else None
        answers = {
            ask(open_websocket(trusting.port, headers=bearer(text))),
            ask(open_websocket(trusting.port), {"token": text[:900]}),
        }
        assert answers == {UNAUTHORIZED}
        api = request(trusting.port, "GET", "/v1/nodes", bearer(text))
        assert (api.status, api.json["error"]["code"]) == (401, "unauthorized")


def test_it_opens_no_api(trusting: Node) -> None:
    """As no plugin key does."""
    api = request(trusting.port, "POST", "/v1/messages", bearer(fresh(trusting)), b"{}")
    assert (api.status, api.json["error"]["code"]) == (403, "forbidden")


def test_devices_are_remembered_over_fresh_tokens(trusting: Node) -> None:
    """The second connection does not get what the first has acknowledged. Receipts name the streamer's tokens."""
    made = trusting.publish("remember", {"code": "once"}, ttl_ms=60_000)
    first = open_websocket(trusting.port, headers=bearer(fresh(trusting, "remember", device="tv")))
    assert ask(first).startswith(JOINED)
    event = first.text()
    ack_id = event.partition(",")[2].partition("[")[0]
    first.say(f"43/dropcodes,{ack_id}[]")
    path = f"/v1/messages/{made['id']}"
    until(lambda: trusting.backend.call("GET", path)[1]["receipts"]["acked"])
    [row] = trusting.backend.call("GET", path)[1]["devices"]
    assert (row["key_id"], row["device"], row["streamer"]) == ("jwt:remember", "tv", "remember")
    again = open_websocket(trusting.port, headers=bearer(fresh(trusting, "remember", device="tv")))
    assert ask(again).startswith(JOINED)
    receives(trusting, again, streamer="remember")


def test_the_end_of_a_token_closes_the_connection_unless_it_is_refreshed(trusting: Node) -> None:
    """The client is asked in time. Over polling, the poll fails."""
    life_s = 8.0
    stays, goes = (
        open_websocket(trusting.port, headers=bearer(fresh(trusting, "ends", life_s=life_s)))
        for _ in range(2)
    )
    polls = Client(trusting.port, headers=bearer(fresh(trusting, "ends", life_s=life_s)))
    for websocket in (stays, goes):
        assert ask(websocket).startswith(JOINED)
    polls.say("40/dropcodes,")
    assert polls.poll().startswith(JOINED)
    for websocket in (stays, goes):
        [event, said] = event_of(websocket.text())
        assert event == "refresh"
        assert 0 < said["ttl_ms"] <= life_s * 500
    assert refresh(goes, "a.b.c")["error"]["code"] == "unauthorized"
    said = refresh(stays, fresh(trusting, "ends"))
    assert said["ok"] is True
    assert 290_000 < said["ttl_ms"] <= 300_000
    assert "refresh" in polls.poll()
    held = polls.hold()
    assert goes.close_code() == 1001
    assert held.answer().brief == (400, b'{"code":1,"message":"Session ID unknown"}')
    receives(trusting, stays, streamer="ends")


@pytest.fixture
def shared(tmp_path: Path, _import_path: None) -> Iterator[Node]:
    """A node that takes tokens signed with HS256."""
    (tmp_path / "secret").write_text(SECRET)
    with Node(tmp_path, f"--jwt-secret-file={tmp_path / 'secret'}") as running:
        running.keys.append(SECRET)
        yield running
        running.check_secrets()


def test_shared_secret_in_auth(shared: Node) -> None:
    text = token({"sub": "s", "exp": time.time() + 300, **FULL})
    shared.keys.append(text)
    assert ask(open_websocket(shared.port), {"token": text}).startswith(JOINED)
    key = shared.plugin_key().key
    assert ask(open_websocket(shared.port), {"apiKey": key}).startswith(JOINED)


@pytest.mark.usefixtures("_import_path")
def test_key_set_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """Without a restart; tokens of a key that is gone are not taken any more."""
    path = tmp_path / "jwks.json"

    def put(number: int) -> None:
        fresh_file = tmp_path / "fresh"
        fresh_file.write_text(key_set(public_jwk("ES256", number, kid=f"k{number}")))
        fresh_file.replace(path)

    def joins(number: int) -> bool:
        claims = {"sub": "s", "exp": time.time() + 300}
        text = token(claims, private_key("ES256", number), "ES256", kid=f"k{number}")
        return ask(open_websocket(node.port), {"token": text}) != UNAUTHORIZED

    put(1)
    with Node(tmp_path, *ONE_ADDRESS, f"--jwt-jwks={path}") as node:
        assert (joins(1), joins(2)) == (True, False)
        put(2)
        until(lambda: joins(2))  # it is looked at every ten seconds
        assert not joins(1)
    assert "the keys in" in node.log()
