"""Clients that only wait stay connected, by the heartbeat of their revision."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.running_node import PluginKey

from .deployments import Deployment, everywhere
from .pool import ClientPool
from .setups import Setup, each_setup, usual_key_options
from .stock_client import StockClient
from .together import Together, selected_setups

INTERVAL_S, TIMEOUT_S = 1.0, 5.0
HEARTBEATS = 3
IDLE_S = 6.5
"""More than three intervals, and more than interval + time-out: without heartbeats the node and the
client would both have given up."""

assert max(HEARTBEATS * INTERVAL_S, INTERVAL_S + TIMEOUT_S) < IDLE_S


@pytest.fixture(scope="module")
def idled(
    request: pytest.FixtureRequest,
    pool: ClientPool,
    deployment: Deployment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Together]:
    """All setups at once: each connects, is idle over three heartbeats, then is sent a message."""
    together = Together(selected_setups(request, deployment))
    options = ("--ping-interval", str(INTERVAL_S), "--ping-timeout", str(TIMEOUT_S))
    folder = tmp_path_factory.mktemp("heartbeat")
    with deployment.service(folder, *options) as node, ExitStack() as borrowed:
        running: dict[Setup, tuple[StockClient, PluginKey]] = {}

        def connect(setup: Setup) -> None:
            key = node.plugin_key()
            client = borrowed.enter_context(pool.lend(setup.client))
            client.connect(
                node.url, transports=setup.transports, **usual_key_options(setup, key.key)
            )
            client.wait_connected()
            client.wait_for(lambda c: c.transport() == setup.final_transport, "upgrade")
            running[setup] = client, key

        def idle(setup: Setup) -> None:
            client, _ = running[setup]
            client.stays_without(["disconnect", "reconnect_attempt"], until)
            if setup.client.is_js:
                client.wait_event("heartbeat", HEARTBEATS)

        def receive(setup: Setup) -> None:
            client, key = running[setup]
            posted = node.publish(key.streamer, "after the silence")
            assert client.wait_messages(1)[0]["id"] == posted["id"]
            assert len([e for e in client.events("connect") if e.namespace == "/dropcodes"]) == 1

        together.each(connect)
        until = time.monotonic() + IDLE_S
        together.each(idle)
        together.each(receive)
        yield together


@everywhere
@each_setup()
def test_idle_over_three_heartbeats(idled: Together, setup: Setup) -> None:
    """It is still on its first connection, and receives."""
    idled.verdict(setup)
