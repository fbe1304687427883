"""Floods by those who were let in: each is slowed down, then sent away; nobody else notices."""

import itertools
import time
from collections import Counter
from contextlib import suppress

from ..protocol.wire import PING, TEXT, UPGRADE, frame
from .siege import Siege, Watch
from .size import LONG, pick
from .sockets import (
    Attacker,
    Reply,
    address,
    addresses,
    flood,
    open_polling,
    request_bytes,
    session_request,
    wait_ends,
)

UNKNOWN = b'{"code":1,"message":"Session ID unknown"}'
KEY_FORBIDDEN = b'{"code":4,"message":"Forbidden"}'
COME_AGAIN = b"\x88\x02\x03\xe9"
"""A close frame with 1001, which brings a stock client back."""
EVENT = '42/notifications,["nothing"]'
HEADER = '451-/notifications,["x",{"_placeholder":true,"num":0}]'
LENGTH = 2_000
"""Frames of one attacker."""
PATIENCE_S = 60.0
LARGE = 300
"""Messages of 16 kB: more than the queue of a client and the buffers of its connection take."""
SLOW_S = 10 if LONG else 3
PONG_EVERY_S = 5.0
ROUNDS = pick(2, 3)


def text(packet: str) -> bytes:
    return frame(TEXT, packet.encode())


def close_code(received: bytes) -> int:
    """Return the code of a close frame, which must be all that came."""
    assert received[:1] == b"\x88", received
    assert len(received) == 2 + received[1], received
    return int.from_bytes(received[2:4], "big")


FLOODS = {
    "events": text(EVENT) * LENGTH,
    "unknown namespaces": b"".join(text(f"40/n-{n},") for n in range(LENGTH)),
    "attachments": (text(HEADER) + frame(2, bytes(1000))) * 100,
    "pings of the WebSocket": frame(PING, b"x" * 125) * LENGTH,
    "empty packets": text("6") * LENGTH,
}


def test_floods_of_packets_over_websocket_and_polling(siege: Siege, watch: Watch) -> None:
    """All kinds at the same time: 1001 over WebSocket, over polling the session is unknown."""
    each = pick(4, 25)
    sources = addresses(each)
    attackers = []
    for data in FLOODS.values():
        for _ in range(each):
            gateway = siege.gateway(f"flood-{len(attackers)}")
            attacker = Attacker(siege.port, next(sources), f"/notifications,{gateway}")
            attacker.socket.setblocking(False)
            attackers.append((attacker, data))
    sids = [open_polling(siege.port, next(sources)) for _ in range(each)]
    joins = [
        session_request("POST", sid, (), b"40/notifications," + siege.gateway("polling").encode())
        for sid in sids
    ]
    assert flood(siege.port, sources, joins) == {Reply(200, None, b"ok"): each}
    for attacker, data in attackers:
        # What does not go into the buffers at once is left out: it is more than enough.
        attacker.socket.send(data)
    posts = [
        session_request("POST", sid, body="\x1e".join(["6"] * LENGTH).encode()) for sid in sids
    ]
    assert flood(siege.port, sources, posts) == {Reply(400, None, UNKNOWN): each}
    ends = wait_ends([attacker.socket for attacker, _ in attackers], PATIENCE_S)
    assert all(end.endswith(COME_AGAIN) for end in ends), Counter(end[-4:] for end in ends)
    assert watch.counted("sessions_evicted_total", reason="rate limit") == each * (1 + len(FLOODS))
    assert watch.counted("pauses_total") >= each * (1 + len(FLOODS))
    assert watch.counted("join_refusals_total", reason="invalid_namespace") >= each * 50
    back = Attacker(siege.port, next(sources), f"/notifications,{siege.gateway('again')}")
    back.reset()


