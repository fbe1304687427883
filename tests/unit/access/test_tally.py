"""Counting what comes and goes."""

from reward_push.access.tally import Tally


def test_names_with_none_take_no_memory() -> None:
    tally = Tally(2)
    for _ in range(3):
        tally.add("a")
        tally.add("b")
    for _ in range(2):
        tally.remove("a")
        tally.remove("b")
    assert len(tally) == 2
    tally.remove("a")
    tally.remove("b")
    assert (len(tally), tally.full) == (0, set())


def test_full_is_who_has_as_many_as_it_may() -> None:
    tally = Tally(2)
    tally.add("a")
    assert tally.full == set()
    tally.add("a")
    assert tally.full == {"a"}
    tally.add("a")
    tally.remove("a")
    assert tally.full == {"a"}
    tally.remove("a")
    assert tally.full == set()


def test_without_a_limit_nobody_is_full() -> None:
    tally = Tally(0)
    for _ in range(1000):
        tally.add("a")
    assert tally.full == set()
    for _ in range(999):
        tally.remove("a")
    assert len(tally) == 1
    tally.remove("a")
    assert len(tally) == 0


def test_a_limit_of_one() -> None:
    tally = Tally(1)
    tally.add("a")
    assert tally.full == {"a"}
    tally.remove("a")
    assert tally.full == set()
