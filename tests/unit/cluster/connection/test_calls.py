"""Calls on one connection: time, order and bounds, with a connection that answers when it is told to."""

from collections import deque
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from reward_push.access.interfaces import AnswerLost, StoreUnavailable
from reward_push.cluster.connection.calls import ANSWER_S, GRACE_S, MAX_SENT, Calls
from reward_push.cluster.connection.errors import ErrorReply, NotConnected, RedisRefusal
from reward_push.cluster.interfaces import Script

ONE, TWO = Script("one", "return 1"), Script("two", "return 2")
NOSCRIPT = ErrorReply.of("NOSCRIPT No matching script.")


class Wire:
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: deque[tuple[str, Deferred[Any]]] = deque()

    def ask(self, *words: str | bytes | int) -> "Deferred[Any]":
        answer: Deferred[Any] = Deferred()
        names = {ONE.sha1: "ONE", TWO.sha1: "TWO", ONE.source: "ONE", TWO.source: "TWO"}
        texts = [each.decode() if isinstance(each, bytes) else str(each) for each in words]
        self.asked.append((" ".join(names.get(each, each) for each in texts), answer))
        return answer

    def answer(self, *replies: Any) -> list[str]:
        """Answer the oldest; return what they asked."""
        words = []
        for reply in replies:
            what, answer = self.asked.popleft()
            words.append(what)
            answer.callback(Failure(reply) if isinstance(reply, Exception) else reply)
        return words


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.wire = Wire()
        self.broken: list[str] = []
        self.unable: list[str] = []
        self.seconds: list[float] = []
        self.outcomes: list[Any] = []
        self.calls = Calls(
            self.wire,
            self.clock,
            broken=self._broken,
            unable=self.unable.append,
            observe_s=self.seconds.append,
        )

    def _broken(self, reason: str) -> None:
        self.broken.append(reason)
        self.calls.fail(reason)

    def call(self, *words: str | int, script: Script | None = None) -> None:
        self.calls.call(words, script).addBoth(self._note)

    def run(self, script: Script, *args: str) -> None:
        self.call("EVALSHA", script.sha1, 0, *args, script=script)

    def _note(self, outcome: Any) -> None:
        failed = isinstance(outcome, Failure)
        self.outcomes.append(type(outcome.value) if failed else outcome)


@pytest.fixture
def world() -> World:
    return World()


def test_a_script_is_loaded_before_its_first_call(world):
    world.run(ONE, "a")
    world.run(ONE, "b")
    world.run(TWO, "c")
    said = world.wire.answer("sha", "A", "B", "sha", "C")
    assert said == [
        *("SCRIPT LOAD ONE", "EVALSHA ONE 0 a", "EVALSHA ONE 0 b"),
        *("SCRIPT LOAD TWO", "EVALSHA TWO 0 c"),
    ]
    assert world.outcomes == ["A", "B", "C"]
    assert len(world.calls) == 0


def test_after_a_flush_nothing_is_sent_until_all_is_back_and_answers_keep_their_order(world):
    world.run(ONE, "warm")
    world.run(TWO, "warm")
    world.wire.answer("sha", 0, "sha", 0)
    world.outcomes.clear()
    world.run(ONE, "a")
    world.call("GET", "k")
    world.run(TWO, "b")
    world.wire.answer(NOSCRIPT)
    world.run(ONE, "c")
    world.call("GET", "l")
    # Somebody else has loaded TWO meanwhile.
    assert world.wire.answer("K", "B") == ["GET k", "EVALSHA TWO 0 b"]
    assert world.outcomes == []
    said = world.wire.answer("sha", "A", "C", "L")
    assert said == ["SCRIPT LOAD ONE", "EVALSHA ONE 0 a", "EVALSHA ONE 0 c", "GET l"]
    assert world.outcomes == ["A", "K", "B", "C", "L"]


def test_what_is_forgotten_again_and_again_is_refused(world):
    world.run(ONE)
    for _ in range(MAX_SENT):
        world.wire.answer("sha", NOSCRIPT)
    assert world.outcomes == [RedisRefusal]
    assert world.broken == []


