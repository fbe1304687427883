"""An object whose answers are timed."""

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from zope.interface import Interface, implementer
from zope.interface.verify import verifyObject

from reward_push.ops.timed import Timed


class IEcho(Interface):
    def echo(text):
        """Answer with ``text``."""


class IMore(IEcho):
    def wait():
        """Answer later."""


@implementer(IMore)
class Echo:
    def __init__(self):
        self.waiting = Deferred()

    def echo(self, text, *, loud=False):
        return succeed(text.upper() if loud else text)

    def wait(self):
        return self.waiting


class Bench:
    def __init__(self):
        self.now = 10.0
        self.seen = []
        self.target = Echo()
        self.timed = Timed(self.target, [IMore], self.observer, lambda: self.now)

    def observer(self, name):
        return lambda seconds, failed: self.seen.append((name, seconds, failed))


@pytest.fixture
def bench():
    return Bench()


def test_it_provides_what_its_target_does(bench):
    assert verifyObject(IMore, bench.timed)


def test_answers_pass_through(bench):
    results = []
    bench.timed.echo("a", loud=True).addCallback(results.append)
    assert results == ["A"]
    assert bench.seen == [("echo", 0.0, False)]


def test_the_time_until_the_answer_counts(bench):
    results = []
    bench.timed.wait().addCallback(results.append)
    bench.now += 1.5
    assert bench.seen == []
    bench.target.waiting.callback("late")
    assert (results, bench.seen) == (["late"], [("wait", 1.5, False)])


def test_failures_pass_through_and_count(bench):
    bench.target.waiting = fail(ValueError("no"))
    results = []
    bench.timed.wait().addErrback(results.append)
    [failure] = results
    assert isinstance(failure, Failure)
    assert failure.check(ValueError)
    assert bench.seen == [("wait", 0.0, True)]


def test_what_raises_fails(bench):
    results = []
    bench.timed.echo(7, loud=True).addErrback(results.append)
    assert results[0].check(AttributeError)
    assert bench.seen == [("echo", 0.0, True)]
