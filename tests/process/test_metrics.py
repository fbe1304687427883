"""``/metrics`` of a real node: who may see it, in which format, on which port, and that the page tells of it."""

import http.client
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)

from reward_push.ops.catalogue import CATALOGUE, Metric
from tests.free_port import free_port
from tests.running_node import RunningNode
from tests.scrape import scrape

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "metrics.md"
ROW = re.compile(r"^\| `(reward_push_\w+)` \| (\w+) \| ([^|]*) \| (.*) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    with RunningNode(tmp_path_factory.mktemp("node")) as running:
        yield running


def get(
    port: int, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Ask for a page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


# Who may see it


def test_it_needs_a_key_that_may_read(node: RunningNode) -> None:
    rights = {"publish": 403, "read": 200, "admin": 403}
    for right, expected in rights.items():
        body = {"kind": "backend", "rights": [right]}
        status, made = node.backend.call("POST", "/v1/keys", body)
        assert status == 201
        for scheme in ("ApiKey", "Bearer"):
            status, _, _ = get(node.port, "/metrics", Authorization=f"{scheme} {made['key']}")
            assert status == expected
    assert get(node.port, "/metrics")[0] == 401
    plugin = node.plugin_key().key
    assert get(node.port, "/metrics", Authorization=f"ApiKey {plugin}")[0] == 403


def test_with_a_port_of_its_own_it_needs_none_and_is_nowhere_else(tmp_path: Path) -> None:
    internal = free_port()
    with RunningNode(tmp_path, "--internal-listen", f"tcp:{internal}:interface=127.0.0.1") as node:
        assert scrape(f"http://127.0.0.1:{internal}").value("node_info") == 1
        for path in ("/metrics", "/v1/messages", "/v1/nodes", "/console/"):
            key = f"ApiKey {node.backend_key}"
            assert get(node.port, path, Authorization=key)[0] == 404
            assert get(internal, path, Authorization=key)[0] != 404
        assert get(internal, "/v1/nodes")[0] == 401
        for path in ("/healthcheck", "/readyz"):
            assert get(node.port, path)[0] == get(internal, path)[0] == 200
        assert get(node.port, "/websockets/?EIO=4&transport=polling")[0] == 200
        assert get(internal, "/websockets/?EIO=4&transport=polling")[0] == 404


# The formats


def test_head_brings_what_get_does_without_the_page(node: RunningNode) -> None:
    key = f"ApiKey {node.backend_key}"
    status, headers, body = get(node.port, "/metrics", "HEAD", Authorization=key)
    assert (status, body) == (200, b"")
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert int(headers["content-length"]) > 10_000
    assert headers["cache-control"] == "no-store"


def test_openmetrics_for_who_asks(node: RunningNode) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
    status, headers, body = get(
        node.port, "/metrics", Authorization=f"ApiKey {node.backend_key}", Accept=accept
    )
    assert status == 200
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name for family in parse_openmetrics(body.decode())}
    assert {"reward_push_deliveries", "reward_push_lateness_seconds"} <= families


# The page for operators


def test_the_page_tells_of_every_metric_that_a_node_shows(node: RunningNode) -> None:
    shown = scrape(node.url, node.backend_key).kinds
    ours = {name: kind for name, kind in shown.items() if name.startswith("reward_push_")}
    assert ours == {each.full_name: each.kind for each in CATALOGUE if not each.cluster}
    assert ROW.findall(PAGE.read_text()) == [row(each) for each in CATALOGUE]
    text = PAGE.read_text()
    assert [name for name in shown if name not in text] == []


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_pages_speak_of_metrics_and_labels_that_there_are(page: Path) -> None:
    known = {each.full_name: each for each in CATALOGUE}
    for name, labels in re.findall(r"\b(reward_push_[a-z_]+)(?:\{(.*?)\})?", page.read_text()):
        metric = known[name.removesuffix("_bucket") if name.endswith("_bucket") else name]
        assert set(re.findall(r"(\w+)=", labels)) <= set(metric.labels)


def row(metric: Metric) -> tuple[str, str, str, str]:
    """A metric's row in the page."""
    labels = ", ".join(f"`{each}`" for each in metric.labels)
    return metric.full_name, str(metric.kind), labels, metric.help
