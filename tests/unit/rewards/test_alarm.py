"""One timer for several things to wait for."""

import pytest
from twisted.internet.task import Clock

from reward_push.rewards.alarm import MAX_SLEEP_S, Alarm

STEP_S = 1 / 64
"""Sums of it are exact."""


class World:
    """An alarm, and when it woke."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.woke: list[float] = []
        self.alarm = Alarm(self.clock, lambda: self.woke.append(self.clock.seconds()))

    def run(self, seconds: float) -> list[float]:
        """Let time pass in small steps; return when it woke."""
        for _ in range(round(seconds / STEP_S)):
            self.clock.advance(STEP_S)
        return self.woke


@pytest.fixture
def world() -> World:
    return World()


def test_it_wakes_once(world: World) -> None:
    world.alarm.within(0.5)
    assert world.run(3) == [0.5]
    assert world.clock.getDelayedCalls() == []


@pytest.mark.parametrize("asked", [(0.5, 0.25), (0.25, 0.5), (0.25, 0.25)])
def test_the_earliest_counts(world: World, asked: tuple[float, ...]) -> None:
    for seconds in asked:
        world.alarm.within(seconds)
    assert len(world.clock.getDelayedCalls()) == 1
    assert world.run(3) == [0.25]


def test_it_never_sleeps_long(world: World) -> None:
    world.alarm.within(3600)
    assert world.run(3) == [MAX_SLEEP_S]


def test_what_is_over_is_now(world: World) -> None:
    world.alarm.within(-5)
    assert world.run(STEP_S) == [STEP_S]


def test_it_can_be_set_while_it_wakes(world: World) -> None:
    world.alarm = Alarm(
        world.clock, lambda: world.woke.append(world.clock.seconds()) or world.alarm.within(0.25)
    )
    world.alarm.within(0.125)
    assert world.run(0.75) == [0.125, 0.375, 0.625]


def test_a_stopped_one_is_silent(world: World) -> None:
    world.alarm.within(0.1)
    world.alarm.stop()
    world.alarm.stop()
    assert world.run(1) == []
    assert world.clock.getDelayedCalls() == []
    world.alarm.within(0.125)
    assert world.run(1) == [1.125]
