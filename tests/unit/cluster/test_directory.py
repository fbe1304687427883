"""Who is alive, as one node sees it: by the others' beats, on its own clock, while Redis answers."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from zope.interface import implementer
from zope.interface.verify import verifyObject

from reward_push.access.interfaces import StoreUnavailable
from reward_push.cluster import directory as directory_module
from reward_push.cluster.beat import BEAT
from reward_push.cluster.directory import ASK_SPACING_S, Directory
from reward_push.cluster.interfaces import IRedis, Script
from reward_push.cluster.member import Load, Member
from reward_push.cluster.roster import BEAT_S, EXPIRY_S
from reward_push.cluster.secret import SharedSecret


@implementer(IRedis)
class FakeRedis:
    """Keeps records as the script does. ``away``: it fails; ``slow``: it answers when told to."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.records: dict[str, tuple[str, float]] = {}
        self.secret = ""
        self.away = False
        self.slow = False
        self.waiting: list[Callable[[], None]] = []
        self.asked = 0

    def run(self, script: Script, args: Any) -> "Deferred[Any]":
        assert script is BEAT
        self.asked += 1
        if self.away:
            return fail(StoreUnavailable())
        if not self.slow:
            return succeed(self._beat(*args))
        answer: Deferred[Any] = Deferred()
        self.waiting.append(lambda: answer.callback(self._beat(*args)))
        return answer

    def command(self, name: str, *args: Any) -> "Deferred[Any]":
        raise AssertionError(name)

    def answer(self) -> None:
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each()

    def alive(self) -> dict[str, str]:
        now = self.clock.seconds()
        return {name: record for name, (record, until) in self.records.items() if until > now}

    def _beat(
        self, prefix: str, node_id: str, record: str, expiry_ms: int, most: int, secret: str
    ) -> Any:
        assert prefix == "p:"
        before = self.alive().get(node_id, "")
        self.records[node_id] = (record, self.clock.seconds() + expiry_ms / 1000)
        if secret:
            self.secret = self.secret or secret
        return [before, self.secret if secret else "", list(self.alive().values())[:most]]


