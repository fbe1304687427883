"""What honest clients notice of attacks: how long messages take to reach them, and the node's memory.

Attackers are a process of their own, on other addresses of loopback than the honest clients. The node has its
default limits. Nothing is asserted here; ``tests/abuse`` does.
"""

import itertools
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.abuse.crowd import Crowd
from tests.abuse.siege import Siege, Watch
from tests.abuse.sockets import (
    Attacker,
    address,
    addresses,
    dial,
    flood,
    knock,
    many_files,
    reset,
)
from tests.protocol.wire import BINARY, TEXT, UPGRADE, frame, request_bytes
from tests.running_node import RunningNode

from .figures import percentile, show

QUICK = "--quick" in sys.argv
SECONDS = 4.0 if QUICK else 15.0
WEBSOCKETS, POLLERS = (20, 4) if QUICK else (92, 8)
SLEEPERS = 20 if QUICK else 200
SLOW = 100 if QUICK else 1_000
WEBSOCKET = "/websockets/?EIO=4&transport=websocket"

Attack = Callable[[int, str], None]
"""Goes on until it is ended. Takes the node's port, and a CONNECT that is good for any number of sessions."""


def over_and_over(port: int, requests: Sequence[bytes], sources: int = 1) -> None:
    """Send these requests, each on a connection of its own, as fast as they are answered."""
    comers = addresses(sources)
    while True:
        flood(port, comers, requests)


def handshakes(port: int, _: str) -> None:
    """Ask for sessions from one address."""
    over_and_over(port, [knock(WEBSOCKET, UPGRADE)] * 50)


def handshakes_of_many(port: int, _: str) -> None:
    """Ask for sessions from 250 addresses."""
    over_and_over(port, [knock(WEBSOCKET, UPGRADE)] * 50, 250)


def guesses(port: int, _: str) -> None:
    """Try keys at the API."""
    header = [("Authorization", "ApiKey rpk_aaaaaaaaaaaa_wrong")]
    over_and_over(port, [request_bytes("GET", "/v1/nodes", header)] * 50, 250)


def sids(port: int, _: str) -> None:
    """Try sids."""
    target = "/websockets/?EIO=4&transport=polling&sid=" + "x" * 28
    over_and_over(port, [request_bytes("GET", target)] * 50)


def bombs(port: int, _: str) -> None:
    """Post a megabyte of brackets to the API, without a key."""
    over_and_over(port, [request_bytes("POST", "/v1/messages", (), b"[" * 1_000_000)] * 4)


def packets(port: int, connect: str, data: bytes = frame(TEXT, b"6")) -> None:
    """Send packets in 40 sessions, and come back when sent away."""
    sources = addresses(4)
    while True:
        attackers = []
        for _ in range(40):
            with suppress(AssertionError):  # turned away at the door
                attackers.append(Attacker(port, next(sources), "/notifications," + connect))
        for attacker in attackers:
            attacker.socket.setblocking(False)
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            for attacker in attackers:
                with suppress(OSError):
                    attacker.socket.send(data * 1_000)
        for attacker in attackers:
            attacker.reset()


def namespaces(port: int, connect: str) -> None:
    """Ask for namespaces that there are not."""
    packets(port, connect, frame(TEXT, b"40/none,"))


def oversized(port: int, _: str) -> None:
    """Send frames that are too large, from 250 addresses."""
    sources = addresses(250)
    while True:
        with suppress(AssertionError, OSError):
            attacker = Attacker(port, next(sources))
            attacker.send(frame(BINARY, bytes(100_000)))
            attacker.reset()


def slow(port: int, _: str) -> None:
    """Keep heads unfinished, a byte a second each."""
    source = itertools.repeat(address())
    while True:
        connections = [dial(port, next(source)) for _ in range(SLOW)]
        for _ in range(8):
            for connection in connections:
                with suppress(OSError):
                    connection.send(b"G")
            time.sleep(1.0)
        for connection in connections:
            reset(connection)


def asleep(port: int, connect: str) -> None:
    """Join, and read nothing."""
    sources = addresses(SLEEPERS // 30 + 1)
    sleepers = [
        Attacker(port, next(sources), "/dropcodes," + connect, receive_buffer=4096)
        for _ in range(SLEEPERS)
    ]
    while sleepers:
        time.sleep(1.0)


ATTACKS: Sequence[tuple[str, Attack | None]] = (
    ("nobody attacks", None),
    ("handshakes, 1 address", handshakes),
    ("handshakes, 250 addresses", handshakes_of_many),
    ("wrong keys", guesses),
    ("sids", sids),
    ("bombs of JSON, no key", bombs),
    ("packets", packets),
    ("unknown namespaces", namespaces),
    ("oversized frames", oversized),
    (f"slow heads, {SLOW:,}", slow),
    (f"never reading, {SLEEPERS}, large broadcast", asleep),
)


def under(siege: Siege, attack: Attack | None) -> str:
    """Let an attack go on for a while; return what the honest clients noticed."""
    watch = Watch(siege.node)
    process = None
    if attack is not None:
        spawned = multiprocessing.get_context("spawn")
        process = spawned.Process(target=attack, args=(siege.port, siege.gateway("bench")))
        process.start()
    siege.crowd.take_latencies()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if attack is asleep:
            siege.crowd.publish("x" * 16_000)
        time.sleep(0.05)
    siege.crowd.check()
    latencies = siege.crowd.take_latencies()
    if process is not None:
        process.kill()
        process.join()
    watch.end()
    return (
        f"p50 {percentile(latencies, 0.5):.1f} / p99 {percentile(latencies, 0.99):.1f} / max"
        f" {max(latencies):.1f} ms; {watch.before_mib:.0f} / {watch.most_mib:.0f} MiB"
    )


def main() -> None:
    """Run all attacks, one after the other, against one node."""
    many_files()
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningNode(Path(folder), "--connect-timeout=10") as node,
        Crowd(node, WEBSOCKETS, POLLERS) as crowd,
    ):
        siege = Siege(node, crowd)
        figures = {}
        for name, attack in ATTACKS:
            figures[name] = under(siege, attack)
            siege.quiet()
    show(
        f"Delivery to {WEBSOCKETS + POLLERS} honest clients under attack; memory before / at most",
        figures,
    )


if __name__ == "__main__":
    main()
