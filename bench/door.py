"""What the door costs: the CPU of one handshake's checks, and of whole handshakes, let in and turned away."""

import gc
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from twisted.internet.address import IPv4Address
from twisted.web.http_headers import Headers

from reward_push.access.addresses import Proxies
from reward_push.access.guard import Guard
from reward_push.access.limits import GuardLimits
from reward_push.engineio.meter import Meter
from reward_push.engineio.opening import Opening
from reward_push.rate import Rate
from tests.running_node import RunningNode

from .figures import show

QUICK = "--quick" in sys.argv
ROUNDS = 20_000 if QUICK else 200_000
REQUESTS = 5_000 if QUICK else 30_000
TICKS = os.sysconf("SC_CLK_TCK")
DEFAULTS = GuardLimits(
    connections=100_000,
    connections_per_address=100,
    connections_per_key=20,
    connect_rate_per_address=Rate(20, 40),
    auth_failures_per_address=Rate(10, 30),
    ban_s=60.0,
)
ADDRESSES = [f"198.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(100_000)]


class Request:
    """The part of a request that tells whose it is."""

    def __init__(self, peer: str, forwarded: str | None = None) -> None:
        self._peer = IPv4Address("TCP", peer, 1)
        self.requestHeaders = Headers({"X-Forwarded-For": [forwarded]} if forwarded else {})

    def getClientAddress(self) -> IPv4Address:
        """See ``IRequest``."""
        return self._peer


class Guest:
    """A session, as far as the door knows it."""

    __slots__ = ("handshake",)

    def __init__(self, address: str) -> None:
        self.handshake = Opening(address=address)


def microseconds(work: Callable[[int], object], rounds: int = ROUNDS) -> float:
    """Return the best of three: CPU of one call."""
    best = float("inf")
    for _ in range(3):
        gc.collect()
        begin = time.process_time()
        for number in range(rounds):
            work(number)
        best = min(best, time.process_time() - begin)
    return best / rounds * 1e6


def parts() -> None:
    """Measure the checks by themselves."""
    near = Proxies(["loopback", "10.0.0.0/8"])
    guard = Guard(DEFAULTS, near, time.monotonic, send_away=lambda _: None)
    direct, proxied = Request("198.51.100.1"), Request("10.0.0.7", "203.0.113.9")
    v6 = Request("10.0.0.7", "2001:db8::1")
    many = len(ADDRESSES)

    def whole(number: int) -> None:
        address = ADDRESSES[number % many]
        if guard.knock(address, lambda: None) is None:
            guest = Guest(address)
            guard.entered(guest)
            guard.joined(guest)
            guard.left(guest)

    meter, rate, now = Meter(), Rate(1e9, 1e9), time.monotonic()
    show(
        "One handshake's share (µs of CPU)",
        {
            "whose it is: direct": microseconds(lambda _: guard.client_of(direct)),
            "whose it is: through a proxy": microseconds(lambda _: guard.client_of(proxied)),
            "whose it is: through a proxy, IPv6": microseconds(lambda _: guard.client_of(v6)),
            "may it come in; in, joined and out again": microseconds(whole),
            "no, it comes too fast": microseconds(lambda _: guard.knock("a", lambda: None)),
            "one packet of a client counted": microseconds(lambda _: meter.count(rate, now, 5.0)),
        },
    )


def cpu_s(pid: int) -> float:
    """Return the CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def asked(node: RunningNode, target: str, address: str, count: int) -> tuple[float, int]:
    """Send requests on one connection; return the node's CPU for one, in µs, and the last status."""
    head = f"GET {target} HTTP/1.1\r\nHost: n\r\nX-Forwarded-For: {address}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", node.port)) as connection:
        begin = cpu_s(node.pid)
        received = b""
        for _ in range(count):
            connection.sendall(head)
            while b"\r\n\r\n" not in received:
                received += connection.recv(65536)
            length = int(received.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            while len(received.partition(b"\r\n\r\n")[2]) < length:
                received += connection.recv(65536)
            status, received = int(received[9:12]), b""
        return (cpu_s(node.pid) - begin) / count * 1e6, status


def whole() -> None:
    """Measure whole requests of one client, over one connection."""
    polling = "/websockets/?EIO=4&transport=polling"
    open_door = ("--connect-rate-per-ip=0", "--max-connections-per-ip=0")
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningNode(Path(folder), *open_door, "--connect-timeout=2") as node,
    ):
        let_in, status = asked(node, polling, "203.0.113.1", REQUESTS // 3)
        assert status == 200
    with tempfile.TemporaryDirectory() as folder, RunningNode(Path(folder)) as node:
        turned_away, status = asked(node, polling, "203.0.113.1", REQUESTS)
        assert status == 429
        unknown, status = asked(node, f"{polling}&sid=x", "203.0.113.1", REQUESTS)
        assert status == 400
        health, status = asked(node, "/healthcheck", "203.0.113.1", REQUESTS)
        assert status == 200
    show(
        "One whole request over a kept-open connection (µs of the node's CPU)",
        {
            "handshake, let in (and its time-out)": let_in,
            "handshake, turned away with 429": turned_away,
            "poll with an unknown sid, 400": unknown,
            "/healthcheck": health,
        },
    )


def main() -> None:
    """Run both parts."""
    parts()
    whole()


if __name__ == "__main__":
    main()
