"""Buckets by name, and how much of them is remembered."""

import pytest

from reward_push.access.bucket import Buckets
from reward_push.rate import Rate


def empty(buckets: Buckets, name: str, now: float = 0.0) -> int:
    """Take until there is none; return how many there were."""
    count = 0
    while not buckets.take(name, now):
        count += 1
    return count


def test_each_name_has_its_own() -> None:
    buckets = Buckets(Rate(20, 40))
    assert [empty(buckets, name) for name in ("a", "b", "a")] == [40, 40, 0]
    assert buckets.take("a", 0.0) == pytest.approx(0.05)
    assert buckets.take("a", 0.05) == 0.0
    assert buckets.take("a", 0.05) == pytest.approx(0.05)


def test_refusals_take_nothing() -> None:
    buckets = Buckets(Rate(1, 2))
    assert empty(buckets, "a") == 2
    for _ in range(1000):
        assert buckets.take("a", 0.5) > 0
    assert buckets.take("a", 1.0) == 0.0


def test_full_buckets_are_forgotten_as_new_names_come() -> None:
    buckets = Buckets(Rate(10, 10))
    for number in range(1000):
        assert buckets.take(f"n{number}", number * 0.1) == 0.0
    assert len(buckets) <= 3


def test_tidying_forgets_full_buckets_and_no_others() -> None:
    buckets = Buckets(Rate(10, 10))
    for number in range(100):
        buckets.take(f"n{number}", 0.0)
    empty(buckets, "busy")
    buckets.tidy(0.5)
    assert len(buckets) == 1
    assert buckets.take("busy", 0.5) == 0.0
    buckets.tidy(1000.0)
    assert len(buckets) == 0


def test_the_table_has_an_end() -> None:
    buckets = Buckets(Rate(1, 100), size=50)
    for number in range(10_000):
        assert buckets.take(f"n{number}", 0.0) == 0.0
    assert len(buckets) == 50


def test_a_flood_of_names_does_not_free_who_keeps_trying() -> None:
    """Nor does it refuse anybody else."""
    buckets = Buckets(Rate(1, 5), size=50)
    assert empty(buckets, "attacker") == 5
    for number in range(10_000):
        assert buckets.take(f"n{number}", 0.0) == 0.0
        if number % 40 == 0:
            assert buckets.take("attacker", 0.0) > 0
