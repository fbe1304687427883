"""Floods of handshakes and of wrong keys: turned away before anything is allocated, and the others are served."""

import itertools
import time
from collections import Counter

import pytest

from ..protocol.wire import UPGRADE, request_bytes
from .siege import Siege, Watch
from .size import LONG, pick
from .sockets import Reply, address, addresses, dial, flood, knock, wait_ends

POLLING = "/websockets/?EIO=4&transport=polling"
WEBSOCKET = "/websockets/?EIO=4&transport=websocket"
TOO_MANY = b'{"code":4,"message":"Too many requests"}'
AWAY = b"\x88\x02\x03\xe8"
"""The close frame of a session that has joined nothing in time."""
PING_TIMEOUT = b"\x88\x02\x03\xe9"
RATE, BURST = 20, 40
BAN_S = 60 if LONG else 5
PATIENCE_S = 60.0


def handshakes(count: int) -> list[bytes]:
    """Return requests for sessions over both transports, in turn."""
    kinds = itertools.cycle([knock(POLLING), knock(WEBSOCKET, UPGRADE)])
    return [next(kinds) for _ in range(count)]


def let_in(replies: "Counter[Reply]") -> int:
    """Return how many sessions were opened."""
    return sum(count for reply, count in replies.items() if reply.status in (101, 200))


def wait_let_in(siege: Siege, source: str) -> None:
    """Knock until somebody from ``source`` is let in again."""
    deadline = time.monotonic() + PATIENCE_S + BAN_S
    while not let_in(flood(siege.port, itertools.repeat(source), [knock(WEBSOCKET, UPGRADE)])):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_flood_of_handshakes_from_one_address(siege: Siege, watch: Watch) -> None:
    """So many a second are let in; the rest are answered 429, on both transports."""
    source = address()
    begin = time.monotonic()
    replies = flood(siege.port, itertools.repeat(source), handshakes(pick(1_000, 10_000)))
    seconds = time.monotonic() - begin
    refused = Reply(429, "1", TOO_MANY)
    inside = let_in(replies)
    assert inside + replies[refused] == replies.total(), replies
    assert BURST <= inside <= BURST + RATE * seconds + 1
    assert watch.counted("handshakes_total") == inside
    assert watch.counted("refusals_total", reason="address_rate") == replies[refused]
    wait_let_in(siege, source)


def test_a_flood_of_handshakes_from_many_addresses(siege: Siege, watch: Watch) -> None:
    """None of them does wrong by itself: they are let in, cost little, and are closed at the connect time-out."""
    count = pick(1_000, 8_000)
    sources = addresses(count // BURST + 1)
    sockets = []
    for _ in range(count):
        sockets.append(dial(siege.port, next(sources)))
        sockets[-1].sendall(knock(WEBSOCKET, UPGRADE))
    ends = wait_ends(sockets, 90)
    seen = Counter((end[:12], end[-4:]) for end in ends)
    # In the long form the time for a first pong ends at the same moment, 45 s, and may be first.
    ends_seen = [AWAY, PING_TIMEOUT] if LONG else [AWAY]
    assert set(seen) <= {(b"HTTP/1.1 101", end) for end in ends_seen}, seen
    assert watch.counted("handshakes_total", transport="websocket") == count
    assert watch.counted("sessions_closed_total") == count


@pytest.mark.skipif(not LONG, reason="takes 75 s: a session over polling is kept for a last poll")
def test_sessions_that_are_opened_over_polling_and_forgotten(siege: Siege, watch: Watch) -> None:
    """The same over polling, where the connection says nothing about the session."""
    count = 10_000
    sources = addresses(count // BURST + 1)
    replies = flood(siege.port, sources, [knock(POLLING)] * count, leave=False)
    assert replies == {Reply(200, None): count}
    watch.until(lambda page: not page.value("half_open"), 120)
    assert watch.counted("sessions_closed_total") == count


def guesses(count: int) -> list[bytes]:
    """Return calls of the API, each with another wrong key."""
    return [
        request_bytes("GET", "/v1/nodes", [("Authorization", f"ApiKey rpk_aaaaaaaaaaaa_{n}")])
        for n in range(count)
    ]


def wait_banned(siege: Siege, source: str) -> None:
    """Guess until ``source`` is not even let in: a ban may end, and begin again, while somebody guesses slowly."""
    deadline = time.monotonic() + PATIENCE_S
    knocks = [knock(POLLING), knock(WEBSOCKET, UPGRADE)]
    refused = {(429, TOO_MANY)}
    while True:
        replies = flood(siege.port, itertools.repeat(source), [*guesses(50), *knocks])
        if {
            (each.status, each.body) for each in replies if b"rate_limited" not in each.body
        } == refused:
            return
        assert time.monotonic() < deadline, replies


def test_guessing_keys_at_the_api(siege: Siege, watch: Watch) -> None:
    """401 to the first, then 429 to all, right ones too; later the address is as good as any other."""
    source = address()
    replies = flood(siege.port, itertools.repeat(source), guesses(pick(500, 5_000)))
    by_status = Counter[int]()
    for reply, times in replies.items():
        by_status[reply.status] += times
        if reply.status == 429:
            assert 1 <= int(reply.retry_after or 0) <= BAN_S
            assert b'"rate_limited"' in reply.body
        else:
            assert b'"unauthorized"' in reply.body
    assert set(by_status) == {401, 429}
    assert by_status[401] >= 30
    assert watch.counted("wrong_keys_total") == by_status[401]
    assert watch.counted("bans_total") >= 1
    assert watch.counted("refusals_total", reason="banned") == by_status[429]
    wait_banned(siege, source)
    wait_let_in(siege, source)


def test_addresses_that_somebody_invents(siege: Siege, watch: Watch) -> None:
    """What stands left of the proxy's own entry in X-Forwarded-For makes nobody another."""
    real = "203.0.113.77"
    requests = [
        knock(WEBSOCKET, [*UPGRADE, ("X-Forwarded-For", f"198.51.{n // 250}.{n % 250}, {real}")])
        for n in range(pick(500, 5_000))
    ]
    begin = time.monotonic()
    replies = flood(siege.port, addresses(10), requests)
    inside = let_in(replies)
    assert inside + replies[Reply(429, "1", TOO_MANY)] == replies.total(), replies
    assert inside <= BURST + RATE * (time.monotonic() - begin) + 1
