"""What a node does on each new connection to Redis."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from reward_push.access.interfaces import StoreUnavailable
from reward_push.access.keys import KeyRing
from reward_push.engineio.errors import CloseReason
from reward_push.node.recovery import SEND_AWAY_WITHIN_S, Recovery

from ..access.test_keys import RecordingStore, plugin_key, result


class FakeRedis:
    """Its store, and its time."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log
        self.epochs: list[Any] = []
        self.refused: list[Any] = []

    def start(self) -> None:
        self.log.append("start")

    async def find(self) -> None:
        self.log.append("time")

    def meet(self, new_epoch: str, heard: int) -> "Deferred[str]":
        self.log.append(f"meet {heard}")
        epoch = self.epochs.pop(0)
        return fail(epoch) if isinstance(epoch, Exception) else succeed(epoch or new_epoch)

    def epoch(self) -> "Deferred[str | None]":
        epoch = self.epochs.pop(0)
        return fail(epoch) if isinstance(epoch, Exception) else succeed(epoch)

    def restore_keys(self, stored: Any, revoked: Any) -> "Deferred[list[str]]":
        self.log.append((list(stored), list(revoked)))
        refused = self.refused.pop(0)
        return fail(refused) if isinstance(refused, Exception) else succeed(refused)


class Client:
    """One that is connected until it is sent away."""

    settling = False

    def __init__(self, log: list[Any]) -> None:
        self.log = log
        self.present = True

    def when_idle(self, call: Any) -> None:
        call()

    def evict(self, reason: CloseReason) -> None:
        self.present = False
        self.log.append("sent away")


class World:
    """A node that knows two keys, and has heard that a third was revoked."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.redis = FakeRedis(self.log)
        self.client = Client(self.log)
        self.clock = Clock()
        made = [plugin_key(), plugin_key()]
        self.stored = [stored for stored, _ in made]
        self.keys = KeyRing(RecordingStore(*self.stored), lambda: 5)
        for _, text in made:
            result(self.keys.authenticate(text))
        self.keys.revoked("third")
        self.keys.evict = lambda key_id: self.log.append(f"evict {key_id}")
        redis: Any = self.redis
        self.recovery = Recovery(
            redis,
            redis,
            self.keys,
            lambda: [self.client] if self.client.present else [],
            lambda: 7,
            lambda reason: self.log.append(reason),
            self.clock,
        )

    def meet(self) -> Exception | None:
        """There is a new connection; return what is wrong with it, if anything."""
        outcome: list[Any] = []
        Deferred.fromCoroutine(self.recovery.meet()).addBoth(outcome.append)
        [ended] = outcome
        return None if ended is None else ended.value

    def look(self, epoch: Any) -> list[Any]:
        """Look whether all is there; return what was done."""
        self.redis.epochs = [epoch]
        ended: list[Any] = []
        Deferred.fromCoroutine(self.recovery.look()).addBoth(ended.append)
        assert ended == [None]
        done, self.log[:] = list(self.log), []
        return done

    def met(self, *epochs: Any) -> "World":
        """Meet Redis once for each; forget what was done."""
        self.redis.epochs = list(epochs)
        for _ in epochs:
            self.meet()
        self.log.clear()
        return self


@pytest.fixture
def world() -> World:
    return World()


def test_nothing_is_asked_before_the_time_is_known(world: World) -> None:
    world.redis.epochs = ["e"]
    assert not world.recovery.has_met
    assert world.meet() is None
    assert world.recovery.has_met
    assert world.log == ["time", "start", "meet 7"]


def test_a_first_connection_that_fails_is_a_first_one_again(world: World) -> None:
    away = StoreUnavailable("away")
    world.redis.epochs = [away, "e"]
    assert world.meet() is away
    assert not world.recovery.has_met
    assert world.meet() is None
    assert (world.log, world.recovery.losses) == (["time", "start", "meet 7"] * 2, 0)


def test_a_redis_that_has_all_is_just_met(world: World) -> None:
    world.met("e")
    world.redis.epochs = ["e"]
    assert world.meet() is None
    assert (world.log, world.recovery.losses) == (["meet 7", "time"], 0)


def test_a_redis_that_has_lost_its_data_gets_keys_back_and_clients_come_again(world: World) -> None:
    world.met("e")
    world.redis.epochs, world.redis.refused = ["another", "another"], [[]]
    assert world.meet() is None
    assert world.log == ["meet 7", "time", (world.stored, ["third"])]
    assert world.recovery.losses == 1
    world.clock.advance(SEND_AWAY_WITHIN_S)
    assert world.log[3:] == ["sent away"]
    world.log.clear()
    assert world.meet() is None
    assert (world.log, world.recovery.losses) == (["meet 7", "time"], 1)


def test_a_key_that_others_know_to_be_revoked_is_forgotten(world: World) -> None:
    """This node was deaf when that was told."""
    revoked = world.stored[0].key.key_id
    world.met("e")
    world.redis.epochs, world.redis.refused = ["another"], [[revoked]]
    world.meet()
    assert f"evict {revoked}" in world.log
    assert world.keys.known() == world.stored[1:]
    assert world.keys.known_revoked() == ["third", revoked]


def test_what_could_not_be_given_back_is_given_back_on_the_next_connection(world: World) -> None:
    away = StoreUnavailable("away")
    world.met("e")
    world.redis.epochs, world.redis.refused = ["another", "another"], [away, []]
    assert world.meet() is away
    assert (world.client.present, world.recovery.losses) == (True, 0)
    assert world.meet() is None
    assert world.log == ["meet 7", "time", (world.stored, ["third"])] * 2
    assert world.recovery.losses == 1


@pytest.mark.parametrize("epoch", [None, "another"])
def test_a_redis_that_is_emptied_while_connected_is_met_anew(
    world: World, epoch: str | None
) -> None:
    """By nobody, or by another node first."""
    assert world.met("e").look(epoch) == ["it was emptied"]


def test_a_redis_that_has_all_is_let_be(world: World) -> None:
    assert world.look("another") == []  # It was not met yet.
    assert world.met("e").look("e") == []
    assert world.look(StoreUnavailable("away")) == []


def test_it_is_looked_again_after_whatever_failure(
    world: World, logged_failures: list[str]
) -> None:
    """Who called this every other second would stop for good."""
    assert world.met("e").look(RuntimeError("refused")) == []
    assert logged_failures == ["refused"]


def test_whoever_is_just_met_is_not_looked_at(world: World) -> None:
    """What it lost is being made up for: that must not begin again and again."""
    world.met("e")
    waiting: Deferred[str] = Deferred()
    world.redis.epochs = ["another"]
    world.redis.refused = [[]]
    world.recovery._store.meet = lambda *_: waiting  # type: ignore[method-assign]
    meeting = Deferred.fromCoroutine(world.recovery.meet())
    assert world.look("another") == []
    waiting.callback("another")
    assert (result(meeting), world.recovery.losses) == (None, 1)
    world.log.clear()
    assert world.look("another") == []
