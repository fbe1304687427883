"""What makes streamers leave polling, seen by every stock client over every transport.

Scheduled messages come at their moment with the time that is left, are taken back, come again after a
lost connection when this device had not had them, and their receipts say what became of them.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest

from tests.running_node import PluginKey, Service
from tests.until import until

from .deployments import Deployment, everywhere
from .pool import ClientPool
from .setups import JS_3, JS_4, WEBSOCKET, Setup, each_setup, usual_key_options
from .stock_client import StockClient
from .together import Together, selected_setups

DEVICE = "living-room"
RECEIPT_TIMEOUT_S = 60.0
LIFE_MS = 60_000
SHORT_MS = 700
LEAVING_S = 2.0
"""python-socketio 5 on polling says no goodbye: it waits until its poll ends."""


class Plugin:
    """One stock client, its key, and what is known of its messages."""

    def __init__(self, node: Service, setup: Setup, client: StockClient) -> None:
        self.node = node
        self.setup = setup
        self.client = client
        self.key: PluginKey = node.plugin_key()

    def connect(self) -> None:
        """Connect as the same device; the list of events begins anew."""
        options = usual_key_options(self.setup, self.key.key)
        for place in options.values():
            place["device"] = DEVICE
        self.client.connect(
            self.node.url,
            transports=self.setup.transports,
            listen=("dropcode", "revoke"),
            **options,
        )
        self.client.wait_connected()

    def post(self, data: str, **fields: object) -> dict[str, Any]:
        """Post a message to this plugin's streamer."""
        return self.node.publish(self.key.streamer, data, **fields)

    def receives(self, data: str) -> dict[str, Any]:
        """Wait for the message with this data."""

        def found(client: StockClient) -> dict[str, Any] | None:
            return next((m for m in client.messages() if m["data"] == data), None)

        return self.client.wait_for(found, f"message {data!r}")

    def is_told(self, message_id: str, reason: str) -> None:
        """Wait for a revoke."""
        wanted = {"id": message_id, "reason": reason}
        self.client.wait_for(lambda c: wanted in c.messages("revoke"), f"revoke {wanted}")

    def leave(self) -> None:
        """Disconnect, and see to it that the node knows: some clients wait for their poll to end."""
        path = f"/v1/streamers/{self.key.streamer}"
        begin = time.monotonic()
        helped = False
        self.client.disconnect()
        while self.node.backend.call("GET", path)[1]["online"]:
            waited_s = time.monotonic() - begin
            assert waited_s < RECEIPT_TIMEOUT_S, "still online"
            if waited_s > LEAVING_S and not helped:
                helped = True
                self.node.backend.call("POST", f"{path}/disconnect")
            time.sleep(0.05)

    def receipt(self, message_id: str, state: str) -> None:
        """Wait until this device's receipt has come to ``state``."""

        def receipts() -> dict[str, str]:
            _, answer = self.node.backend.call("GET", f"/v1/messages/{message_id}")
            return {row["device"]: row["state"] for row in answer["devices"]}

        until(lambda: receipts().get(DEVICE) == state, said=receipts)


def scheduled(plugin: Plugin) -> None:
    """It is never early, and tells what is left when it is written."""
    posted = plugin.post("scheduled", delay_ms=400, ttl_ms=LIFE_MS)
    assert posted["state"] == "scheduled"
    message = plugin.receives("scheduled")
    assert message["id"] == posted["id"]
    assert _moment(message["sent_at"]) >= _moment(posted["deliver_at"])
    left_ms = (_moment(posted["expires_at"]) - _moment(message["sent_at"])).total_seconds() * 1000
    assert abs(message["ttl_ms"] - left_ms) <= 50
    plugin.receipt(posted["id"], "acked")


def ended(plugin: Plugin) -> None:
    """By its time, by the backend, or by a newer one."""
    short = _heard_before_its_end(plugin)
    old = plugin.post("old", ttl_ms=LIFE_MS, replace="current")
    cancelled = plugin.post("cancelled", ttl_ms=LIFE_MS)
    for data in ("old", "cancelled"):
        plugin.receives(data)
    plugin.post("new", ttl_ms=LIFE_MS, replace="current")
    plugin.node.backend.call("DELETE", f"/v1/messages/{cancelled['id']}")
    plugin.is_told(old["id"], "replaced")
    plugin.is_told(cancelled["id"], "cancelled")
    plugin.is_told(short["id"], "expired")


