"""A thousand messages in a row, while the transport changes beneath them."""

from contextlib import ExitStack

from tests.running_node import Service, message

from .conftest import Lend
from .deployments import everywhere
from .proxy import Proxy
from .setups import Setup, each_setup, usual_key_options
from .stock_client import StockClient

MESSAGES = 1000
SINGLES, BATCH = 10, 40
"""They are posted in chunks: some one by one, then some in one request."""

CHUNK = SINGLES + BATCH


def _post_chunk(node: Service, streamer: str, first: int) -> None:
    for n in range(first, first + SINGLES):
        node.publish(streamer, {"n": n}, id=f"{streamer}.{n}")
    batch = range(first + SINGLES, first + CHUNK)
    node.publish_batch([message(streamer, {"n": n}, id=f"{streamer}.{n}") for n in batch])


@everywhere
@each_setup()
def test_each_once_and_in_order(node: Service, lend: Lend, setup: Setup) -> None:
    """Posted from the moment it has joined, each acknowledged: none is lost, doubled or overtaken.

    Where a client joins its namespace before it upgrades, its WebSocket handshake is held back until
    the first chunk has come by polling, and the last chunk is posted when it has upgraded. What lies
    between is posted without a pause, so the upgrade happens somewhere in it.
    """
    key = node.plugin_key()
    client = lend(setup.client)
    with ExitStack() as stack:
        url, proxy = node.url, None
        if setup.sees_upgrade:
            proxy = stack.enter_context(Proxy(node.port))
            proxy.hold_websockets()
            url = proxy.url
        client.connect(url, transports=setup.transports, **usual_key_options(setup, key.key))
        client.wait_connected()

        for first in range(0, MESSAGES, CHUNK):
            if proxy is not None and first == CHUNK:
                client.wait_messages(CHUNK)
                assert client.transport() == "polling"
                proxy.release_websockets()
            if proxy is not None and first == MESSAGES - CHUNK:
                client.wait_for(lambda c: c.transport() == "websocket", "upgrade")
            _post_chunk(node, key.streamer, first)

        client.wait_messages(MESSAGES)
        messages = client.in_order()
        assert [m["id"] for m in messages] == [f"{key.streamer}.{n}" for n in range(MESSAGES)]
        assert [m["data"]["n"] for m in messages] == list(range(MESSAGES))
        assert client.transport() == setup.final_transport
        assert not client.events("disconnect")
        if setup.client.is_js:
            assert all(event.acked for event in client.events("dropcode"))
        _still_receives(node, client, key.streamer)


def _still_receives(node: Service, client: StockClient, streamer: str) -> None:
    """The acknowledgements did no harm to the connection."""
    node.publish(streamer, "last")
    assert client.wait_messages(MESSAGES + 1)[-1]["data"] == "last"
    assert not client.events("disconnect")
