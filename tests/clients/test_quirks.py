"""Habits of stock clients that a server has to know."""

from functools import partial

import pytest

from tests.running_node import Service, message

from .conftest import Lend
from .proxy import Proxy
from .setups import (
    ASYNCIO_4,
    CHROMIUM_2,
    CHROMIUM_4,
    CLIENTS,
    JS_1,
    JS_2,
    JS_3,
    JS_4,
    POLLING,
    PYTHON_4,
    SETUPS,
    UPGRADE,
    Client,
    Place,
    Setup,
    each_setup,
    key_options,
    usual_key_options,
)
from .stock_client import StockClient

NAMESPACES = ("/dropcodes", "/donations", "/notifications")


def each_client(*clients: Client) -> pytest.MarkDecorator:
    """Run a test once a client."""
    return pytest.mark.parametrize("kind", clients, ids=[kind.name for kind in clients])


@each_client(JS_2, JS_3, JS_4, CHROMIUM_2, CHROMIUM_4)
def test_key_header_on_polling_only(node: Service, lend: Lend, kind: Client) -> None:
    """The documented 2.x code: its upgrade request comes without a key, and succeeds."""
    key = node.plugin_key()
    client = lend(kind)
    with Proxy(node.port) as proxy:
        client.connect(
            proxy.url,
            transports=UPGRADE,
            headers_on=["polling"],
            **key_options(Place.HEADER, key.key),
        )
        client.wait_connected()
        client.wait_for(lambda c: c.transport() == "websocket", "upgrade")
        posted = node.publish(key.streamer, "x")
        assert client.wait_messages(1)[0]["id"] == posted["id"]

        (upgrade,) = [request for request in proxy.requests() if request.is_websocket]
        assert "authorization" not in upgrade.headers
        assert "apiKey" not in upgrade.query


@each_client(CHROMIUM_2, CHROMIUM_4)
def test_cross_origin_with_a_header(node: Service, lend: Lend, kind: Client) -> None:
    """A page of another origin asks first whether it may send the key header."""
    key = node.plugin_key()
    client = lend(kind)
    with Proxy(node.port) as proxy:
        client.connect(proxy.url, transports=POLLING, **key_options(Place.HEADER, key.key))
        client.wait_connected()

        preflight = next(r for r in proxy.requests() if r.method == "OPTIONS")
        assert preflight.headers["access-control-request-headers"] == "authorization"
        assert preflight.headers["origin"] not in (node.url, proxy.url)


@each_client(PYTHON_4, ASYNCIO_4)
def test_posts_in_binary_framing(node: Service, lend: Lend, kind: Client) -> None:
    """python-socketio 4 posts text packets in binary framing too."""
    key = node.plugin_key()
    client = lend(kind)
    with Proxy(node.port) as proxy:
        client.connect(proxy.url, transports=POLLING, **key_options(Place.QUERY, key.key))
        client.wait_connected()
        node.publish(key.streamer, "x")
        client.wait_messages(1)

        posts = [request for request in proxy.requests() if request.method == "POST"]
        assert {post.headers["content-type"] for post in posts} == {"application/octet-stream"}


@each_client(*CLIENTS)
def test_many_packets_for_one_poll(node: Service, lend: Lend, kind: Client) -> None:
    """python-engineio refuses a payload of more than 16 packets, and loses its connection by it.

    The texts matter for revision 3, where each client counts the length of a packet in its own way.
    """
    key = node.plugin_key()
    client = lend(kind)
    client.connect(node.url, transports=POLLING, **key_options(Place.QUERY, key.key))
    client.wait_connected()

    data = ["€" * n + "😀" * n for n in range(50)]
    node.publish_batch([message(key.streamer, text) for text in data])

    assert sorted(m["data"] for m in client.wait_messages(len(data))) == sorted(data)
    assert not client.events("disconnect")


@each_client(JS_1, JS_2)
def test_base64_on_polling(node: Service, lend: Lend, kind: Client) -> None:
    """1.x and 2.x under Node.js say in their handshake that they want no binary."""
    key = node.plugin_key()
    client = lend(kind)
    with Proxy(node.port) as proxy:
        client.connect(proxy.url, transports=POLLING, **key_options(Place.QUERY, key.key))
        client.wait_connected()
        node.publish(key.streamer, "x")
        client.wait_messages(1)
        assert [request.query["b64"] for request in proxy.handshakes()] == [["1"]]


@each_client(CHROMIUM_2)
def test_jsonp(node: Service, lend: Lend, kind: Client) -> None:
    """2.x in a browser polls with script tags and posts with forms when told to."""
    key = node.plugin_key()
    client = lend(kind)
    options = key_options(Place.QUERY, key.key)
    text = 'quote " backslash \\ line \n separator \u2028 end </script>'
    with Proxy(node.port) as proxy:
        client.connect(proxy.url, transports=POLLING, forceJSONP=True, **options)
        client.wait_connected()
        node.publish(key.streamer, text)
        assert client.wait_messages(1)[0]["data"] == text
        assert client.events("dropcode")[0].acked
        node.publish(key.streamer, "second")
        assert client.wait_messages(2)[1]["data"] == "second"
        assert all(r.query["j"] for r in proxy.requests())


@each_client(*CLIENTS)
def test_several_namespaces_on_one_connection(node: Service, lend: Lend, kind: Client) -> None:
    """Each namespace is joined by itself and gets its own messages."""
    key = node.plugin_key()
    client = lend(kind)
    place = Place.AUTH if kind.eio == 4 else Place.QUERY
    with Proxy(node.port) as proxy:
        client.connect(
            proxy.url,
            transports=UPGRADE,
            namespaces=NAMESPACES,
            **key_options(place, key.key),
        )
        for namespace in NAMESPACES:
            client.wait_connected(namespace=namespace)
        for namespace in NAMESPACES:
            node.publish(key.streamer, namespace, namespace=namespace)
        for namespace in NAMESPACES:
            got = client.wait_for(partial(StockClient.messages, namespace=namespace), namespace)
            assert [m["data"] for m in got] == [namespace]
        assert len(proxy.handshakes()) == 1


@each_setup()
def test_unknown_events_are_ignored(node: Service, lend: Lend, setup: Setup) -> None:
    """An event that the node does not know, with text beyond ASCII, changes nothing."""
    key = node.plugin_key()
    client = lend(setup.client)
    client.connect(node.url, transports=setup.transports, **usual_key_options(setup, key.key))
    client.wait_connected()

    client.emit("hello", {"text": "é € 😀"}, 1)
    node.publish(key.streamer, "x")
    client.wait_messages(1)
    client.emit("hello")
    node.publish(key.streamer, "y")

    assert [m["data"] for m in client.wait_messages(2)] == ["x", "y"]
    assert not client.events("disconnect")


@pytest.mark.parametrize("path", ["/websockets", "/websockets/"])
@each_setup([setup for setup in SETUPS if setup.client in (JS_4, CHROMIUM_4)])
def test_with_and_without_trailing_slash(
    node: Service, lend: Lend, setup: Setup, path: str
) -> None:
    """4.x can be told to send the path as it is written."""
    key = node.plugin_key()
    client = lend(setup.client)
    options = usual_key_options(setup, key.key)
    with Proxy(node.port) as proxy:
        client.connect(
            proxy.url,
            transports=setup.transports,
            path=path,
            addTrailingSlash=path.endswith("/"),
            **options,
        )
        client.wait_connected()
        assert {request.path for request in proxy.requests()} == {path}