class Nodes:
    """A clock, a Redis, and nodes on it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.redis = FakeRedis(self.clock)
        self.load = Load(5, "ok")
        self.gone: list[tuple[str, str]] = []

    def node(self, node_id: str, instance: str = "1", secret: str | None = "s") -> Directory:
        me = Member(node_id, instance, 0, f"{node_id}:1", "0.1", 900_000, 0, "starting")
        made = Directory(
            self.redis,
            "p:",
            me,
            lambda: self.load,
            SharedSecret(secret),
            self.clock,
            lambda: round(self.clock.seconds() * 1000),
        )
        made.on_gone(lambda member: self.gone.append((node_id, member.node_id)))
        return made

    def started(self, node_id: str, instance: str = "1") -> Directory:
        made = self.node(node_id, instance)
        assert made.start().called
        return made

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)


def crash(node: Directory) -> None:
    """It writes no more."""
    node._loop.stop()


def rows(nodes: Nodes, node: Directory) -> Sequence[Mapping[str, Any]]:
    """What the API shows, as soon as it is known."""
    shown: list[Sequence[Mapping[str, Any]]] = []
    node.nodes().addCallback(shown.append)
    nodes.clock.advance(ASK_SPACING_S)
    return shown[0]


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


def test_the_fake_is_one(nodes: Nodes) -> None:
    assert verifyObject(IRedis, nodes.redis)


def test_nodes_find_each_other(nodes: Nodes) -> None:
    """The later one at once, the earlier one with its next beat."""
    a, b = nodes.started("a"), nodes.started("b")
    assert b.find("a") is not None
    assert a.find("b") is None
    nodes.pass_time(BEAT_S)
    found = a.find("b")
    assert found is not None
    assert (found.address, found.connections, found.status) == ("b:1", 5, "ok")
    assert a.find("a") is None
    assert (a.others(), b.others()) == (["b"], ["a"])


def test_what_the_api_shows(nodes: Nodes) -> None:
    """No address, no instance; itself included."""
    a = nodes.started("a")
    nodes.started("b")
    nodes.load = Load(6, "draining")
    nodes.pass_time(2 * BEAT_S + 1)
    rows(nodes, a)
    nodes.pass_time(0.5)
    common = {"version": "0.1", "since": "1970-01-01T00:15:00.000Z", "uptime_s": 105.7}
    assert rows(nodes, a) == [
        {
            "node": name,
            "status": "draining",
            "draining": True,
            "connections": 6,
            **common,
            "heard_ago_s": pytest.approx(ago_s),
        }
        for name, ago_s in (("a", 0.0), ("b", 0.6))
    ]


def test_what_the_api_shows_is_asked_for(nodes: Nodes) -> None:
    """Who has come, who moves its clients away, and who has gone since the last beat."""
    a = nodes.started("a")
    b = nodes.started("b")
    assert [each["node"] for each in rows(nodes, a)] == ["a", "b"]
    nodes.load = Load(6, "draining")
    b.hurry()
    assert [each["draining"] for each in rows(nodes, a)] == [True, True]
    b.leave()
    assert [each["node"] for each in rows(nodes, a)] == ["a"]
    assert nodes.clock.seconds() < 1000 + BEAT_S


def test_without_redis_the_api_shows_what_is_known(nodes: Nodes) -> None:
    a = nodes.started("a")
    nodes.started("b")
    nodes.pass_time(BEAT_S)
    nodes.redis.away = True
    assert [each["node"] for each in rows(nodes, a)] == ["a", "b"]
    a.leave()
    assert [each["node"] for each in rows(nodes, a)] == ["a", "b"]


def test_a_node_that_stops_beating_is_gone(nodes: Nodes) -> None:
    """After six seconds, and not before; it is noticed with the next beat."""
    a, b = nodes.started("a"), nodes.started("b")
    nodes.pass_time(BEAT_S)
    crash(b)
    nodes.pass_time(EXPIRY_S - 0.2)
    assert a.find("b") is not None
    nodes.pass_time(2 * BEAT_S)
    assert a.find("b") is None
    assert nodes.gone == [("a", "b")]


def test_a_node_that_leaves_is_gone_with_the_next_beat(nodes: Nodes) -> None:
    a, b = nodes.started("a"), nodes.started("b")
    nodes.pass_time(BEAT_S)
    assert b.leave().called
    nodes.pass_time(BEAT_S)
    assert a.others() == []
    nodes.pass_time(2 * EXPIRY_S)
    assert nodes.gone == [("a", "b")]
    assert list(nodes.redis.alive()) == ["a"]


def test_a_node_that_has_left_is_not_met(nodes: Nodes) -> None:
    b = nodes.started("b")
    b.leave()
    assert nodes.started("a").others() == []
    assert nodes.gone == []


def test_a_node_that_is_started_anew(nodes: Nodes) -> None:
    """What was expected of the old one will not come; the new one is found."""
    a, b = nodes.started("a"), nodes.started("b")
    nodes.pass_time(BEAT_S)
    crash(b)
    again = nodes.started("b", "2")
    nodes.pass_time(BEAT_S)
    found = a.find("b")
    assert found is not None
    assert found.instance == "2"
    assert nodes.gone == [("a", "b")]
    assert again.trouble() is None


def test_one_broken_callback_harms_no_other(nodes: Nodes, logged_failures: list[str]) -> None:
    a, b = nodes.node("a"), nodes.started("b")
    heard: list[Member] = []
    a.on_gone(lambda _: 1 / 0)
    a.on_gone(heard.append)
    a.start()
    b.leave()
    nodes.pass_time(BEAT_S)
    assert [each.node_id for each in heard] == ["b"]
    assert logged_failures == ["division by zero"]


# Redis is away


@pytest.mark.parametrize("empty", [False, True])
def test_while_redis_is_away_nobody_is_taken_for_dead(nodes: Nodes, empty: bool) -> None:
    """Nor when it is back, though it has forgotten everybody."""
    a = nodes.started("a")
    nodes.started("b")
    nodes.pass_time(BEAT_S)
    nodes.redis.away = True
    nodes.pass_time(60)
    assert a.find("b") is not None
    if empty:
        nodes.redis.records.clear()
    nodes.redis.away = False
    nodes.pass_time(60)
    assert nodes.gone == []


def test_who_died_meanwhile_is_gone_in_the_end(nodes: Nodes) -> None:
    a, b = nodes.started("a"), nodes.started("b")
    nodes.pass_time(BEAT_S)
    nodes.redis.away = True
    nodes.pass_time(30)
    crash(b)
    nodes.pass_time(30)
    nodes.redis.away = False
    nodes.pass_time(EXPIRY_S + BEAT_S)
    assert a.find("b") is None


def test_it_is_said_once_that_redis_is_away(nodes: Nodes, warnings: list[str]) -> None:
    a = nodes.started("a")
    for _ in range(2):
        nodes.redis.away = True
        nodes.pass_time(10)
        nodes.redis.away = False
        nodes.pass_time(10)
    assert len(warnings) == 2
    a.leave()


def test_a_start_without_redis(nodes: Nodes) -> None:
    """It goes on, and finds the others when Redis is back."""
    nodes.started("b")
    nodes.redis.away = True
    a = nodes.started("a")
    assert a.others() == []
    assert a.trouble() == "other nodes do not know this one yet"
    nodes.redis.away = False
    nodes.pass_time(BEAT_S)
    assert a.others() == ["b"]
    assert a.trouble() is None


def test_a_node_that_was_paused_takes_nobody_for_dead(nodes: Nodes) -> None:
    """For itself no time has passed in which it could have heard them."""
    a, b = nodes.started("a"), nodes.started("b")
    nodes.pass_time(BEAT_S)
    crash(b)  # with it: a pause of the whole machine
    nodes.clock.advance(60)
    assert a.find("b") is not None
    b._loop.start(BEAT_S)
    nodes.pass_time(60)
    assert ("a", "b") not in nodes.gone


def test_the_other_node_was_paused(nodes: Nodes) -> None:
    """It is gone, and comes back: its clients have been told to come again."""
    a, b = nodes.started("a"), nodes.started("b")
    nodes.pass_time(BEAT_S)
    crash(b)
    nodes.pass_time(60)
    assert nodes.gone == [("a", "b")]
    b._loop.start(BEAT_S)
    nodes.pass_time(BEAT_S)
    assert a.find("b") is not None
    assert b.trouble() is None


def test_nonsense_in_redis_is_passed_over(nodes: Nodes, logged_failures: list[str]) -> None:
    a, b = nodes.started("a"), nodes.started("b")
    nodes.redis.records["c"] = ("nonsense", 1e9)
    nodes.redis.records["d"] = (json.dumps({"node_id": "d"}), 1e9)
    nodes.pass_time(BEAT_S)
    assert (a.others(), b.others()) == (["b"], ["a"])
    assert logged_failures == []


def test_an_answer_that_is_none_ends_nothing(nodes: Nodes, logged_failures: list[str]) -> None:
    a = nodes.started("a")
    broken, nodes.redis._beat = nodes.redis._beat, lambda *_: None  # type: ignore[method-assign]
    nodes.pass_time(BEAT_S)
    nodes.redis._beat = broken  # type: ignore[method-assign]
    nodes.started("b")
    nodes.pass_time(BEAT_S)
    assert a.others() == ["b"]
    assert len(logged_failures) == 1


# Questions


def test_a_node_that_is_not_known_is_asked_for(nodes: Nodes) -> None:
    """At once: one question for all who ask at the same time."""
    a = nodes.started("a")
    nodes.pass_time(1)
    nodes.started("b")
    asked = nodes.redis.asked
    found: list[Any] = []
    for _ in range(10):
        a.ask("b").addCallback(found.append)
        a.ask("nobody").addCallback(found.append)
    nodes.clock.advance(0)
    assert nodes.redis.asked == asked + 1
    assert [each and each.node_id for each in found] == ["b", None] * 10


def test_a_flood_of_unknown_sids_is_no_flood_of_questions(nodes: Nodes) -> None:
    a = nodes.started("a")
    nodes.pass_time(0.05)
    asked = nodes.redis.asked
    answers: list[Any] = []
    for number in range(5_000):
        a.ask(f"n{number}").addCallback(answers.append)
        nodes.clock.advance(0.0002)
    nodes.pass_time(0.2)
    assert len(answers) == 5_000
    assert nodes.redis.asked - asked <= 1.2 / ASK_SPACING_S + 1


def test_an_answer_to_an_earlier_question_does_not_count(nodes: Nodes) -> None:
    """A node that has come since would be missing in it."""
    a = nodes.started("a")
    nodes.pass_time(1)
    nodes.redis.slow = True
    first: list[Any] = []
    a.ask("b").addCallback(first.append)
    nodes.clock.advance(0)
    second: list[Any] = []
    a.ask("b").addCallback(second.append)
    nodes.redis.answer()
    assert first == [None]
    assert second == []
    nodes.redis.slow = False
    nodes.started("b")
    nodes.pass_time(ASK_SPACING_S)
    assert [each.node_id for each in second] == ["b"]


def test_only_so_many_wait(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is told at once what is known."""
    monkeypatch.setattr(directory_module, "MAX_ASKING", 3)
    a = nodes.started("a")
    nodes.redis.slow = True
    answers: list[Any] = []
    for _ in range(5):
        a.ask("b").addCallback(answers.append)
    assert answers == [None, None]


