"""How many messages a node accepts: single posts over keep-alive connections, and batches of 1,000."""

import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.running_node import Backend, RunningNode, message

from .figures import percentile, show

QUICK = "--quick" in sys.argv
CONNECTIONS = (1, 16, 64)
SECONDS = 2.0 if QUICK else 8.0
BATCHES = 10 if QUICK else 50
BATCH = 1_000


def main() -> None:
    """Run all of it against one node with an empty store."""
    with tempfile.TemporaryDirectory() as folder, RunningNode(Path(folder)) as node:
        for connections in CONNECTIONS:
            singles(node, connections)
        batches(node)


def singles(node: RunningNode, connections: int) -> None:
    """Post single messages from several threads, each over a connection of its own."""
    times_ms: list[float] = []
    end = time.perf_counter() + SECONDS

    def post() -> None:
        backend = Backend(node.port, node.backend_key)
        body = message("s", {"code": "K7Q-PLX"}, ttl_ms=60_000)
        while (begin := time.perf_counter()) < end:
            status, _ = backend.call("POST", "/v1/messages", body)
            assert status == 201
            times_ms.append((time.perf_counter() - begin) * 1000)
        backend.close()

    threads = [threading.Thread(target=post) for _ in range(connections)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    show(
        f"Single posts over {connections} connection(s)",
        {
            "messages/s": len(times_ms) / (time.perf_counter() - begin),
            "201 p50 (ms)": percentile(times_ms, 0.5),
            "201 p99 (ms)": percentile(times_ms, 0.99),
        },
    )


def batches(node: RunningNode) -> None:
    """Post batches, one after the other."""
    times_ms = []
    for _ in range(BATCHES):
        bodies = [message("s", {"code": n}, ttl_ms=60_000) for n in range(BATCH)]
        begin = time.perf_counter()
        node.publish_batch(bodies)
        times_ms.append((time.perf_counter() - begin) * 1000)
    show(
        f"Batches of {BATCH:,}, one after the other",
        {
            "messages/s": BATCH * len(times_ms) / sum(times_ms) * 1000,
            "a batch p50 (ms)": percentile(times_ms, 0.5),
            "a batch p99 (ms)": percentile(times_ms, 0.99),
        },
    )


if __name__ == "__main__":
    main()
