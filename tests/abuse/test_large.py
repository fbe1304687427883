"""Oversized everything, and texts that are small on the wire and large in memory."""

import itertools
from collections import Counter

from ..protocol.wire import BINARY, TEXT, frame, request_bytes
from .siege import Siege, Watch
from .size import pick
from .sockets import (
    Attacker,
    addresses,
    flood,
    open_polling,
    session_request,
    wait_ends,
)

PATIENCE_S = 60.0
MESSAGES = "/v1/messages"
FRAMES = [
    frame(TEXT, b"4" + b"x" * 1_100),
    frame(BINARY, bytes(100_000)),
    b"\x81\xff" + (2**40).to_bytes(8, "big") + b"mask",
    frame(TEXT, b"4", fin=False) + frame(0, b"x" * 100, fin=False) * 20,
]


def test_oversized_frames(siege: Siege, watch: Watch) -> None:
    """1009, by the head alone or where a sum of fragments passes the limit."""
    count = pick(100, 1_000)
    sources = addresses(count // 40 + 1)
    attackers = [Attacker(siege.port, next(sources)) for _ in range(count)]
    for attacker, data in zip(attackers, itertools.cycle(FRAMES), strict=False):
        attacker.send(data)
    ends = wait_ends([attacker.socket for attacker in attackers], PATIENCE_S)
    assert Counter((end[0], int.from_bytes(end[2:4], "big")) for end in ends) == {
        (0x88, 1009): count
    }
    assert watch.counted("sessions_closed_total") == count


def test_oversized_requests(siege: Siege, watch: Watch) -> None:
    """413, 414 and 431, before what is too large is kept; it ends the session it was for."""
    count = pick(25, 250)
    sources = addresses(count)
    sids = [open_polling(siege.port, next(sources)) for _ in range(2 * count)]
    declared = ("Content-Length", "10000000000")
    for status, requests in {
        413: [
            *(session_request("POST", sid, (), b"6\x1e" * 35_000) for sid in sids[:count]),
            *(session_request("POST", sid, [declared]) for sid in sids[count:]),
            *[request_bytes("POST", MESSAGES, [declared])] * count,
        ],
        414: [b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n"] * count,
        431: [b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"] * count,
    }.items():
        replies = flood(siege.port, sources, requests)
        statuses = {reply.status for reply in replies}
        assert statuses == {status}, replies
    assert watch.counted("sessions_closed_total") == 2 * count


BOMBS = [
    b"[" * 1_000_000,
    b'{"a":' * 200_000,
    b'{"data":' + b"9" * 1_000_000 + b"}",
    b"[" + b"{}," * 300_000 + b"{}]",
]


def test_bombs_of_json_at_the_api(siege: Siege, watch: Watch) -> None:
    """400, or 413 for too many values, whatever they would have become; without a key nobody reads them."""
    count = pick(10, 100)
    header = [("Authorization", f"ApiKey {siege.node.backend_key}")]
    sources = addresses(10)
    requests = [request_bytes("POST", MESSAGES, header, bomb) for bomb in BOMBS]
    wanted = {400: b'"invalid_request"', 413: b'"too_large"'}
    for _ in range(count):
        for reply in flood(siege.port, sources, requests):
            assert wanted[reply.status] in reply.body
    answered = [watch.counted("api_requests_total", status=str(status)) for status in wanted]
    assert sum(answered) == len(BOMBS) * count
    requests = [request_bytes("POST", MESSAGES, (), bomb) for bomb in BOMBS] * count
    replies = flood(siege.port, sources, requests, at_once=4)
    assert {reply.status for reply in replies} == {401}, replies


def test_compression_is_not_to_be_had(siege: Siege, watch: Watch) -> None:
    """The extension is not accepted, so no small frame can be a large message; who sends one is cut: 1002."""
    count = pick(50, 500)
    sources = addresses(count // 40 + 1)
    offered = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")]
    attackers = []
    for _ in range(count):
        attacker = Attacker(siege.port, next(sources), headers=offered)
        assert "sec-websocket-extensions" not in attacker.answer_to_upgrade.headers
        attackers.append(attacker)
    for attacker in attackers:
        attacker.send_frame(TEXT, b"\x4a\x4c\x1c\x05\xa3\x60\x14\x8c\x82\xa1\x0c\x00", rsv=4)
    ends = wait_ends([attacker.socket for attacker in attackers], PATIENCE_S)
    assert {(end[0], int.from_bytes(end[2:4], "big")) for end in ends} == {(0x88, 1002)}
