"""Requests over connections that a balancer keeps open: none meets a connection that the node is closing.

A node that closes an idle connection at the moment in which the balancer sends a request into it makes the
balancer answer 502. Here the spacing of the requests is time itself, so these tests wait for it.
"""

import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.running_haproxy import RunningHAProxy
from tests.running_node import RunningNode, message

from .scaled_node import ScaledNode

SPACING_S = 1.0
CONNECTIONS = 300
REQUESTS = 10
"""On each connection."""


@contextmanager
def balancer_of(folder: Path, node: RunningNode) -> Iterator[RunningHAProxy]:
    """A balancer that hides nothing: it tries nothing again, and shares its connections to the node."""
    variables = {"RETRIES": "0", "HTTP_REUSE": "always", "IDLE_TIMEOUT": "60s"}
    with RunningHAProxy(folder, [node.port], sticky=False, **variables) as balancer:
        balancer.wait_until_up()
        yield balancer


def publish_spaced(port: int, key: str, connections: int, requests: int) -> Counter[int]:
    """Publish over that many connections, kept open: all at once, and each again a second after its answer.

    Return how often each status came; 0: none, but a connection that broke.
    """
    headers = {"Authorization": f"ApiKey {key}", "Content-Type": "application/json"}
    body = json.dumps(message("nobody", "x")).encode()
    begin = time.monotonic() + 1

    def one(_: int) -> Counter[int]:
        found: Counter[int] = Counter()
        # All at once: so many connections to the node are opened, and are idle together afterwards.
        time.sleep(max(0, begin - time.monotonic()))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for turn in range(requests):
            if turn:
                time.sleep(SPACING_S)
            try:
                connection.request("POST", "/v1/messages", body, headers)
                answer = connection.getresponse()
                answer.read()
                found[answer.status] += 1
            except (OSError, http.client.HTTPException):
                found[0] += 1
                connection.close()
        connection.close()
        return found

    with ThreadPoolExecutor(connections) as threads:
        return sum(threads.map(one, range(connections)), Counter[int]())


def test_3000_spaced_requests_without_one_502(tmp_path: Path) -> None:
    """A node keeps idle connections for longer than the balancer, by default."""
    with RunningNode(tmp_path) as node, balancer_of(tmp_path, node) as balancer:
        found = publish_spaced(balancer.port, node.backend_key, CONNECTIONS, REQUESTS)
    assert found == {201: CONNECTIONS * REQUESTS}


def test_a_node_told_too_short_an_idle_timeout_loses_requests(tmp_path: Path) -> None:
    """The test above can fail: this node closes idle connections after a second, the balancer does not."""
    factor = SPACING_S / 75  # told a minute, a node keeps them for 75 s
    with ScaledNode(tmp_path, 60, factor) as node, balancer_of(tmp_path, node) as balancer:
        found = publish_spaced(balancer.port, node.backend_key, CONNECTIONS, 3)
    # HAProxy answers 502, or closes the client's connection where its own to the node was an old one.
    assert found[502] + found[0] > 0, found
    assert found[502] + found[0] + found[201] == CONNECTIONS * 3, found
