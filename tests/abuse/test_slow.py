"""Slow requests, many at the same time: each is cut when its time is over, however it trickles."""

import socket
import time
from collections import Counter
from contextlib import suppress

from ..protocol.wire import UPGRADE, request_bytes
from .siege import Siege, Watch
from .size import pick
from .sockets import addresses, dial, open_polling, session_request, wait_ends

TRICKLES = 8
"""Bytes that each sends, one every quarter of a second."""
PATIENCE_S = 60.0


def test_slow_heads_bodies_and_websocket_handshakes(siege: Siege, watch: Watch) -> None:
    """408, or not a word for who has not said one."""
    count = pick(100, 1_000)
    sources = addresses(count // 40 + 1)
    sids = [open_polling(siege.port, next(sources)) for _ in range(count)]
    beginnings = {
        "head": [b"GET / HTTP/1.1\r\nX: "] * count,
        "handshake": [request_bytes("GET", "/websockets/?EIO=4&transport=websocket", UPGRADE)[:-4]]
        * count,
        "body": [session_request("POST", sid, (), b"6" * 900)[:-900] for sid in sids],
        "nothing": [b""] * count,
    }
    connections: dict[str, list[socket.socket]] = {}
    for kind, starts in beginnings.items():
        connections[kind] = [dial(siege.port, next(sources)) for _ in starts]
        for connection, start in zip(connections[kind], starts, strict=True):
            connection.sendall(start)
    for _ in range(TRICKLES):
        for kind in ("head", "handshake", "body"):
            for connection in connections[kind]:
                with suppress(ConnectionError):
                    connection.send(b"6")
        time.sleep(0.25)  # what a slow client is
    ends = wait_ends([each for kind in connections.values() for each in kind], PATIENCE_S)
    answered = Counter(end.partition(b"\r\n")[0].rpartition(b" ")[0] for end in ends)
    assert sum(end.startswith(b"HTTP/1.1 408 ") for end in ends) == 3 * count, answered
    assert ends.count(b"") == count
    assert watch.counted("http_refusals_total", status="408") == 3 * count
    assert watch.counted("sessions_closed_total") == count
