"""Limits of connections: of a key, of an address, of the node. Who is inside stays; one goes, another may come."""

import itertools
import time
from pathlib import Path

from ..protocol.wire import UPGRADE
from ..running_node import RunningNode
from .crowd import Crowd
from .siege import Siege, Watch, until
from .sockets import Attacker, Reply, address, addresses, dial, flood, knock, read_reply, reset
from .test_door import BURST, RATE, TOO_MANY, WEBSOCKET, let_in

FULL = Reply(503, "5", b'{"code":4,"message":"Service unavailable"}')
PER_ADDRESS, PER_KEY = 100, 20
PATIENCE_S = 60.0


def test_connections_of_a_key(siege: Siege, watch: Watch) -> None:
    """The one too many is answered 429 where the key is seen, and sent away where it comes later."""
    key = siege.node.plugin_key().key
    connect = f'/dropcodes,{{"apiKey":"{key}"}}'
    source = address()
    inside = [Attacker(siege.port, source, connect) for _ in range(PER_KEY)]
    shown = knock(WEBSOCKET, [*UPGRADE, ("Authorization", f"ApiKey {key}")])
    assert flood(siege.port, addresses(5), [shown] * 10) == {Reply(429, "5", TOO_MANY): 10}
    late = Attacker(siege.port, source)
    late.say("40" + connect)
    assert late.close_code() == 1001
    assert watch.counted("refusals_total", reason="key_full") == 11
    for attacker in inside:
        attacker.reset()
    watch.until(lambda page: page.value("connections") == len(siege.crowd))
    Attacker(siege.port, source, connect).reset()


def test_connections_of_an_address(siege: Siege, watch: Watch) -> None:
    """So many, as fast as they may come; then 429 until one of them is gone."""
    source = itertools.repeat(address())
    inside: list[Attacker] = []
    connect = "/notifications," + siege.gateway("many")
    while len(inside) < PER_ADDRESS:
        if len(inside) >= BURST - 5:
            time.sleep(1.15 / RATE)  # as fast as an address may, and a little less
        inside.append(Attacker(siege.port, next(source), connect))
    time.sleep(12 / RATE)  # so that it is not the rate
    refused = Reply(429, "5", TOO_MANY)
    assert flood(siege.port, source, [knock(WEBSOCKET, UPGRADE)] * 10) == {refused: 10}
    assert watch.counted("refusals_total", reason="address_full") == 10
    inside.pop().reset()
    watch.until(lambda page: page.value("connections") == len(siege.crowd) + PER_ADDRESS - 1)
    assert let_in(flood(siege.port, source, [knock(WEBSOCKET, UPGRADE)])) == 1
    for attacker in inside:
        attacker.reset()


def test_a_node_that_others_have_filled(tmp_path: Path) -> None:
    """503 to the rest of the flood; an honest client gets in within seconds, as who only waits gives way."""
    most = 60
    with (
        # A quarter of the time-out is how long who only waits is left in peace: longer than the flood takes.
        RunningNode(tmp_path, f"--max-connections={most}", "--connect-timeout=40") as node,
        Crowd(node, 10, 2) as crowd,
    ):
        sources = addresses(20)
        waiting, refused = [], 0
        for _ in range(200):
            connection = dial(node.port, next(sources))
            connection.sendall(knock(WEBSOCKET, UPGRADE))
            reply = read_reply(connection)
            if reply.status == 101:
                waiting.append(connection)
            else:
                assert reply == FULL
                refused += 1
                reset(connection)
        assert len(waiting) == most - len(crowd)
        connect = f'/dropcodes,{{"apiKey":"{node.plugin_key().key}"}}'
        begin = time.monotonic()
        while True:
            assert time.monotonic() - begin < PATIENCE_S
            try:
                newcomer = Attacker(node.port, "127.0.0.1", connect)
            except AssertionError:
                time.sleep(0.5)  # as a client that was told to come again
            else:
                break
        crowd.check()
        until(
            node,
            lambda page: (
                page.value("gave_way_total") == 1
                and page.value("refusals_total", reason="node_full") >= refused
            ),
        )
        newcomer.reset()
        for connection in waiting:
            reset(connection)
        until(node, lambda page: page.value("connections") == len(crowd))


def test_addresses_that_somebody_invents_where_no_proxy_is_trusted(tmp_path: Path) -> None:
    """X-Forwarded-For is not looked at: who has connected is who it is."""
    with (
        RunningNode(tmp_path, "--trusted-proxies=10.0.0.0/8") as node,
        Crowd(node, 5, 1) as crowd,
    ):
        requests = [
            knock(WEBSOCKET, [*UPGRADE, ("X-Forwarded-For", f"203.0.{n // 250}.{n % 250}")])
            for n in range(500)
        ]
        begin = time.monotonic()
        replies = flood(node.port, itertools.repeat(address()), requests)
        assert let_in(replies) + replies[Reply(429, "1", TOO_MANY)] == replies.total(), replies
        assert let_in(replies) <= BURST + RATE * (time.monotonic() - begin) + 1
        crowd.check()
