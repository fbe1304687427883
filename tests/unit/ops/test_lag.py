"""How late the event loop is."""

import pytest
from twisted.internet.task import Clock

from reward_push.ops.lag import EVERY_S, LoopLag


@pytest.fixture
def clock():
    return Clock()


def test_the_delay_of_each_timer_is_told(clock):
    seen = []
    lag = LoopLag(clock, seen.append)
    lag.startService()
    clock.advance(EVERY_S)
    clock.advance(EVERY_S + 0.5)
    assert seen == [pytest.approx(0.0), pytest.approx(0.5)]


def test_nothing_is_left_of_it_once_it_is_stopped(clock):
    lag = LoopLag(clock, lambda _: None)
    lag.startService()
    lag.stopService()
    lag.stopService()
    assert clock.getDelayedCalls() == []