def test_nobody_waits_for_long(nodes: Nodes) -> None:
    a = nodes.started("a")
    nodes.redis.slow = True
    answers: list[Any] = []
    a.ask("b").addCallback(answers.append)
    nodes.pass_time(1.1)
    assert answers == [None]
    nodes.redis.answer()
    nodes.redis.away, nodes.redis.slow = True, False
    a.ask("b").addCallback(answers.append)
    nodes.pass_time(ASK_SPACING_S)
    assert answers == [None, None]


def test_a_known_node_is_asked_for_anew(nodes: Nodes) -> None:
    """It does not answer where it was."""
    a, b = nodes.started("a"), nodes.started("b")
    nodes.pass_time(BEAT_S)
    crash(b)
    nodes.started("b", "2")
    answers: list[Any] = []
    a.ask("b").addCallback(answers.append)
    a.ask("b", anew=True).addCallback(answers.append)
    nodes.pass_time(ASK_SPACING_S)
    assert [each.instance for each in answers] == ["1", "2"]


def test_nothing_is_asked_after_the_end(nodes: Nodes) -> None:
    a = nodes.started("a")
    answers: list[Any] = []
    nodes.redis.slow = True
    a.ask("b").addCallback(answers.append)
    nodes.redis.slow = False
    a.leave()
    a.ask("b").addCallback(answers.append)
    assert answers == [None, None]
    asked = nodes.redis.asked
    nodes.pass_time(60)
    assert nodes.redis.asked == asked
    assert nodes.clock.getDelayedCalls() == []


