"""The way to Redis: what may wait, and what is said of its health."""

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyObject

from reward_push.access.interfaces import StoreUnavailable
from reward_push.cluster.interfaces import IRedis, Script
from reward_push.store.lanes import Lane
from reward_push.store.redis.line import Line

SCRIPT = Script("nothing", "return 1")


@implementer(IRedis)
class Link:
    """Keeps what is asked, and answers when it is told to."""

    def __init__(self):
        self.asked = []

    def run(self, script, args):
        return self._ask(script.name, *args)

    def command(self, name, *args):
        return self._ask(name, *args)

    def _ask(self, *what):
        answer: Deferred = Deferred()
        self.asked.append((what, answer))
        return answer

    def answer(self, result=None):
        """Answer the oldest; return what it was."""
        what, answer = self.asked.pop(0)
        (answer.errback if isinstance(result, Exception) else answer.callback)(result)
        return what


@pytest.fixture
def link():
    return Link()


@pytest.fixture
def line(link):
    opened = Line(link, "rp:", max_waiting=10)
    opened.start()
    return opened


def refused(deferred) -> str | None:
    """Why a call was refused; ``None``: it was not."""
    reasons = []
    deferred.addErrback(lambda failure: reasons.append(str(failure.value)))
    return reasons[0] if reasons else None


def test_the_link_is_one(link):
    assert verifyObject(IRedis, link)


def test_script_has_the_sum_that_redis_knows_it_by():
    assert SCRIPT.sha1 == "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
    assert "return" not in repr(SCRIPT)


def test_calls_go_through_and_come_back_in_order(line, link):
    answers: list = []
    for n in range(3):
        line.run(SCRIPT, (n,), Lane.POSTS).addCallback(answers.append)
    line.command(Lane.CLIENTS, 1, "GET", "x").addCallback(answers.append)
    assert [link.answer(n) for n in range(4)] == [
        *(("nothing", "rp:", n) for n in range(3)),
        ("GET", "x"),
    ]
    assert answers == [0, 1, 2, 3]


def test_what_may_wait_is_bounded_in_each_lane(line, link):
    assert [refused(line.run(SCRIPT, (), Lane.POSTS, 4)) for _ in range(3)] == [
        None,
        None,
        "too much waits for the store",
    ]
    assert refused(line.run(SCRIPT, (), Lane.POSTS, 2)) is None
    assert refused(line.run(SCRIPT, (), Lane.CLIENTS, 10)) is None
    assert len(link.asked) == 4
    link.answer()
    assert refused(line.run(SCRIPT, (), Lane.POSTS, 5)) is not None
    assert refused(line.run(SCRIPT, (), Lane.POSTS, 4)) is None


def test_flood_of_receipts_makes_no_publish_fail(line, link):
    """They may wait ten times as long; then they fail alone."""
    outcomes = [refused(line.run(SCRIPT, (), Lane.RECEIPTS, 10)) for _ in range(20)]
    assert outcomes == [None] * 10 + ["too much waits for the store"] * 10
    for lane in (Lane.POSTS, Lane.CLIENTS, Lane.DUTIES):
        assert refused(line.run(SCRIPT, (), lane, 10)) is None


def test_what_is_heavier_than_the_limit_is_taken_when_nothing_waits(line, link):
    assert refused(line.run(SCRIPT, (), Lane.POSTS, 1_000)) is None
    assert refused(line.run(SCRIPT, (), Lane.POSTS)) is not None
    link.answer()
    assert refused(line.run(SCRIPT, (), Lane.POSTS)) is None
    assert refused(line.run(SCRIPT, (), Lane.POSTS, 1_000)) is not None


def test_failure_makes_room_as_well(line, link):
    line.run(SCRIPT, (), Lane.POSTS, 10).addErrback(lambda _: None)
    link.answer(StoreUnavailable("away"))
    assert refused(line.run(SCRIPT, (), Lane.POSTS, 10)) is None


def test_link_that_raises_is_a_failure(line, link):
    link.run = lambda script, args: 1 / 0
    failed = line.run(SCRIPT, (), Lane.POSTS)
    assert refused(failed) == "division by zero"


# Its health


def test_line_is_well_until_redis_is_away(line, link):
    assert line.trouble() is None
    line.run(SCRIPT, (), Lane.POSTS).addErrback(lambda _: None)
    link.answer(StoreUnavailable("Redis is away"))
    assert line.trouble() == "Redis is away"


def test_our_own_faults_are_no_trouble(line, link):
    failed = line.run(SCRIPT, (), Lane.POSTS)
    link.answer(ZeroDivisionError("a script's fault"))
    assert refused(failed) == "a script's fault"
    assert line.trouble() is None


def test_refusal_for_want_of_room_is_no_trouble(line, link):
    line.run(SCRIPT, (), Lane.POSTS, 10)
    refused(line.run(SCRIPT, (), Lane.POSTS, 10))
    assert line.trouble() is None


def test_trouble_lasts_until_something_is_written(line, link):
    """A read-only replica, or a Redis that is out of memory, answers who reads."""
    line.run(SCRIPT, (), Lane.POSTS).addErrback(lambda _: None)
    link.answer(StoreUnavailable("read-only"))
    line.run(SCRIPT, (), Lane.CLIENTS)
    line.run(SCRIPT, (), Lane.CLIENTS)
    link.answer()
    link.answer()
    [(probe, _)] = link.asked
    assert probe == ("SET", "rp:probe", "1", "PX", 60_000)
    assert line.trouble() == "read-only"
    link.answer(StoreUnavailable("still read-only"))
    assert line.trouble() == "still read-only"
    line.run(SCRIPT, (), Lane.CLIENTS)
    link.answer()
    link.answer("OK")
    assert line.trouble() is None
    assert link.asked == []


def test_without_trouble_nothing_is_probed(line, link):
    line.probe()
    line.run(SCRIPT, (), Lane.CLIENTS)
    link.answer()
    line.probe()
    assert link.asked == []


def test_without_traffic_maintenance_probes(line, link):
    line.run(SCRIPT, (), Lane.POSTS).addErrback(lambda _: None)
    link.answer(StoreUnavailable("away"))
    line.probe()
    line.probe()
    assert len(link.asked) == 1
    link.answer("OK")
    assert line.trouble() is None


# Stopping


def test_stopped_line_refuses_and_answers_what_it_has(line, link):
    answers: list = []
    line.run(SCRIPT, (), Lane.POSTS).addCallback(answers.append)
    stopped: list = []
    line.stop().addCallback(stopped.append)
    assert line.trouble() == "the store is closed"
    assert refused(line.run(SCRIPT, (), Lane.POSTS)) == "the store is closed"
    assert stopped == []
    line.stop().addCallback(stopped.append)
    link.answer(1)
    assert (answers, stopped) == ([1], [None, None])
    line.stop().addCallback(stopped.append)
    assert stopped == [None] * 3


def test_stopped_line_can_be_started_again(line, link):
    line.run(SCRIPT, (), Lane.POSTS).addErrback(lambda _: None)
    link.answer(StoreUnavailable("away"))
    line.stop()
    line.start()
    assert line.trouble() is None
    assert refused(line.run(SCRIPT, (), Lane.POSTS)) is None
