"""The cluster's clock looks for a good answer when a connection is new."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from reward_push.cluster.clock import TRIES, ClusterClock

REDIS_S = 1_790_000_000.0


class Redis:
    """Answers each TIME after so many seconds of the next number; half of that it was on the way back."""

    def __init__(self, clock: Clock, *ways_s: tuple[float, float]) -> None:
        self._clock = clock
        self.ways_s = list(ways_s)
        self.ahead_s = REDIS_S

    def command(self, name: str, *args: Any) -> "Deferred[Any]":
        assert name == "TIME"
        there_s, back_s = self.ways_s.pop(0)
        answer: Deferred[Any] = Deferred()
        time_s = self._clock.seconds() + there_s + self.ahead_s
        seconds, micros = divmod(round(time_s * 1_000_000), 1_000_000)
        self._clock.callLater(there_s + back_s, answer.callback, [str(seconds), str(micros)])
        return answer


def found(clock: Clock, redis: Any, times: ClusterClock) -> float:
    """Let it look; return how wrong it is, in milliseconds."""
    done: list[Any] = []
    Deferred.fromCoroutine(times.find()).addBoth(done.append)
    while not done:
        clock.advance(0.001)
    assert done == [None]
    return abs(times.now_ms() - (clock.seconds() + redis.ahead_s) * 1000)


def test_a_slow_first_answer_is_followed_by_better_ones() -> None:
    clock = Clock()
    redis: Any = Redis(clock, (0.0, 0.200), (0.010, 0.010), (0.001, 0.001), (9.0, 9.0))
    times = ClusterClock(redis, clock, clock.seconds)
    assert found(clock, redis, times) <= 2
    assert redis.ways_s == [(9.0, 9.0)]


def test_it_makes_do_with_what_it_gets() -> None:
    clock = Clock()
    redis: Any = Redis(clock, *[(0.030, 0.030)] * TRIES)
    times = ClusterClock(redis, clock, clock.seconds)
    assert found(clock, redis, times) <= 60
    assert redis.ways_s == []


def test_a_slow_answer_on_a_new_connection_does_not_replace_good_ones() -> None:
    clock = Clock()
    redis: Any = Redis(clock, (0.001, 0.001), (0.0, 0.200))
    times = ClusterClock(redis, clock, clock.seconds)
    assert found(clock, redis, times) <= 2
    assert found(clock, redis, times) <= 2


def test_another_redis_with_another_time_counts_at_once() -> None:
    clock = Clock()
    redis: Any = Redis(clock, (0.001, 0.001), (0.001, 0.001))
    times = ClusterClock(redis, clock, clock.seconds)
    found(clock, redis, times)
    redis.ahead_s += 0.5
    assert found(clock, redis, times) <= 2
