"""The wheel on a clock that is turned by hand."""

from collections.abc import Callable

import pytest
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from reward_push.engineio.interfaces import ITimed, IWheel
from reward_push.transports.wheel import Wheel, tick_for


@implementer(ITimed)
class Item:
    """Notes when it is told, and may do something then."""

    def __init__(self, due: float, then: Callable[["Item"], None] | None = None) -> None:
        self.due = due
        self.bucket = 0
        self.told: list[float] = []
        self._then = then

    def expire(self, now: float) -> None:
        """See ITimed."""
        self.told.append(round(now, 3))
        if self._then is not None:
            self._then(self)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wheel(clock: Clock) -> Wheel:
    return Wheel(clock, tick_s=0.1)


def run(clock: Clock, seconds: float, step: float = 0.01) -> None:
    for _ in range(round(seconds / step)):
        clock.advance(step)


def test_it_provides_what_it_says(wheel: Wheel) -> None:
    """Sessions rely on the interface."""
    verifyObject(IWheel, wheel)
    verifyObject(ITimed, Item(1.0))


def test_after_a_standstill_what_has_come_in_is_read_first(clock: Clock, wheel: Wheel) -> None:
    """As long as the process was frozen no client could show that it is alive: now it has one turn of the reactor for it."""
    alive, dead = Item(5.0), Item(5.0)
    for item in (alive, dead):
        wheel.file(item)
    clock.rightNow = 60.0
    [late] = clock.getDelayedCalls()
    turn = late.func
    late.cancel()
    turn()
    assert (alive.told, dead.told) == ([], [])
    alive.due = 90.0
    wheel.file(alive)
    [again] = clock.getDelayedCalls()
    assert again.getTime() == 60.0
    clock.advance(0)
    assert (alive.told, dead.told) == ([], [60.0])
    run(clock, 31)
    assert len(alive.told) == 1


def test_an_item_is_told_once_at_most_a_tick_late(clock: Clock, wheel: Wheel) -> None:
    """Never early."""
    items = [Item(due) for due in (0.1, 0.25, 0.3, 1.71)]
    for item in items:
        wheel.file(item)
    run(clock, 3)
    for item in items:
        [told] = item.told
        assert item.due <= told <= item.due + 0.11


def test_an_idle_wheel_has_no_timer(clock: Clock, wheel: Wheel) -> None:
    """And one timer at most, however many items it holds."""
    assert not clock.getDelayedCalls()
    items = [Item(n / 10) for n in range(1, 100)]
    for item in items:
        wheel.file(item)
    assert len(clock.getDelayedCalls()) == 1
    run(clock, 11, 0.1)
    assert all(item.told for item in items)
    assert not clock.getDelayedCalls()


def test_an_earlier_item_moves_the_timer(clock: Clock, wheel: Wheel) -> None:
    """What was filed last may be due first."""
    late, early = Item(5.0), Item(1.0)
    wheel.file(late)
    wheel.file(early)
    run(clock, 1.2)
    assert (early.told, late.told) == ([pytest.approx(1.0, abs=0.11)], [])


def test_items_filed_during_a_turn_do_not_delay_the_others(clock: Clock, wheel: Wheel) -> None:
    """The timer is set for whichever is due first, not for the one filed last."""

    def file_again(item: Item) -> None:
        item.due = 5.0
        wheel.file(item)

    again = Item(0.5, file_again)
    other = Item(1.0)
    wheel.file(again)
    wheel.file(other)
    run(clock, 1.2)
    assert other.told == [pytest.approx(1.0, abs=0.11)]


def test_filing_again_replaces(clock: Clock, wheel: Wheel) -> None:
    """The same bucket or another one."""
    item = Item(1.0)
    wheel.file(item)
    wheel.file(item)
    item.due = 2.0
    wheel.file(item)
    run(clock, 1.5)
    assert item.told == []
    run(clock, 1)
    assert len(item.told) == 1


def test_discarded_items_are_not_told(clock: Clock, wheel: Wheel) -> None:
    """Discarding what is not filed does nothing; one may discard another during a turn."""
    gone, victim = Item(1.0), Item(1.0)
    killer = Item(1.0, lambda _: wheel.discard(victim))
    wheel.discard(gone)
    wheel.file(gone)
    wheel.file(killer)
    wheel.file(victim)
    wheel.discard(gone)
    run(clock, 2)
    assert gone.told == []
    assert len(killer.told) == 1
    assert len(victim.told) <= 1


def test_what_is_long_due_is_told_at_the_next_turn(clock: Clock, wheel: Wheel) -> None:
    """A blocked loop makes items late, not lost."""
    clock.advance(100)
    item = Item(3.0)
    wheel.file(item)
    clock.advance(0)
    assert item.told == [100.0]


def test_an_item_that_fails_does_not_stop_the_others(
    clock: Clock, wheel: Wheel, logged_failures: list[str]
) -> None:
    """It is logged."""

    def fail(_: Item) -> None:
        raise RuntimeError("broken item")

    broken, other = Item(1.0, fail), Item(1.0)
    wheel.file(broken)
    wheel.file(other)
    run(clock, 1.2)
    assert len(other.told) == 1
    assert logged_failures == ["broken item"]


def test_stopped_it_tells_nobody(clock: Clock, wheel: Wheel) -> None:
    """Nor keeps a timer, also for what is filed later."""
    item = Item(1.0)
    wheel.file(item)
    wheel.stop()
    wheel.stop()
    wheel.file(Item(2.0))
    assert not clock.getDelayedCalls()
    run(clock, 3)
    assert item.told == []
    assert item.bucket == 0


def test_the_tick_is_small_against_every_timer() -> None:
    """Half a hundredth of nothing is still a millisecond."""
    assert tick_for(25, 20) == 0.05
    assert tick_for(0.3, 0.2) == pytest.approx(0.002)
    assert tick_for(0.01, 10) == 0.001
