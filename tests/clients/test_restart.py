"""A node goes away and comes back, or each of several in turn: so do its clients, by themselves."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.running_node import PluginKey, RunningNode

from .deployments import Deployment, everywhere
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
    request: pytest.FixtureRequest,
    pool: ClientPool,
    deployment: Deployment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Together]:
    """All setups at once: each is connected when the node ends, and sent a message once it is back.

    The second node is on the same port and store, so that the keys must have survived too. Where there are
    several nodes each goes away and comes back before the next does, so that everybody has to move.
    """
    together = Together(selected_setups(request, deployment))
    folder = tmp_path_factory.mktemp("restart")
    with deployment.service(folder, "--drain", "1") as node, ExitStack() as borrowed:
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
            # With an end: it may have to connect once more, as the last node that went took it along.
            posted = node.publish(key.streamer, "again", ttl_ms=60_000)
            assert client.wait_messages(1)[-1]["id"] == posted["id"]

        together.each(connect)
        node.restart_each(ENDINGS[request.param])
        together.each(come_back)
        yield together


@everywhere
@each_setup()
def test_back_by_itself(restarted: Together, setup: Setup) -> None:
    """It reconnects without being told to, joins its namespace again, and receives."""
    restarted.verdict(setup)
