"""``/metrics``: numbers that others keep, read at the moment they are asked for.

Whoever does something counts it in a plain attribute; what is a state is looked at when Prometheus asks.
So being measured costs next to nothing. The format, and who gets which, is prometheus-client's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from .catalogue import BY_NAME, CATALOGUE, Kind, Metric
from .distribution import Distribution
from .process import ProcessNumbers

Labels = tuple[str, ...]
"""Values of a metric's labels, in their order."""
Numbers = float | Mapping[Labels, float] | None
"""The number of a metric; where it has labels, one for each combination. ``None``: there is none now."""
Read = Callable[[], Numbers]
"""Asked at each scrape. Must be quick."""


class Metrics:
    """The metrics of one node."""

    _log = Logger()

    def __init__(self) -> None:
        self._reads: dict[str, Read] = {}
        self._spread: dict[str, dict[Labels, Distribution]] = {}
        self._before: list[Callable[[], object]] = []
        # Not the process-wide default: there may be several nodes in a process.
        self._registry = CollectorRegistry()
        self._registry.register(_Catalogued(self._families))
        self._registry.register(ProcessNumbers())
        GCCollector(registry=self._registry)

    def show(self, name: str, read: Read) -> None:
        """Show the counter or gauge ``name`` of the catalogue, whose numbers ``read`` returns."""
        if BY_NAME[name].kind is Kind.HISTOGRAM or name in self._reads:
            raise ValueError(f"{name} is a histogram, or has its numbers already")
        self._reads[name] = read

    def distribution(self, name: str, *labels: str) -> Distribution:
        """Return the histogram ``name`` of the catalogue for these values of its labels, to be filled."""
        metric = BY_NAME[name]
        if metric.kind is not Kind.HISTOGRAM or len(labels) != len(metric.labels):
            raise ValueError(f"{name} is not a histogram with {len(labels)} labels")
        spread = self._spread.setdefault(name, {})
        found = spread.get(labels)
        if found is None:
            found = spread[labels] = Distribution(metric.bounds)
        return found

    def before(self, gather: Callable[[], object]) -> None:
        """Call ``gather`` before each scrape, and wait for the Deferred that it may return."""
        self._before.append(gather)

    def page(self, accept: str = "") -> "Deferred[tuple[bytes, str]]":
        """Return the page and its content type, in the format that an ``Accept`` header wants."""
        gathered = [maybeDeferred(gather).addErrback(self._failed) for gather in self._before]
        return gatherResults(gathered).addCallback(lambda _: self._page(accept))

    def _page(self, accept: str) -> tuple[bytes, str]:
        try:
            encode, content_type = choose_encoder(accept)
            return encode(self._registry), content_type
        except (ValueError, TypeError):
            # The library takes what clients send for what it should be.
            encode, content_type = choose_encoder("")
            return encode(self._registry), content_type

    def _families(self) -> Iterator[Family]:
        for metric in CATALOGUE:
            if metric.name in self._spread:
                yield _histogram(metric, self._spread[metric.name])
            elif metric.name in self._reads:
                try:
                    numbers = self._reads[metric.name]()
                except Exception:  # One that fails must not hide the others.
                    self._log.failure("metric {name} could not be read", name=metric.name)
                    continue
                yield _plain(metric, numbers)

    def _failed(self, failure: Failure) -> None:
        self._log.failure("metrics could not be gathered", failure)


class _Catalogued(Collector):
    """What prometheus-client asks for the families of the catalogue."""

    def __init__(self, families: Callable[[], Iterable[Family]]) -> None:
        self._families = families

    def describe(self) -> Iterable[Family]:
        """Name the metrics without reading them."""
        return [_empty(metric) for metric in CATALOGUE]

    def collect(self) -> Iterable[Family]:
        """Read them."""
        return self._families()


_FAMILIES: Mapping[Kind, Any] = {
    Kind.COUNTER: CounterMetricFamily,
    Kind.GAUGE: GaugeMetricFamily,
    Kind.HISTOGRAM: HistogramMetricFamily,
}


def _empty(metric: Metric) -> Any:
    return _FAMILIES[metric.kind](metric.full_name, metric.help, labels=metric.labels)


def _plain(metric: Metric, numbers: Numbers) -> Family:
    family: Any = _empty(metric)
    if isinstance(numbers, Mapping):
        for labels, number in sorted(numbers.items()):
            family.add_metric(labels, number)
    elif numbers is not None:
        family.add_metric((), numbers)
    return family  # type: ignore[no-any-return]


def _histogram(metric: Metric, spread: Mapping[Labels, Distribution]) -> Family:
    family: Any = _empty(metric)
    for labels, each in sorted(spread.items()):
        family.add_metric(labels, each.buckets(), each.total)
    return family  # type: ignore[no-any-return]
