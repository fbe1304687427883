"""A balancer cuts what is silent for its idle timeout. HAProxy stands in for any of them.

Time itself is what is shown here, so these tests wait for it: ten idle periods of six seconds. In less than that
nobody could be late for want of a processor without being cut.
"""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.clients.pool import ClientPool
from tests.clients.setups import (
    JS_2,
    JS_4,
    POLLING,
    PYTHON_4,
    PYTHON_5,
    WEBSOCKET,
    Setup,
    each_setup,
    usual_key_options,
)
from tests.clients.stock_client import StockClient
from tests.clients.together import Together
from tests.protocol import wire
from tests.running_haproxy import RunningHAProxy
from tests.running_node import PluginKey, RunningNode
from tests.until import until

from .scaled_node import ScaledNode, derived

IDLE_TIMEOUT_S = 60.0
"""The default of an AWS load balancer, and the tightest that is usual."""
FACTOR = 1 / 10
SCALED_S = IDLE_TIMEOUT_S * FACTOR
PERIODS = 10
SEEDS_PING_INTERVAL_S = 60.0
"""What the article had that this project comes from, behind an idle timeout of as much."""

SETUPS = tuple(
    Setup(client, transports)
    for client in (JS_2, JS_4, PYTHON_4, PYTHON_5)
    for transports in (POLLING, WEBSOCKET)
)

_CUT = re.compile(r" \d+ \d+ [cs][A-Z]\S* \d+/\d+/\d+/\d+/\d+ ")
"""In HAProxy's log, after status and bytes: ended by a timeout of the client's or the server's side."""


def cut(balancer: RunningHAProxy) -> list[str]:
    """What the balancer has cut because it was silent for too long, in its own words."""
    return [line for line in balancer.log().splitlines() if _CUT.search(line)]


@contextmanager
def connected(
    together: Together, pool: ClientPool, node: RunningNode, url: str
) -> Iterator[dict[Setup, tuple[StockClient, PluginKey]]]:
    """Connect each setup to ``url`` with a key of its own."""
    running: dict[Setup, tuple[StockClient, PluginKey]] = {}
    with ExitStack() as borrowed:

        def connect(setup: Setup) -> None:
            key = node.plugin_key()
            client = borrowed.enter_context(pool.lend(setup.client))
            options = usual_key_options(setup, key.key)
            client.connect(url, transports=setup.transports, **options)
            client.wait_connected()
            running[setup] = client, key

        together.each(connect)
        yield running


@pytest.fixture(scope="module")
def too_slow(pool: ClientPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    """All setups at once, with a heartbeat above the balancer's idle timeout."""
    together = Together(SETUPS)
    folder = tmp_path_factory.mktemp("too-slow")
    # 0 switches the rule off that makes a node refuse this.
    options = ("--idle-timeout", "0", "--ping-interval", f"{SEEDS_PING_INTERVAL_S:g}")
    with (
        RunningNode(folder, *options) as node,
        RunningHAProxy(folder, [node.port], IDLE_TIMEOUT="2s") as balancer,
        connected(together, pool, node, balancer.url) as running,
    ):

        def wait(setup: Setup) -> None:
            client, _ = running[setup]
            client.wait_event("disconnect")

        together.each(wait)
        until(lambda: cut(balancer), said=balancer.log)
        yield together


@each_setup(SETUPS)
def test_a_heartbeat_above_the_idle_timeout_is_cut(too_slow: Together, setup: Setup) -> None:
    """The seed's failure: the client did nothing wrong, and its connection is gone."""
    too_slow.verdict(setup)


@pytest.fixture(scope="module")
def idled(pool: ClientPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    """All setups at once over ten idle periods, with what the node derives from the idle timeout."""
    together = Together(SETUPS)
    folder = tmp_path_factory.mktemp("derived")
    with (
        ScaledNode(folder, IDLE_TIMEOUT_S, FACTOR) as node,
        RunningHAProxy(folder, [node.port], IDLE_TIMEOUT=f"{SCALED_S * 1000:.0f}ms") as balancer,
        connected(together, pool, node, balancer.url) as running,
    ):
        end = time.monotonic() + PERIODS * SCALED_S
        hidden = HiddenPage(balancer.port, node.plugin_key().key, end)

        def idle(setup: Setup) -> None:
            client, _ = running[setup]
            client.stays_without(["disconnect", "reconnect_attempt"], end)

        def receive(setup: Setup) -> None:
            client, key = running[setup]
            posted = node.publish(key.streamer, "after the silence")
            assert client.wait_messages(1)[0]["id"] == posted["id"]
            assert len([e for e in client.events("connect") if e.namespace == "/dropcodes"]) == 1

        together.each(idle)
        together.each(receive)
        hidden.verdict()
        assert cut(balancer) == []
        yield together


@each_setup(SETUPS)
def test_derived_defaults_outlast_ten_idle_periods(idled: Together, setup: Setup) -> None:
    """Nothing is cut, each client is on its first connection, and receives."""
    idled.verdict(setup)


class HiddenPage:
    """A client of revision 3 whose timers run once a minute, as those of a page that nobody sees.

    Its own pings come after more than an idle period. Its browser answers pings of the WebSocket.
    """

    PINGS_EVERY_S = (IDLE_TIMEOUT_S + 20) * FACTOR

    def __init__(self, port: int, key: str, until: float) -> None:
        self._error: BaseException | None = None
        self._until = until
        self._asked = 0
        self._websocket = wire.open_websocket(port, 3, f"&apiKey={key}")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def verdict(self) -> None:
        """Wait for its end. Raise what has ended it early."""
        self._thread.join()
        self._websocket.close()
        if self._error is not None:
            raise AssertionError("a late client of revision 3 was cut") from self._error
        assert self._asked >= PERIODS, f"it was asked {self._asked} times"

    def _run(self) -> None:
        try:
            self._live()
        except (OSError, AssertionError) as error:
            self._error = error

    def _live(self) -> None:
        pings_at = time.monotonic() + self.PINGS_EVERY_S
        while (now := time.monotonic()) < self._until:
            if now >= pings_at:
                self._websocket.say("2")
                pings_at += self.PINGS_EVERY_S
            self._websocket.socket.settimeout(max(0.001, min(pings_at, self._until) - now))
            try:
                opcode, payload = self._websocket.frame()
            except TimeoutError:
                continue
            assert opcode in (wire.PING, wire.TEXT), (opcode, payload)
            if opcode == wire.PING:
                self._asked += 1
                self._websocket.send_frame(wire.PONG, payload)


def test_the_hidden_page_is_later_than_the_balancer_waits() -> None:
    """Without being asked it would be cut; it would be so unscaled, too."""
    assert HiddenPage.PINGS_EVERY_S > SCALED_S
    assert derived(IDLE_TIMEOUT_S).engine.ping_interval_s < IDLE_TIMEOUT_S
