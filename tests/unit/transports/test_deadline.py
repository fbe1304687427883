"""One deadline that moves often."""

from twisted.internet.task import Clock

from reward_push.transports.deadline import Deadline


def made() -> tuple[Clock, Deadline, list[float]]:
    clock = Clock()
    passed: list[float] = []
    return clock, Deadline(clock, lambda: passed.append(clock.seconds())), passed


def test_passes_once():
    clock, deadline, passed = made()
    deadline.within(10)
    clock.pump([9, 1, 20])
    assert passed == [10]


def test_moving_it_later_costs_no_timer():
    clock, deadline, passed = made()
    deadline.within(10)
    (call,) = clock.getDelayedCalls()
    for _ in range(9):
        clock.advance(1)
        deadline.within(10)
        assert clock.getDelayedCalls() == [call]
    clock.pump([9.5])
    assert passed == []
    clock.pump([0.5])
    assert passed == [19]


def test_moves_earlier():
    clock, deadline, passed = made()
    deadline.within(100)
    deadline.within(3)
    assert len(clock.getDelayedCalls()) == 1
    clock.pump([3, 200])
    assert passed == [3]


def test_zero_is_no_deadline():
    clock, deadline, passed = made()
    deadline.within(10)
    deadline.within(0)
    clock.pump([10, 10])
    assert passed == []
    assert clock.getDelayedCalls() == []


def test_can_be_set_again_after_it_passed_and_after_it_was_off():
    clock, deadline, passed = made()
    deadline.within(1)
    clock.advance(1)
    deadline.within(0)
    deadline.within(1)
    clock.advance(1)
    assert passed == [1, 2]


def test_the_end_leaves_no_timer_and_nothing_to_call():
    clock, deadline, passed = made()
    deadline.within(1)
    deadline.end()
    assert clock.getDelayedCalls() == []
    deadline.within(1)
    clock.advance(2)
    assert passed == []
