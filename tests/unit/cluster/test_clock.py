"""The cluster's clock, against a Redis whose time and way are made up."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from reward_push.access.interfaces import StoreUnavailable
from reward_push.cluster.clock import EVERY_S, SAMPLES, ClusterClock

EPOCH_S = 1_790_000_000.0


class Redis:
    """Tells a time; ``there_s`` and ``back_s`` is how long a question and its answer are under way."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ahead_s = EPOCH_S
        """Its time less the monotonic clock."""
        self.there_s = self.back_s = 0.0
        self.away = False
        self.asked = 0

    def command(self, name: str) -> "Deferred[list[str]]":
        assert name == "TIME"
        self.asked += 1
        if self.away:
            return fail(StoreUnavailable("away"))
        answer: Deferred[list[str]] = Deferred()
        self.clock.callLater(self.there_s, self._answer, answer)
        return answer

    def _answer(self, answer: "Deferred[list[str]]") -> None:
        micros = round(self.time_s() * 1_000_000)
        said = [str(micros // 1_000_000), str(micros % 1_000_000)]
        self.clock.callLater(self.back_s, answer.callback, said)

    def time_s(self) -> float:
        return self.clock.seconds() + self.ahead_s


class World:
    def __init__(self, wall_s: float = EPOCH_S) -> None:
        self.monotonic = Clock()
        self.redis = Redis(self.monotonic)
        self.clock = ClusterClock(self.redis, self.monotonic, lambda: wall_s)

    def read(self) -> None:
        failures: list[object] = []
        reading = Deferred.fromCoroutine(self.clock.read())
        reading.addErrback(failures.append)
        self.monotonic.pump([0, self.redis.there_s, self.redis.back_s])
        assert reading.called
        assert failures == []

    def wrong_ms(self) -> float:
        return self.clock.now_ms() - self.redis.time_s() * 1000


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def told() -> Iterator[list[str]]:
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_namespace") == "reward_push.cluster.clock.ClusterClock":
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def test_before_redis_has_answered_it_is_this_machines_own():
    world = World(wall_s=12_345.678)
    assert world.clock.now_ms() == 12_345_678
    world.monotonic.advance(1)
    assert world.clock.now_ms() == 12_346_678


def test_then_it_is_that_of_redis(world, told):
    world.redis.ahead_s = EPOCH_S + 180
    world.read()
    assert -1 < world.wrong_ms() <= 0
    assert told == ["this machine's clock is 180000 ms behind that of Redis, which counts"]
    world.monotonic.advance(1_000)
    assert -1 < world.wrong_ms() <= 0


def test_the_way_is_taken_to_be_as_long_there_as_back(world):
    world.redis.there_s = world.redis.back_s = 0.2
    world.read()
    assert -1 < world.wrong_ms() <= 0


def test_the_answer_with_the_shortest_way_counts(world):
    world.redis.there_s, world.redis.back_s = 0.0, 0.3
    world.read()
    assert world.wrong_ms() == pytest.approx(-150, abs=1)
    world.redis.back_s = 0.002
    world.read()
    assert world.wrong_ms() == pytest.approx(-1, abs=1)
    world.redis.there_s, world.redis.back_s = 0.3, 0.0
    world.read()
    assert world.wrong_ms() == pytest.approx(-1, abs=1.2)


def test_a_small_step_back_is_waited_out(world, told):
    world.read()
    before_ms = world.clock.now_ms()
    world.redis.ahead_s -= 0.5
    world.read()
    assert world.clock.now_ms() == before_ms
    world.monotonic.advance(0.25)
    assert world.clock.now_ms() == before_ms
    world.monotonic.advance(0.3)
    assert world.clock.now_ms() > before_ms
    assert -1 < world.wrong_ms() <= 0
    assert told == []


@pytest.mark.parametrize("step_s", [-60.0, 60.0, -1.5, 1.5])
def test_a_large_step_is_made_at_once_and_told(world, told, step_s):
    world.redis.there_s = world.redis.back_s = 0.01
    world.read()
    world.clock.now_ms()
    world.redis.ahead_s += step_s
    world.read()
    assert -1.1 < world.wrong_ms() <= 0.1
    assert told == [f"the clock of Redis was set by {round(step_s * 1000)} ms"]


def test_it_asks_now_and_then_and_goes_on_while_redis_is_away(world):
    world.clock.start()
    world.clock.start()
    world.monotonic.advance(EVERY_S)
    world.monotonic.advance(0)
    assert world.redis.asked == 1
    world.redis.away = True
    before_ms = world.clock.now_ms()
    world.monotonic.pump([EVERY_S] * 5)
    assert world.redis.asked == 6
    assert world.clock.now_ms() - before_ms == EVERY_S * 5 * 1000
    world.clock.stop()
    world.clock.stop()
    world.monotonic.advance(EVERY_S * 5)
    assert world.redis.asked == 6
    assert world.monotonic.getDelayedCalls() == []


def test_a_clock_that_runs_differently_is_followed(world):
    """100 ppm, as bad as clocks are: within a millisecond and a half at all times."""
    world.read()
    for _ in range(100):
        world.monotonic.advance(EVERY_S)
        world.redis.ahead_s += EVERY_S * 100e-6
        world.read()
        assert abs(world.wrong_ms()) < 1.0 + SAMPLES * EVERY_S * 100e-3 / 2


WAYS = st.tuples(st.floats(0, 0.4), st.floats(0, 0.4))


@given(st.lists(WAYS, min_size=1, max_size=30), st.floats(-1e6, 1e6))
def test_it_is_never_further_off_than_half_the_shortest_way_and_never_goes_back(ways, ahead_s):
    world = World()
    world.redis.ahead_s += ahead_s
    latest_ms = None
    for at, (there_s, back_s) in enumerate(ways):
        world.redis.there_s, world.redis.back_s = there_s, back_s
        world.read()
        recent = ways[max(0, at - SAMPLES + 1) : at + 1]
        bound_ms = min(sum(way) for way in recent) * 500
        drifted_ms = sum(map(sum, recent)) * 0.5
        # While it stands still after a correction it may be as wrong as it was.
        if latest_ms is None or world.clock.now_ms() > latest_ms:
            assert abs(world.wrong_ms()) <= bound_ms + drifted_ms + 1.01
        if latest_ms is not None:
            assert world.clock.now_ms() >= latest_ms
        latest_ms = world.clock.now_ms()


def test_what_redis_refuses_is_an_error_for_who_reads(world):
    world.redis.away = True
    reading = Deferred.fromCoroutine(world.clock.read())
    caught: list[object] = []
    reading.addErrback(lambda failure: caught.append(failure.trap(StoreUnavailable)))
    assert caught == [StoreUnavailable]
