"""Counting what comes and goes."""

from reward_push.access.tally import Tally


def test_names_with_none_take_no_memory() -> None:
    tally = Tally()
    for _ in range(3):
        tally.add("a", 2)
        tally.add("b", 2)
    for _ in range(2):
        tally.remove("a", 2)
        tally.remove("b", 2)
    assert len(tally) == 2
    tally.remove("a", 2)
    tally.remove("b", 2)
    assert (len(tally), tally.full) == (0, set())


def test_full_is_who_has_as_many_as_it_may() -> None:
    tally = Tally()
    tally.add("a", 2)
    assert tally.full == set()
    tally.add("a", 2)
    assert tally.full == {"a"}
    tally.add("a", 2)
    tally.remove("a", 2)
    assert tally.full == {"a"}
    tally.remove("a", 2)
    assert tally.full == set()


def test_without_a_limit_nobody_is_full() -> None:
    tally = Tally()
    for _ in range(1000):
        tally.add("a", 0)
    assert tally.full == set()
    for _ in range(999):
        tally.remove("a", 0)
    assert len(tally) == 1
    tally.remove("a", 0)
    assert len(tally) == 0


def test_a_limit_of_one() -> None:
    tally = Tally()
    tally.add("a", 1)
    assert tally.full == {"a"}
    tally.remove("a", 1)
    assert tally.full == set()


def test_each_name_has_a_limit_of_its_own() -> None:
    tally = Tally()
    for _ in range(2):
        tally.add("a", 3)
        tally.add("b", 2)
        tally.add("c", 0)
    assert tally.full == {"b"}
    tally.add("a", 3)
    tally.remove("b", 2)
    assert tally.full == {"a"}
