"""Devices as they connect, and when the store is asked."""

import pytest
from twisted.internet.defer import Deferred

from reward_push.access.interfaces import StoreUnavailable
from reward_push.rewards.interfaces import Device
from reward_push.store.doorway import COUNTERS, Doorway, Opened, Opening


class World:
    """A store that answers when it is told to: the identity of a key is the length of its id."""

    def __init__(self) -> None:
        self.asked: list[tuple[Opening, Deferred[Opened]]] = []
        self.is_open = True
        self.next = 1
        self.doorway = Doorway(self._ask, lambda c, i: c * 1_000 + i, lambda: self.is_open)

    def _ask(self, opening: Opening) -> "Deferred[Opened]":
        answer: Deferred[Opened] = Deferred()
        self.asked.append((opening, answer))
        return answer

    def open(self, key_id: str = "k", name: str | None = None) -> list[Device | Exception]:
        """A device connects; what is returned gets what comes of it."""
        outcome: list[Device | Exception] = []
        opened = self.doorway.open(key_id, "s", name, 5)
        opened.addCallbacks(outcome.append, lambda failure: outcome.append(failure.value))
        return outcome

    def answer(self) -> Opening:
        """Let the store answer its first question."""
        opening, answer = self.asked.pop(0)
        first, self.next = self.next, self.next + opening.counters
        number = 0 if opening.name is None else 7
        answer.callback(Opened(len(opening.key_id), number, first))
        return opening


def number_in(outcome: list[Device | Exception]) -> int:
    [device] = outcome
    assert isinstance(device, Device)
    return device.number


@pytest.fixture
def world() -> World:
    return World()


def test_who_has_a_name_is_looked_up(world: World) -> None:
    outcome = world.open("key", "obs")
    assert world.answer() == Opening("key", "s", "obs", 5, 0)
    assert outcome == [Device(7, "key", "s", "obs")]


def test_a_known_key_with_counters_left_needs_no_answer(world: World) -> None:
    first = world.open()
    assert world.answer().counters == COUNTERS
    assert number_in(first) == 1_001
    assert [number_in(world.open()) for _ in range(3)] == [2_001, 3_001, 4_001]
    assert world.asked == []
    unknown = world.open("other")
    assert world.answer().counters == 0
    assert number_in(unknown) == 5_005
    assert number_in(world.open("other")) == 6_005


def test_who_comes_while_counters_are_on_their_way_gets_one_alone(world: World) -> None:
    outcomes = [world.open() for _ in range(3)]
    assert [opening.counters for opening, _ in world.asked] == [COUNTERS, 1, 1]
    for _ in outcomes:
        world.answer()
    assert [number_in(each) for each in outcomes] == [
        1_001,
        (COUNTERS + 1) * 1_000 + 1,
        (COUNTERS + 2) * 1_000 + 1,
    ]
    assert number_in(world.open()) == 2_001
    assert world.doorway.highest == COUNTERS + 2


def test_after_a_failure_counters_are_asked_for_again(world: World) -> None:
    outcome = world.open()
    world.asked.pop()[1].errback(StoreUnavailable("away"))
    assert isinstance(outcome[0], StoreUnavailable)
    world.open()
    assert world.asked[0][0].counters == COUNTERS


def test_a_store_that_is_closed_is_asked_and_says_so(world: World) -> None:
    world.open()
    world.answer()
    world.is_open = False
    world.open()
    assert len(world.asked) == 1


def test_after_a_reset_nothing_of_before_is_used(world: World) -> None:
    """Not even what was on its way then; but whoever waits for that gets it."""
    early = world.open()
    world.doorway.reset()
    late = world.open()
    assert [opening.counters for opening, _ in world.asked] == [COUNTERS, COUNTERS]
    world.answer()
    assert number_in(early) == 1_001
    waits = world.open()
    assert world.asked[-1][0].counters == 1
    world.answer()
    world.answer()
    assert number_in(late) == (COUNTERS + 1) * 1_000 + 1
    assert number_in(waits) == (2 * COUNTERS + 1) * 1_000 + 1
    assert number_in(world.open()) == (COUNTERS + 2) * 1_000 + 1
    assert world.doorway.highest == 2 * COUNTERS + 1
