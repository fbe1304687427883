"""The two set-ups that stock clients are tested in are what they say."""

from pathlib import Path

import pytest

from ..protocol import wire
from ..running_cluster import Balancing, RunningCluster
from ..running_node import ONE_ADDRESS, Service
from ..scrape import scrape

ROUNDS = 10
LIFE_MS = 60_000


def passed_on(cluster: RunningCluster) -> float:
    """How many requests the nodes have passed on to each other."""
    return sum(
        scrape(node.url, node.backend_key).value("relay_requests_total") for node in cluster.nodes
    )


def polls(service: Service, *, with_cookies: bool) -> None:
    """A polling session through the balancer, which keeps cookies or does not."""
    key = service.plugin_key()
    client = wire.Client(service.port)
    if with_cookies:
        client.headers = [("Cookie", client.opened.headers["set-cookie"].partition(";")[0])]
    client.say(f'40/dropcodes,{{"apiKey":"{key.key}"}}')
    assert client.poll().startswith("40/dropcodes,")
    for number in range(ROUNDS):
        posted = service.publish(key.streamer, number, ttl_ms=LIFE_MS)
        assert posted["id"] in client.poll()


@pytest.mark.parametrize("balancing", Balancing)
def test_who_keeps_the_cookie_stays_with_its_node(tmp_path: Path, balancing: Balancing) -> None:
    """The others, and everybody where there is none, are passed on, and served all the same."""
    options = (*ONE_ADDRESS, "--drain", "0")
    with RunningCluster(tmp_path, *options, balancing=balancing) as cluster:
        polls(cluster, with_cookies=balancing is Balancing.STICKY)
        assert (passed_on(cluster) > 0) == (balancing is Balancing.SPREAD)
        polls(cluster, with_cookies=False)
        assert passed_on(cluster) > 0
