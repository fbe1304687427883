"""What ``/metrics`` says of nodes on one Redis: all there is, and what happens to them."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from reward_push.ops.catalogue import CATALOGUE
from tests.running_cluster import RunningCluster
from tests.running_node import RunningNode
from tests.scrape import scrape, scrape_until
from tests.until import PATIENCE_S


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RunningCluster]:
    with RunningCluster(tmp_path, "--drain", "1", nodes=2, balancing=None) as running:
        yield running


def test_everything_that_the_page_tells_of_is_shown(cluster: RunningCluster) -> None:
    shown = scrape(cluster.nodes[0].url, cluster.backend_key).kinds
    ours = {name: kind for name, kind in shown.items() if name.startswith("reward_push_")}
    assert ours == {each.full_name: each.kind for each in CATALOGUE}


def test_news_and_relayed_requests_are_counted(cluster: RunningCluster) -> None:
    one, two = cluster.nodes
    for each in cluster.nodes:
        page = scrape_until(
            each,
            lambda page: page.value("nodes") == 2 and page.value("canary_age_seconds") < 5,
        )
        assert page.value("redis_connected") == page.value("redis_connects_total") == 2
        assert page.value("redis_seconds_count") > 0
        assert abs(page.value("redis_clock_ahead_seconds")) < 1
        assert page.value("relay_requests_total") == page.value("redis_losses_total") == 0
    channels = page.value("channels")

    key = cluster.plugin_key()
    opened = polled(one)
    sid = opened.partition('"sid":"')[2].partition('"')[0]
    assert polled(two, sid, f'40/dropcodes,{{"apiKey":"{key.key}"}}') == "ok"
    assert polled(two, sid).startswith("40/dropcodes,")
    two.publish(key.streamer, "x", ttl_ms=60_000)
    page = scrape_until(one, lambda page: page.value("news_total", kind="live") == 1)
    assert page.value("channels") > channels
    assert page.value("connections") == 1
    page = scrape(two.url, two.backend_key)
    assert page.value("news_total", kind="live") == 0, "it has nobody to hear them"
    assert page.value("relay_requests_total", kind="http") == 2
    assert page.value("relay_failures_total") == page.value("connections") == 0
    assert "factory" not in cluster.log(), "a connection between nodes is nothing to log"


def polled(node: RunningNode, sid: str = "", body: str = "") -> str:
    """Poll, or post ``body``; return the answer."""
    session = f"&sid={sid}" if sid else ""
    request = urllib.request.Request(
        f"{node.url}/websockets/?EIO=4&transport=polling{session}", body.encode() or None
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


def test_what_happens_to_redis_shows(cluster: RunningCluster) -> None:
    """A node on its own shows it, too: the metrics need no Redis."""
    node = cluster.nodes[0]
    cluster.redis.kill()
    scrape_until(
        node,
        lambda page: (
            page.value("redis_connected") == 0 and page.value("health", status="degraded") == 1
        ),
    )
    cluster.redis.start()
    page = scrape_until(
        node,
        lambda page: page.value("redis_connected") == 2 and page.value("redis_losses_total") == 1,
    )
    assert page.value("redis_connects_total", connection="commands") >= 2
    assert page.value("redis_connects_total", connection="news") >= 2
    scrape_until(node, lambda page: page.value("heals_total") >= 1)
