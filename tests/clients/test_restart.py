"""A node goes away and comes back: so do its clients, by themselves."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.running_node import ONE_ADDRESS, PluginKey, RunningNode

from .pool import ClientPool
from .setups import Setup, each_setup, usual_key_options
from .stock_client import StockClient
from .together import Together, selected_setups

ENDINGS: dict[str, Callable[[RunningNode], None]] = {
    "killed": RunningNode.kill,
    "stopped": RunningNode.stop,
}


@pytest.fixture(scope="module", params=ENDINGS)
def restarted(
    request: pytest.FixtureRequest, pool: ClientPool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Together]:
    """All setups at once: each is connected when the node ends, and sent a message once it is back.

    The second node is on the same port and store, so that the keys must have survived too.
    """
    together = Together(selected_setups(request))
    with (
        RunningNode(tmp_path_factory.mktemp("restart"), *ONE_ADDRESS) as node,
        ExitStack() as borrowed,
    ):
        running: dict[Setup, tuple[StockClient, PluginKey]] = {}

        def connect(setup: Setup) -> None:
            key = node.plugin_key()
            client = borrowed.enter_context(pool.lend(setup.client))
            running[setup] = client, key
            client.connect(
                node.url, transports=setup.transports, **usual_key_options(setup, key.key)
            )
            client.wait_connected()
            client.wait_for(lambda c: c.transport() == setup.final_transport, "upgrade")

        def come_back(setup: Setup) -> None:
            client, key = running[setup]
            client.wait_connected(2)
            posted = node.publish(key.streamer, "again")
            assert client.wait_messages(1)[-1]["id"] == posted["id"]

        together.each(connect)
        ENDINGS[request.param](node)
        node.start()
        together.each(come_back)
        yield together


@each_setup()
def test_back_by_itself(restarted: Together, setup: Setup) -> None:
    """It reconnects without being told to, joins its namespace again, and receives."""
    restarted.verdict(setup)
