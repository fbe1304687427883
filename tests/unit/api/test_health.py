"""GET /healthcheck, /readyz and /v1/nodes."""

import pytest

from .fakes import NODE


def test_healthcheck_needs_no_key_and_no_particular_host(api):
    api.health.started()
    got = api.call("GET", "/healthcheck", key=None, headers={"Host": "10.0.0.7"})
    assert got.status == 200
    assert got.json == {"status": "ok", "node": "aB3x_9", "uptime_s": 0.0}
    assert got.header("Cache-Control") == ["no-store"]


@pytest.mark.parametrize("path", ["/healthcheck", "/readyz"])
def test_a_starting_or_draining_node_is_503(api, path):
    got = api.call("GET", path, key=None)
    assert (got.status, got.json["status"]) == (503, "starting")
    api.health.started()
    assert api.call("GET", path, key=None).status == 200
    api.health.draining()
    got = api.call("GET", path, key=None)
    assert (got.status, got.json["status"]) == (503, "draining")


def test_readyz_is_strict_about_a_degraded_node(api):
    api.health.started()
    api.health.watch(lambda: "the store is away")
    for path, status in [("/healthcheck", 200), ("/readyz", 503)]:
        got = api.call("GET", path, key=None)
        assert got.status == status
        assert got.json == {
            "status": "degraded",
            "node": "aB3x_9",
            "reasons": ["the store is away"],
            "uptime_s": 0.0,
        }


def test_the_only_node(api):
    api.health.started()
    got = api.call("GET", "/v1/nodes", key="reader")
    assert got.status == 200
    assert got.json == {
        "items": [{"status": "ok", "node": "aB3x_9", "uptime_s": 0.0, **NODE}],
        "next_cursor": None,
    }
    assert api.call("GET", "/v1/nodes", key="publisher").status == 403
    assert api.call("GET", "/v1/nodes?x=1").status == 400