def test_redis_is_back(nodes: Nodes) -> None:
    """It is used at once. Before the start and after the end nothing is."""
    nodes.started("b")
    a = nodes.node("a")
    a.hurry()
    nodes.redis.away = True
    a.start()
    nodes.redis.away = False
    a.hurry()
    assert a.others() == ["b"]
    a.leave()
    asked = nodes.redis.asked
    a.hurry()
    assert nodes.redis.asked == asked


def test_leaving_without_redis(nodes: Nodes) -> None:
    a = nodes.started("a")
    nodes.redis.away = True
    assert a.leave().called
    assert nodes.clock.getDelayedCalls() == []


# One name, two nodes


def test_two_nodes_with_one_name_are_noticed(nodes: Nodes, errors: list[str]) -> None:
    """By both, as long as it lasts."""
    first, second = nodes.started("a", "1"), nodes.started("a", "2")
    assert second.trouble() is None
    nodes.pass_time(2 * BEAT_S)
    for each in (first, second):
        assert each.trouble() == "another node uses the node_id a, too"
    assert len(errors) == 2
    assert "uses the node_id a, too" in errors[0]
    crash(second)
    nodes.pass_time(EXPIRY_S + BEAT_S)
    assert first.trouble() is None
    assert len(errors) == 2


def test_a_name_may_be_taken_over(nodes: Nodes, errors: list[str]) -> None:
    """Of a node that was killed, though its record is still there, or that has left."""
    first = nodes.started("a", "1")
    crash(first)
    second = nodes.started("a", "2")
    nodes.pass_time(EXPIRY_S)
    second.leave()
    third = nodes.started("a", "3")
    nodes.pass_time(EXPIRY_S)
    assert [each.trouble() for each in (second, third)] == [None, None]
    assert errors == []


# The secret


def test_nodes_agree_on_a_secret(nodes: Nodes) -> None:
    a, b = nodes.node("a", secret=None), nodes.node("b", secret=None)
    a.start()
    b.start()
    assert a._secret.key == b._secret.key is not None
    kept = nodes.redis.secret
    # Redis has come back empty, and a new node was there first: all take what it has put there.
    nodes.redis.secret = ""
    c = nodes.node("c", secret=None)
    c.start()
    nodes.pass_time(BEAT_S)
    assert a._secret.key == b._secret.key == c._secret.key
    assert nodes.redis.secret != kept
    # And otherwise what they had.
    kept, nodes.redis.secret = nodes.redis.secret, ""
    nodes.pass_time(BEAT_S)
    assert nodes.redis.secret == kept


def test_where_it_is_located(nodes: Nodes) -> None:
    """Known once it listens; it counts from then on."""
    a = nodes.node("a")
    a.located("10.0.0.9:7")
    a.start()
    b = nodes.started("b")
    found = b.find("a")
    assert found is not None
    assert (found.address, found.since_ms) == ("10.0.0.9:7", 1_000_000)
    assert attrs.evolve(found, beat=0).status == "ok"


@pytest.fixture
def warnings() -> Any:
    yield from _logged("warn")


@pytest.fixture
def errors() -> Any:
    yield from _logged("error")


def _logged(level: str) -> Any:
    from twisted.logger import formatEvent

    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event["log_level"].name == level:
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)
