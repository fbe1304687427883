"""Too many wrong keys."""

import pytest

from reward_push.access.bans import Bans
from reward_push.rate import Rate


def fail(bans: Bans, name: str, times: int, now: float = 0.0) -> list[bool]:
    return [bans.failed(name, now) for _ in range(times)]


def test_the_failure_after_the_burst_bans_for_a_while() -> None:
    bans = Bans(Rate(10, 30), 60.0)
    assert fail(bans, "a", 31) == [False] * 30 + [True]
    assert bans.left_s("a", 0.0) == 60.0
    assert bans.left_s("a", 59.0) == pytest.approx(1.0)
    assert bans.left_s("a", 60.0) == 0.0
    assert bans.left_s("b", 0.0) == 0.0


def test_failures_at_the_rate_never_ban() -> None:
    bans = Bans(Rate(10, 30), 60.0)
    for number in range(10_000):
        assert not bans.failed("a", number * 0.1)


def test_a_ban_is_not_made_longer_by_what_was_under_way() -> None:
    bans = Bans(Rate(10, 30), 60.0)
    fail(bans, "a", 31)
    assert not any(fail(bans, "a", 100, 1.0))
    assert bans.left_s("a", 1.0) == 59.0


def test_after_a_ban_all_failures_are_there_again() -> None:
    bans = Bans(Rate(10, 30), 60.0)
    fail(bans, "a", 31)
    assert fail(bans, "a", 31, 60.0) == [False] * 30 + [True]
    assert bans.left_s("a", 60.0) == 60.0


def test_without_a_length_it_lasts_until_one_more_failure_is_allowed() -> None:
    bans = Bans(Rate(10, 30), 0.0)
    fail(bans, "a", 31)
    assert bans.left_s("a", 0.0) == pytest.approx(0.1)
    assert bans.left_s("a", 0.1001) == 0.0


def test_tables_have_an_end_and_the_oldest_ban_gives_way() -> None:
    bans = Bans(Rate(1, 1), 60.0, size=10)
    for number in range(25):
        fail(bans, f"n{number}", 2, number * 0.01)
    assert len(bans) == 10
    assert bans.left_s("n14", 1.0) == 0.0
    assert bans.left_s("n15", 1.0) > 0.0


def test_wrong_keys_of_others_end_no_ban() -> None:
    """Only bans take the place of bans: each costs a burst of failures."""
    bans = Bans(Rate(1, 2), 60.0, size=10)
    fail(bans, "attacker", 3)
    for number in range(10_000):
        bans.failed(f"n{number}", 1.0)
    assert bans.left_s("attacker", 1.0) > 0.0


def test_tidying_forgets_what_is_over() -> None:
    bans = Bans(Rate(1, 1), 60.0)
    fail(bans, "a", 2)
    fail(bans, "b", 2, 30.0)
    bans.tidy(61.0)
    assert len(bans) == 1
    assert bans.left_s("b", 61.0) > 0.0
