"""What is shown of the store, the API and the schedule."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import fail, succeed
from zope.interface.verify import verifyObject

from reward_push.access.interfaces import StoreUnavailable
from reward_push.node.figures import STORE, ApiFigures, StoreFigures, lateness
from reward_push.ops.metrics import Metrics


class Store:
    """Answers everything with its name, or fails."""

    def __init__(self):
        self.away = False

    def __getattr__(self, name):
        def call(*args, **named):
            return fail(StoreUnavailable("away")) if self.away else succeed((name, args, named))

        return call


@pytest.fixture
def metrics():
    return Metrics()


def value(metrics, name, **labels):
    pages = []
    metrics.page().addCallback(pages.append)
    [(body, _)] = pages
    [found] = [
        sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name == f"reward_push_{name}" and sample.labels == labels
    ]
    return found


def test_every_call_of_the_store_is_timed_and_passes_through(metrics):
    now = [0.0]
    target = Store()
    store = StoreFigures(metrics).timed(target, lambda: now[0])
    for interface in STORE:
        for name, method in interface.namesAndDescriptions(all=True):
            args = range(len(method.positional))
            results = []
            getattr(store, name)(*args).addCallback(results.append)
            assert results == [(name, tuple(args), {})]
            assert value(metrics, "store_seconds_count", operation=name) == 1
            assert value(metrics, "store_failures_total", operation=name) == 0


def test_it_provides_what_the_store_does(metrics):
    store = StoreFigures(metrics).timed(Store(), lambda: 0.0)
    for interface in STORE:
        # Its methods take any arguments and hand them on.
        assert verifyObject(interface, store, tentative=True)


def test_what_fails_counts_as_a_failure_and_takes_its_time(metrics):
    target = Store()
    store = StoreFigures(metrics).timed(target, lambda: 0.0)
    target.away = True
    failures = []
    store.agenda().addErrback(failures.append)
    assert failures[0].check(StoreUnavailable)
    assert value(metrics, "store_failures_total", operation="agenda") == 1
    assert value(metrics, "store_seconds_count", operation="agenda") == 1


def test_publishing_is_timed_and_all_answers_are_counted(metrics):
    api = ApiFigures(metrics)
    api.observe("POST /v1/messages", 201, 0.003)
    api.observe("POST /v1/messages/batch", 200, 0.03)
    api.observe("GET /v1/nodes", 401, 0.0)
    for call, status in (("POST /v1/messages", "201"), ("GET /v1/nodes", "401")):
        assert value(metrics, "api_requests_total", call=call, status=status) == 1
    assert value(metrics, "publish_seconds_bucket", call="message", le="0.005") == 1
    assert value(metrics, "publish_seconds_sum", call="batch") == pytest.approx(0.03)


def test_lateness_is_told_in_milliseconds_and_shown_in_seconds(metrics):
    lateness(metrics)(20)
    assert value(metrics, "lateness_seconds_sum") == pytest.approx(0.02)
    assert value(metrics, "lateness_seconds_bucket", le="0.02") == 1
