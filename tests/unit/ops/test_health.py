"""What /healthcheck and /readyz say."""

import pytest
from twisted.logger import globalLogPublisher

from reward_push.ops.health import Health


class Clock:
    """Monotonic seconds, moved by hand."""

    now = 100.0

    def __call__(self):
        return self.now


def test_a_node_starts_serves_and_drains():
    health = Health("n1", now_s=Clock())
    seen = []
    for step in (lambda: None, health.started, health.draining):
        step()
        seen.append(
            (health.healthcheck().status, health.readyz().status, health.readyz().body["status"])
        )
    assert seen == [(503, 503, "starting"), (200, 200, "ok"), (503, 503, "draining")]


def test_draining_is_final_and_may_come_first():
    health = Health("n1")
    health.draining()
    health.started()
    assert health.healthcheck().body["status"] == "draining"


def test_the_body_says_what_is_known():
    clock = Clock()
    health = Health("n1", version="1.2.3", connections=lambda: 7, now_s=clock)
    health.started()
    clock.now += 12.3456
    assert health.healthcheck() == (
        200,
        {"status": "ok", "node": "n1", "version": "1.2.3", "uptime_s": 12.346, "connections": 7},
    )


def test_a_node_is_degraded_while_there_is_a_reason():
    health = Health("n1", now_s=Clock())
    reasons = [None, None]
    health.watch(lambda: reasons[0])
    health.watch(lambda: reasons[1])
    health.started()
    assert health.readyz().status == 200
    reasons[:] = ["the store is away", "my own echo is late"]
    body = {"status": "degraded", "node": "n1", "reasons": reasons, "uptime_s": 0.0}
    assert health.healthcheck() == (200, body)
    assert health.readyz() == (503, body)
    reasons[:] = ["Redis is away", "Redis is away"]
    assert health.readyz().body["reasons"] == ["Redis is away"]
    reasons[:] = [None, None]
    assert health.readyz().status == 200


@pytest.mark.parametrize("phase", ["starting", "draining"])
def test_reasons_count_only_while_a_node_serves(phase):
    health = Health("n1", now_s=Clock())
    health.watch(lambda: "the store is away")
    if phase == "draining":
        health.draining()
    assert health.healthcheck() == (503, {"status": phase, "node": "n1", "uptime_s": 0.0})


def test_a_check_that_fails_is_a_reason_and_logged():
    events = []

    def observe(event):
        if event["log_level"].name == "critical":
            events.append(event)

    def broken():
        raise RuntimeError("x")

    health = Health("n1")
    health.watch(broken)
    health.started()
    globalLogPublisher.addObserver(observe)
    try:
        report = health.healthcheck()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert (report.status, report.body["reasons"]) == (200, ["a health check failed"])
    assert len(events) == 1
