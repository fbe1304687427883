"""Stock clients with signed tokens: asked for a fresh one in time, they stay; else they come back with one."""

import time
from collections.abc import Iterator

import pytest

from tests.protocol.wire import open_websocket
from tests.running_node import RunningNode
from tests.token_maker import SECRET, token

from .conftest import Lend
from .setups import CLIENTS, JS_4, UPGRADE, Place, key_options
from .stock_client import Event, StockClient

LIFE_S = 12.0
LISTEN = ("dropcode", "refresh")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A node that takes tokens."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "secret").write_text(SECRET)
    options = (f"--jwt-secret-file={folder / 'secret'}", "--jwt-leeway=0")
    with RunningNode(folder, *options) as running:
        yield running


def fresh(streamer: str, life_s: float) -> str:
    return token({"sub": streamer, "exp": time.time() + life_s})


def wait_for_the_end(node: RunningNode, life_s: float) -> None:
    """Wait until a token made now has ended, as a client that does not refresh it finds out."""
    control = open_websocket(node.port, query=f"&apiKey={fresh('control', life_s)}")
    control.say("40/dropcodes,")
    while not control.text().startswith("42/dropcodes,"):
        pass
    assert control.close_code() == 1001


def asked_to_refresh(client: StockClient) -> Event | None:
    return next((e for e in client.events("refresh") if e.namespace == "/dropcodes"), None)


def test_every_stock_client_can_refresh_its_token(node: RunningNode, lend: Lend) -> None:
    """By an event like any other: the connection outlives the token that it was opened with."""
    # All run before the first token is made: it has half its life until it is to be refreshed.
    clients = {kind.name: lend(kind) for kind in CLIENTS}
    for name, client in clients.items():
        key = key_options(Place.QUERY, fresh(name, LIFE_S))
        client.connect(node.url, transports=UPGRADE, listen=LISTEN, **key)
        client.wait_connected()
    for name, client in clients.items():
        # Some are asked in "/", too: who answered that one would not be asked in the other any more.
        asked = client.wait_for(asked_to_refresh, "refresh in /dropcodes")
        assert 0 < asked.args[0]["ttl_ms"] <= LIFE_S * 500
        client.emit("refresh", fresh(name, 300))
    # Whoever was asked had half of it left at most.
    wait_for_the_end(node, LIFE_S / 2 + 1)
    for name, client in clients.items():
        node.publish(name, {"code": name})
        assert client.wait_messages(1)[0]["data"] == {"code": name}
        assert client.events("disconnect") == []
        asked_in = [event.namespace for event in client.events("refresh")]
        assert asked_in.count("/dropcodes") == 1


def test_a_client_that_does_not_is_sent_away_and_told_when_it_returns(
    node: RunningNode, lend: Lend
) -> None:
    """With the token of before, that is: with a fresh one it would go on."""
    client = lend(JS_4)
    key = key_options(Place.AUTH, fresh("late", 6))
    client.connect(node.url, transports=UPGRADE, listen=LISTEN, **key)
    client.wait_connected()
    assert client.wait_event("disconnect").args[0] == "transport close"
    refused = client.wait_event("connect_error").args[0]
    assert refused == {"message": "unauthorized", "data": {"code": "unauthorized"}}