def test_a_script_that_cannot_be_loaded_fails_all_its_calls_and_is_tried_anew(world):
    refused = ErrorReply.of("ERR Error compiling script")
    for _ in range(3):
        world.run(ONE)
    world.call("GET", "k")
    world.wire.answer(refused, NOSCRIPT, NOSCRIPT, NOSCRIPT, "K")
    assert world.outcomes == [RedisRefusal] * 3 + ["K"]
    world.run(ONE)
    assert world.wire.answer("sha", 1) == ["SCRIPT LOAD ONE", "EVALSHA ONE 0"]
    assert world.outcomes[-1] == 1


def test_one_timer_serves_all_and_the_oldest_counts(world):
    world.call("A")
    world.clock.advance(ANSWER_S / 2)
    world.call("B")
    assert len(world.clock.getDelayedCalls()) == 1
    world.wire.answer("a")
    world.clock.advance(ANSWER_S / 2)
    assert world.broken == []
    world.clock.advance(ANSWER_S / 2)
    assert world.broken == ["no answer in 2 s"]
    assert world.outcomes == ["a", AnswerLost]
    assert world.clock.getDelayedCalls() == []


def test_when_all_is_answered_no_timer_goes_on(world):
    world.call("A")
    world.wire.answer("a")
    world.clock.advance(ANSWER_S)
    assert world.clock.getDelayedCalls() == []
    assert world.broken == []
    world.clock.advance(100)
    world.call("B")
    world.clock.advance(ANSWER_S - 0.01)
    assert world.broken == []
    world.clock.advance(0.01)
    assert world.broken


def test_a_time_out_noticed_late_lets_answers_be_read_first(world):
    world.call("A")
    world.call("B")
    world.clock.advance(60)  # the process stood still
    assert world.broken == []
    world.wire.answer("a")
    world.clock.advance(GRACE_S)
    assert world.broken == ["no answer in 2 s"]
    assert world.outcomes == ["a", AnswerLost]


def test_a_lost_connection_fails_everything_once_and_takes_nothing_more(world):
    world.run(ONE)
    world.call("GET", "k")
    world.wire.answer("sha", NotConnected("the connection broke"), NotConnected("the same"))
    assert world.broken == ["the connection broke"]
    # Nobody knows what became of those that were sent.
    assert world.outcomes == [AnswerLost] * 2
    world.call("GET", "l")
    assert world.outcomes == [AnswerLost, AnswerLost, StoreUnavailable]
    assert len(world.wire.asked) == 0
    world.calls.fail("again")


def test_what_was_answered_out_of_order_is_not_lost_with_the_connection(world):
    world.run(ONE)
    world.call("GET", "k")
    world.wire.answer("sha", NOSCRIPT, "K")
    world.calls.fail("gone")
    assert world.outcomes == [AnswerLost, "K"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("READONLY You can't write", "Redis is a read-only replica"),
        ("LOADING Redis is loading", "Redis is loading its data"),
        ("NOAUTH Authentication required.", "Redis wants a password"),
    ],
)
def test_what_another_redis_is_needed_for_breaks_the_connection(world, said, reason):
    world.call("SET", "k", "v")
    world.call("GET", "k")
    world.wire.answer(ErrorReply.of(said))
    assert world.broken == [reason]
    assert world.outcomes == [AnswerLost] * 2


def test_what_redis_cannot_do_now_fails_alone(world):
    world.call("SET", "k", "v")
    world.call("GET", "k")
    world.wire.answer(ErrorReply.of("OOM command not allowed"), "v")
    assert world.outcomes == [StoreUnavailable, "v"]
    assert world.unable == ["Redis is out of memory"]
    assert world.broken == []


def test_latency_is_from_the_call_to_its_reply(world):
    world.call("A")
    world.clock.advance(0.25)
    world.wire.answer("a")
    assert world.seconds == [0.25]


def test_who_gives_up_an_answer_disturbs_no_other(world):
    world.calls.call(["A"]).addErrback(lambda _: None).cancel()
    world.call("B")
    world.wire.answer("a", "b")
    assert world.outcomes == ["b"]


def test_whoever_calls_in_an_answer_is_behind_the_others(world):
    world.calls.call(["A"]).addCallback(lambda _: world.call("C"))
    world.call("B")
    assert world.wire.answer("a", "b", "c") == ["A", "B", "C"]
    assert world.outcomes == ["b", "c"]
