"""The page that Prometheus scrapes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse
from twisted.internet.defer import Deferred, fail

from reward_push.ops import catalogue
from reward_push.ops.catalogue import CATALOGUE, Kind
from reward_push.ops.metrics import Metrics

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def page(metrics, accept=""):
    """The page, as text, and its content type."""
    results = []
    metrics.page(accept).addCallback(results.append)
    [(body, content_type)] = results
    return body.decode(), content_type


def samples(metrics):
    """Every sample of ours: name and labels → value."""
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value
        for family in parse(page(metrics)[0])
        for each in family.samples
        if each.name.startswith(catalogue.PREFIX)
    }


@pytest.fixture
def metrics():
    return Metrics()


# The catalogue


def test_names_are_those_of_prometheus():
    """Lower case, a unit, ``_total`` for counters, nothing that a suffix of its makes up."""
    assert len({each.name for each in CATALOGUE}) == len(CATALOGUE)
    for each in CATALOGUE:
        assert re.fullmatch(r"reward_push_[a-z]+(_[a-z]+)*", each.full_name)
        assert each.name.endswith("_total") is (each.kind is Kind.COUNTER)
        assert not each.name.endswith(("_count", "_sum", "_bucket", "_created"))
        assert bool(each.bounds) is (each.kind is Kind.HISTOGRAM)
        assert list(each.bounds) == sorted(each.bounds)
        assert each.help.endswith(".")


def test_no_label_is_for_who_somebody_is():
    labels = {label for each in CATALOGUE for label in each.labels}
    assert not labels & {"streamer", "key", "key_id", "device", "sid", "message", "id", "address"}


# What is shown


def test_numbers_are_read_at_the_scrape(metrics):
    numbers = {"waiting": 1}
    metrics.show("messages_waiting", lambda: numbers["waiting"])
    assert samples(metrics) == {("reward_push_messages_waiting", ()): 1.0}
    numbers["waiting"] = 2
    assert samples(metrics) == {("reward_push_messages_waiting", ()): 2.0}


def test_labels_come_in_the_order_of_the_catalogue(metrics):
    metrics.show("handshakes_total", lambda: {("polling", "4"): 3, ("websocket", "3"): 1})
    assert samples(metrics) == {
        (
            "reward_push_handshakes_total",
            (("revision", "4"), ("transport", "polling")),
        ): 3.0,
        (
            "reward_push_handshakes_total",
            (("revision", "3"), ("transport", "websocket")),
        ): 1.0,
    }


def test_what_has_no_number_now_has_no_sample(metrics):
    metrics.show("canary_age_seconds", lambda: None)
    assert samples(metrics) == {}
    assert "# TYPE reward_push_canary_age_seconds gauge" in page(metrics)[0]


def test_what_nobody_shows_is_not_there(metrics):
    assert "reward_push_" not in page(metrics)[0]


def test_histograms(metrics):
    spread = metrics.distribution("publish_seconds", "batch")
    assert metrics.distribution("publish_seconds", "batch") is spread
    spread.observe(0.003)
    found = samples(metrics)
    batch = ("call", "batch")
    assert found["reward_push_publish_seconds_count", (batch,)] == 1
    assert found["reward_push_publish_seconds_sum", (batch,)] == pytest.approx(0.003)
    assert found["reward_push_publish_seconds_bucket", (batch, ("le", "0.0025"))] == 0
    assert found["reward_push_publish_seconds_bucket", (batch, ("le", "0.005"))] == 1
    assert found["reward_push_publish_seconds_bucket", (batch, ("le", "+Inf"))] == 1


def test_the_process_is_shown_too(metrics):
    text, _ = page(metrics)
    for name in ("process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"):
        assert f"\n{name} " in text
    assert "python_gc_collections_total" in text


def test_two_nodes_of_a_process_have_their_own(metrics):
    metrics.show("heals_total", lambda: 1)
    other = Metrics()
    other.show("heals_total", lambda: 2)
    assert samples(metrics) == {("reward_push_heals_total", ()): 1.0}


@pytest.mark.parametrize("name", ["nonsense", "lateness_seconds", "heals_total"])
def test_only_what_the_catalogue_has_is_shown_and_once(metrics, name):
    metrics.show("heals_total", lambda: 1)
    with pytest.raises((KeyError, ValueError)):
        metrics.show(name, lambda: 1)


@pytest.mark.parametrize(
    ("name", "labels"), [("heals_total", ()), ("publish_seconds", ()), ("redis_seconds", ("a",))]
)
def test_only_histograms_have_distributions_with_all_their_labels(metrics, name, labels):
    with pytest.raises(ValueError, match="not a histogram"):
        metrics.distribution(name, *labels)


# Gathering


def test_what_takes_a_while_is_waited_for(metrics):
    gathering = Deferred()
    metrics.before(lambda: gathering)
    metrics.before(lambda: None)
    results = []
    metrics.page().addCallback(results.append)
    assert results == []
    gathering.callback(None)
    assert len(results) == 1


def test_one_that_fails_hides_no_other(metrics, logged_failures):
    def broken():
        raise RuntimeError("broken")

    metrics.before(lambda: fail(RuntimeError("not gathered")))
    metrics.show("heals_total", broken)
    metrics.show("nodes", lambda: 3)
    assert samples(metrics) == {("reward_push_nodes", ()): 3.0}
    assert logged_failures == ["not gathered", "broken"]


# Formats


def test_the_text_format_is_the_default(metrics):
    _, content_type = page(metrics)
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"


def test_openmetrics_for_who_asks(metrics):
    """As Prometheus does: by preference, among others."""
    metrics.show("heals_total", lambda: 1)
    metrics.distribution("publish_seconds", "batch").observe(0.1)
    text, content_type = page(
        metrics, f"{OPENMETRICS};q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    )
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")
    families = {family.name: family for family in parse_openmetrics(text)}
    assert families["reward_push_heals"].type == "counter"
    assert families["reward_push_publish_seconds"].type == "histogram"


@given(st.text() | st.from_regex(r"application/openmetrics-text; ?version=\S*(; ?escaping=\S*)?"))
def test_no_accept_header_breaks_it(accept):
    body, content_type = page(Metrics(), accept)
    assert body
    assert content_type.startswith(("text/plain", "application/openmetrics-text"))