def _heard_before_its_end(plugin: Plugin) -> dict[str, Any]:
    """Post a message whose end is near, but not before the client has it: a slow machine needs longer."""
    ttl_ms = SHORT_MS
    while not _is_heard(plugin, posted := plugin.post(f"ends in {ttl_ms} ms", ttl_ms=ttl_ms)):
        ttl_ms *= 3
        assert ttl_ms < LIFE_MS, "nothing comes in time"
    return posted


def _is_heard(plugin: Plugin, posted: Mapping[str, Any]) -> bool:
    """Wait until the client has a message, or its end has come; return which it was."""

    def heard() -> bool:
        return posted["id"] in [message["id"] for message in plugin.client.messages()]

    def over() -> bool:
        _, answer = plugin.node.backend.call("GET", f"/v1/messages/{posted['id']}")
        return bool(answer["state"] == "expired")

    until(lambda: heard() or over())
    return heard()


def replayed(plugin: Plugin) -> None:
    """What came while the device was away comes, oldest first; what it had does not come again."""
    had = plugin.post("had", ttl_ms=LIFE_MS)
    gone = plugin.post("gone", ttl_ms=LIFE_MS)
    plugin.receives("gone")
    for each in (had, gone):
        plugin.receipt(each["id"], "acked")
    plugin.leave()
    posted = [plugin.post(data, ttl_ms=LIFE_MS) for data in ("missed 1", "missed 2")]
    short = plugin.post("over", ttl_ms=1)
    plugin.node.backend.call("DELETE", f"/v1/messages/{gone['id']}")
    plugin.connect()
    newest = plugin.post("newest", ttl_ms=LIFE_MS)
    plugin.receives("newest")
    plugin.is_told(gone["id"], "cancelled")
    messages = plugin.client.in_order()
    assert [m["id"] for m in messages] == [each["id"] for each in (*posted, newest)]
    assert short["id"] not in [m["id"] for m in messages]
    assert messages[0]["ttl_ms"] < LIFE_MS


STEPS: dict[str, Callable[[Plugin], None]] = {
    "scheduled": scheduled,
    "ended": ended,
    "replayed": replayed,
}


@pytest.fixture(scope="module", params=STEPS)
def on_time(
    request: pytest.FixtureRequest,
    pool: ClientPool,
    deployment: Deployment,
    default_node: Service,
) -> Iterator[Together]:
    """All setups at once, each with a streamer of its own."""
    together = Together(selected_setups(request, deployment))
    logged = default_node.logged()
    with ExitStack() as borrowed:

        def run(setup: Setup) -> None:
            client = borrowed.enter_context(pool.lend(setup.client))
            plugin = Plugin(default_node, setup, client)
            plugin.connect()
            STEPS[request.param](plugin)

        together.each(run)
        yield together
    default_node.check_log(since=logged)


@everywhere
@each_setup()
def test_on_time(on_time: Together, setup: Setup) -> None:
    """See the steps."""
    on_time.verdict(setup)


@everywhere
def test_the_first_of_two_devices_has_it(default_node: Service, pool: ClientPool) -> None:
    """``once``: every other device that got it is told that it is taken.

    Neither acknowledges before both have it: whoever is late gets nothing at all of what is taken.
    """
    key = default_node.plugin_key()
    with pool.lend(JS_4) as first, pool.lend(JS_3) as second:
        for client, device in ((first, "one"), (second, "two")):
            client.connect(
                default_node.url,
                transports=WEBSOCKET,
                listen=("dropcode", "revoke"),
                holds_acks=True,
                auth={"apiKey": key.key, "device": device},
            )
            client.wait_connected()
        posted = default_node.publish(key.streamer, "prize", ttl_ms=LIFE_MS, once=True)
        first.wait_messages(1)
        second.wait_messages(1)
        first.acknowledge()
        second.wait_event("revoke")
        second.acknowledge()
        assert second.messages("revoke") == [{"id": posted["id"], "reason": "taken"}]
        _, answer = default_node.backend.call("GET", f"/v1/messages/{posted['id']}")
        assert answer["state"] == "done"
        assert answer["receipts"]["acked"] == 1
        assert first.messages("revoke") == []


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
