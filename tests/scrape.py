"""What a node's ``/metrics`` says, read as Prometheus reads it."""

import urllib.request
from collections.abc import Callable, Mapping

import attrs
from prometheus_client.parser import text_string_to_metric_families

from .running_node import Service
from .until import until

TIMEOUT_S = 60.0


@attrs.frozen
class Scrape:
    """One page."""

    text: str
    kinds: Mapping[str, str]
    """Name, as Prometheus knows it → counter, gauge or histogram."""
    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float:
        """The sum of all samples of ``reward_push_<name>`` that have these labels."""
        wanted = set(labels.items())
        return sum(
            value
            for (sample, has), value in self.samples.items()
            if sample == f"reward_push_{name}" and wanted <= has
        )


def scrape(url: str, key: str | None = None) -> Scrape:
    """Get ``url``/metrics, with a backend key if one is given."""
    headers = {} if key is None else {"Authorization": f"ApiKey {key}"}
    request = urllib.request.Request(f"{url}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        return read(answer.read().decode())


def scrape_until(node: Service, holds: Callable[[Scrape], bool]) -> Scrape:
    """Scrape until it says so."""
    page = scrape(node.url, node.backend_key)

    def holds_now() -> bool:
        nonlocal page
        page = scrape(node.url, node.backend_key)
        return holds(page)

    until(holds_now, said=lambda: page.text)
    return page


def read(text: str) -> Scrape:
    """Read a page."""
    kinds, samples = {}, {}
    for family in text_string_to_metric_families(text):
        kinds[family.name + "_total" * (family.type == "counter")] = family.type
        for each in family.samples:
            samples[each.name, frozenset(each.labels.items())] = each.value
    return Scrape(text, kinds, samples)
