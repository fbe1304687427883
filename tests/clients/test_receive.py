"""A stock client with a valid key gets what a backend posts, and acknowledges it."""

import re

import pytest

from tests.running_node import Service

from .conftest import Lend
from .deployments import everywhere
from .setups import CLIENTS, SETUPS, UPGRADE, Client, Place, Setup, key_options, places

NASTY = {"code": "K7Q-PLX", "text": 'é € 😀 "quoted" \\ / \n\r\t \u2028\u2029 \x00\x1e \x7f end'}
"""Text that wrong lengths or escapes would break, in every framing."""

PLACED = [(setup, place) for setup in SETUPS for place in places(setup)]


@everywhere
@pytest.mark.parametrize(("setup", "place"), PLACED, ids=[f"{s}-{p}" for s, p in PLACED])
def test_message_arrives(node: Service, lend: Lend, setup: Setup, place: Place) -> None:
    """Wherever the key comes from, a posted message arrives whole, with an ack asked for."""
    key = node.plugin_key()
    client = lend(setup.client)
    client.connect(node.url, transports=setup.transports, **key_options(place, key.key))
    client.wait_connected()

    posted = node.publish(key.streamer, NASTY)

    (message,) = client.wait_messages(1)
    assert message["id"] == posted["id"]
    assert message["data"] == NASTY
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message["sent_at"])
    assert set(message) == {"id", "data", "sent_at"}
    if setup.client.is_js:
        assert client.events("dropcode")[0].acked
    client.wait_for(lambda c: c.transport() == setup.final_transport, "upgrade")


@everywhere
@pytest.mark.parametrize("kind", CLIENTS, ids=[kind.name for kind in CLIENTS])
def test_only_its_own_messages(node: Service, lend: Lend, kind: Client) -> None:
    """A client gets what is for its streamer, its group and all, in order, and nothing else."""
    mine, other = node.plugin_key(groups=["eu"]), node.plugin_key(groups=["us"])
    client = lend(kind)
    client.connect(node.url, transports=UPGRADE, **key_options(Place.QUERY, mine.key))
    client.wait_connected()

    node.publish(other.streamer, "other")
    node.publish("", "group", to={"group": "eu"})
    node.publish("", "other group", to={"group": "us"})
    node.publish(mine.streamer, "other namespace", namespace="/donations")
    node.publish("", "several", to={"streamers": [mine.streamer, other.streamer]})
    node.publish("", "all", to="all")

    client.wait_messages(3)
    assert [message["data"] for message in client.in_order()] == ["group", "several", "all"]
