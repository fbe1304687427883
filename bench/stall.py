"""How long a node answers nobody while a backend's largest and worst bodies are read.

Each body is sent while another connection asks ``/healthcheck`` without a break; shown is the longest time
between two of its answers. ``--turns`` shows instead how much CPU the longest turn of the node's event loop
took, which does not depend on what else the machine does.
"""

import http.client
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.running_node import ONE_ADDRESS, RunningNode, message

from .figures import show

MIB = 1 << 20
BATCH = "/v1/messages/batch"


def honest() -> bytes:
    """A batch as large as allowed: 1,000 messages of nearly 16 KiB."""
    data = [{"k": "v" * 20, "n": n, "list": [1, 2.5, None, True]} for n in range(225)]
    bodies = [message("nobody", data, ttl_ms=60_000) for _ in range(1000)]
    return json.dumps({"messages": bodies}).encode()


def in_items(item: bytes, size: int = 16 * MIB - 64) -> bytes:
    """A batch of as many of ``item`` as there is room for."""
    return b'{"messages":[' + b",".join([item] * (size // (len(item) + 1))) + b"]}"


BODIES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "nothing": ("/v1/messages", lambda: b""),
    "an honest batch of 16 MiB": (BATCH, honest),
    "empty objects": (BATCH, lambda: in_items(b"{}")),
    "empty arrays": (BATCH, lambda: in_items(b"[]")),
    "empty strings": (BATCH, lambda: in_items(b'""')),
    "numbers": (BATCH, lambda: in_items(b"1")),
    "floats": (BATCH, lambda: in_items(b"1.5e3")),
    "1,000 large items": (BATCH, lambda: in_items(b'{"a":[' + b"1," * 8_000 + b"1]}")),
    "16 items of a MiB": (BATCH, lambda: in_items(b'{"a":[' + b"1," * 500_000 + b"1]}")),
    "one item of 16 MiB": (BATCH, lambda: in_items(b"[" + b"{}," * 5_000_000 + b"{}]", 16 * MIB)),
    "a string of escapes": (BATCH, lambda: in_items(b'"' + b"\\u0041" * 2_700_000 + b'"')),
    "a string of surrogates": (
        BATCH,
        lambda: in_items(b'"' + b"\\ud83d\\ude00" * 1_300_000 + b'"'),
    ),
    "keys": (BATCH, lambda: in_items(b'{"a":1}')),
    "one object with many keys": (
        BATCH,
        lambda: b'{"messages":[{' + b",".join(b'"%d":1' % n for n in range(1_300_000)) + b"}]}",
    ),
    "brackets": (BATCH, lambda: b"[" * (16 * MIB - 1)),
    "closed brackets": (BATCH, lambda: b"[" * (8 * MIB - 1) + b"]" * (8 * MIB - 1)),
    "brackets in a string": (BATCH, lambda: in_items(b'"' + b"[" * (16 * MIB - 100) + b'"')),
    "white space": (BATCH, lambda: b" " * (16 * MIB - 2) + b"{}"),
    "zeros": (BATCH, lambda: bytes(16 * MIB)),
    "no UTF-8 at its end": (BATCH, lambda: b'{"a":"' + b"x" * (16 * MIB - 100) + b'\xff"}'),
    "one call of 1 MiB": ("/v1/messages", lambda: b'{"a":[' + b"[]," * 340_000 + b"1]}"),
    "one call of 1 MiB, objects": ("/v1/messages", lambda: b'{"a":[' + b"{}," * 340_000 + b"1]}"),
}


class Prober(threading.Thread):
    """Asks without a break; :attr:`longest_s` is the longest time without an answer."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self.longest_s = 0.0
        self.over = False

    def run(self) -> None:
        """Ask."""
        last = time.perf_counter()
        while not self.over:
            self._connection.request("GET", "/healthcheck")
            self._connection.getresponse().read()
            now = time.perf_counter()
            self.longest_s = max(self.longest_s, now - last)
            last = now


def whole() -> None:
    """Send all bodies to one node, one after the other."""
    with tempfile.TemporaryDirectory() as folder, RunningNode(Path(folder), *ONE_ADDRESS) as node:
        for name in BODIES:
            prober = Prober(node.port)
            prober.start()
            begin = time.perf_counter()
            status, size = send(name, node.port, node.backend_key)
            took_s = time.perf_counter() - begin
            prober.over = True
            prober.join()
            show(
                name,
                {
                    "status": status,
                    "answer (bytes)": size,
                    "longest stall (ms)": prober.longest_s * 1000,
                    "answered after (ms)": took_s * 1000,
                },
            )


def send(name: str, port: int, key: str) -> tuple[int, int]:
    """Send a body; return the status and the size of the answer."""
    path, make = BODIES[name]
    body = make()
    assert len(body) <= 16 * MIB, name
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", path, body, {"Authorization": f"ApiKey {key}"})
    response = connection.getresponse()
    return response.status, len(response.read())


def turns() -> None:
    """Run a node here, have another process send it all bodies, and measure the loop's turns."""
    from twisted.internet import reactor as installed
    from twisted.internet.defer import Deferred
    from twisted.internet.utils import getProcessOutput

    from reward_push.node.build import build_node
    from reward_push.settings import load

    reactor: Any = installed
    key = "k" * 32
    with tempfile.TemporaryDirectory() as folder:
        port = RunningNode(Path(folder)).port
        options = {"listen": f"tcp:{port}:interface=127.0.0.1", "backend_key": key}
        node = build_node(load({**options, "store": f"{folder}/store.sqlite3"}, {}), reactor)
        longest_s, last = 0.0, time.thread_time()

        def turn() -> None:
            nonlocal longest_s, last
            now = time.thread_time()
            longest_s, last = max(longest_s, now - last), now
            reactor.callLater(0.001, turn)

        async def run() -> None:
            nonlocal longest_s
            figures = {}
            turn()
            for name in BODIES:
                longest_s = 0.0
                arguments = ["-m", "bench.stall", "--send", name, str(port), key]
                await getProcessOutput(sys.executable, arguments, os.environ)
                figures[name] = longest_s * 1000
            show("The longest turn (ms of CPU)", figures)
            await node.stopService()
            reactor.stop()

        def failed(failure: Any) -> None:
            print(failure)
            reactor.stop()

        node.privilegedStartService()  # type: ignore[attr-defined]
        node.startService()
        reactor.callWhenRunning(lambda: Deferred.fromCoroutine(run()).addErrback(failed))
        reactor.run()


def main() -> None:
    """Do what is asked for."""
    if "--send" in sys.argv:
        name, port, key = sys.argv[2:]
        send(name, int(port), key)
    elif "--turns" in sys.argv:
        turns()
    else:
        whole()


if __name__ == "__main__":
    main()
