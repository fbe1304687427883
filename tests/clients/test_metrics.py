"""What ``/metrics`` says of stock clients, before, while and after they are there."""

from pathlib import Path

from tests.running_node import ONE_ADDRESS, RunningNode
from tests.scrape import scrape, scrape_until

from .conftest import Lend
from .setups import JS_2, JS_4, POLLING, PYTHON_5, UPGRADE, WEBSOCKET, Setup, usual_key_options

SETUPS = (Setup(JS_2, WEBSOCKET), Setup(JS_4, UPGRADE), Setup(PYTHON_5, POLLING))
DEVICE = "kitchen-display"


def test_clients_and_their_messages_are_counted_and_nobody_is_named(
    lend: Lend, tmp_path: Path
) -> None:
    with RunningNode(tmp_path, *ONE_ADDRESS) as node:
        before = scrape(node.url, node.backend_key)
        assert before.value("connections") == before.value("deliveries_total") == 0
        key = node.plugin_key()
        clients = [lend(setup.client) for setup in SETUPS]
        for number, (setup, client) in enumerate(zip(SETUPS, clients, strict=True)):
            options = usual_key_options(setup, key.key)
            for place in options.values():
                place["device"] = f"{DEVICE}-{number}"
            client.connect(
                node.url, transports=setup.transports, listen=("dropcode", "revoke"), **options
            )
            client.wait_connected()
        sent = node.publish(key.streamer, "secret-code", delay_ms=50, ttl_ms=60_000)
        for client in clients:
            client.wait_messages(1)
        node.backend.call("DELETE", f"/v1/messages/{sent['id']}")
        for client in clients:
            client.wait_event("revoke")
        page = scrape_until(
            node,
            lambda page: (
                page.value("deliveries_total", level="acked") == 3
                and page.value("upgrades_total", outcome="completed") == 1
                and page.value("receipts_waiting") == 0
                and page.value("queue_bytes") == 0
            ),
        )

        def connections(transport: str, revision: str) -> float:
            return page.value("connections", transport=transport, revision=revision)

        assert connections("websocket", "3") == connections("websocket", "4") == 1
        assert connections("polling", "4") == page.value("connections") - 2 == 1
        assert page.value("handshakes_total", transport="polling", revision="4") == 2
        assert page.value("handshakes_total", transport="websocket", revision="3") == 1
        assert page.value("sockets", namespace="/dropcodes") == 3
        assert page.value("joins_total", namespace="/dropcodes") == 3
        assert page.value("messages_total", outcome="scheduled") == 1
        assert page.value("lateness_seconds_count") == 1
        assert page.value("lateness_seconds_bucket", le="5.0") == 1
        assert page.value("deliveries_total", level="sent") == 3
        assert page.value("deliveries_total", level="delivered") == 3
        assert page.value("revokes_total", reason="cancelled") == 3
        assert page.value("receipts_committed_total") >= 3
        assert page.value("publish_seconds_count", call="message") == 1
        assert page.value("store_seconds_count", operation="accept") == 1
        assert page.value("store_failures_total") == 0
        assert page.value("half_open") == page.value("queue_bytes") == 0
        assert page.value("health", status="ok") == 1

        clients[0].disconnect()
        clients[1].connect(node.url, transports=WEBSOCKET, auth={"apiKey": "rpk_wrong"})
        clients[1].wait_event("connect_error")
        after = scrape_until(
            node,
            lambda page: page.value("sessions_closed_total", reason="transport close") >= 2,
        )
        assert (
            after.value("join_refusals_total", namespace="/dropcodes", reason="unauthorized") == 1
        )
        assert after.value("wrong_keys_total") == 1
        assert after.value("sessions_closed_total") >= 2
        told = (key.key, node.backend_key, key.streamer, DEVICE, str(sent["id"]), "secret-code")
        for each_page in (before, page, after):
            assert [each for each in told if each in each_page.text] == []
        assert len(after.samples) - len(before.samples) < 20