def test_attachment_bombs(siege: Siege, watch: Watch) -> None:
    """Many that wait for ever cost nothing; too many, too large or out of turn end the session."""
    count = pick(100, 1_000)
    sources = addresses(count // 40 + 1)
    connect = "/notifications," + siege.gateway("bombs")
    waiting = [Attacker(siege.port, next(sources), connect) for _ in range(count)]
    for attacker in waiting:
        attacker.say(HEADER)
    bombs = itertools.cycle(
        [
            (text(HEADER), 1000),
            (text('4511-/notifications,["x"]'), 1000),
            (frame(2, bytes(2000)), 1009),
        ]
    )
    expected = []
    for attacker in waiting:
        data, end = next(bombs)
        attacker.send(data)
        expected.append(end)
    ends = wait_ends([attacker.socket for attacker in waiting], PATIENCE_S)
    assert [close_code(end) for end in ends] == expected


def test_guessing_sids(siege: Siege, watch: Watch) -> None:
    """Every guess is answered the same; a sid that somebody has got hold of is of no use with another key."""
    count = pick(900, 15_000)
    victim = open_polling(siege.port, address())
    kinds = itertools.cycle(["GET", "POST", "websocket"])
    guesses = []
    for number in range(count):
        sid = f"{victim[:20]}{number:08d}"
        kind = next(kinds)
        if kind == "websocket":
            target = f"/websockets/?EIO=4&transport=websocket&sid={sid}"
            guesses.append(request_bytes("GET", target, UPGRADE))
        else:
            guesses.append(session_request(kind, sid, body=b"1" if kind == "POST" else None))
    source = address()
    replies = flood(siege.port, itertools.repeat(source), guesses)
    assert replies == {Reply(400, None, UNKNOWN): count}
    assert watch.counted("refusals_total", reason="session_unknown") == count
    leave = [session_request("POST", victim, body=b"1")]
    assert flood(siege.port, itertools.repeat(source), leave) == {Reply(200, None, b"ok"): 1}


def test_using_the_sids_of_others(siege: Siege, watch: Watch) -> None:
    """With another key: 403, however often, and the session is untouched."""
    count = pick(300, 5_000)
    own, other = siege.node.plugin_key().key, siege.node.plugin_key().key
    own_header, other_header = ([("Authorization", f"ApiKey {key}")] for key in (own, other))
    source = itertools.repeat(address())
    opening = request_bytes("GET", "/websockets/?EIO=4&transport=polling", own_header)
    sid = siege.opened_sid(opening)
    theft = [
        session_request(*each)
        for each in (("GET", sid, other_header), ("POST", sid, other_header, b"1"))
    ] * (count // 2)
    assert flood(siege.port, source, theft) == {Reply(403, None, KEY_FORBIDDEN): count}
    assert watch.counted("refusals_total", reason="forbidden") == count
    joins = [session_request("POST", sid, own_header, b"40/dropcodes,")]
    assert flood(siege.port, source, joins) == {Reply(200, None, b"ok"): 1}
    [(poll, _)] = flood(siege.port, source, [session_request("GET", sid, own_header)]).items()
    assert poll.body.startswith(b'40/dropcodes,{"sid"')
    flood(siege.port, source, [session_request("POST", sid, own_header, b"1")])


def test_clients_that_never_read_while_everybody_is_sent_something(
    siege: Siege, watch: Watch
) -> None:
    """They are sent away once too much waits for them and nothing has moved; the others get everything."""
    for number in range(ROUNDS):
        _sleep_through_a_broadcast(siege, watch, f"asleep-{number}")


def _sleep_through_a_broadcast(siege: Siege, watch: Watch, name: str) -> None:
    count = pick(20, 200)
    sources = addresses(count // 40 + 1)
    asleep = [
        Attacker(
            siege.port, next(sources), f"/dropcodes,{siege.gateway(name)}", receive_buffer=4096
        )
        for _ in range(count)
    ]
    before = watch.counted("sessions_evicted_total", reason="slow client")
    # First enough for buffers and queues, then what keeps coming.
    answered_at = time.monotonic()
    for _ in range(LARGE):
        siege.crowd.publish("x" * 16_000)
        if time.monotonic() - answered_at > PONG_EVERY_S:
            # It is slow that they are, not dead, however long this takes.
            answered_at = time.monotonic()
            for attacker in asleep:
                with suppress(OSError):
                    attacker.say("3")
    deadline = time.monotonic() + PATIENCE_S + SLOW_S
    while watch.counted("sessions_evicted_total", reason="slow client") - before < count:
        assert time.monotonic() < deadline
        siege.crowd.publish("x" * 10)
    watch.until(lambda page: page.value("queue_bytes") < 100_000)
    for attacker in asleep:
        attacker.reset()
