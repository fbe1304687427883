"""A bucket as one number."""

import pytest

from reward_push.rate import Rate

RATE = Rate(20, 40)


def taken(count: int, now: float, full_at: float = 0.0, rate: Rate = RATE) -> float:
    """Take as many tokens as said, all of which must be there."""
    for _ in range(count):
        assert rate.wait_s(full_at, now) == 0.0
        full_at = rate.take(full_at, now)
    return full_at


@pytest.mark.parametrize("now", [0.0, 0.1, 1e6 + 0.1, 1e9])
@pytest.mark.parametrize("rate", [RATE, Rate(0.1, 3), Rate(1 / 3, 7), Rate(1000, 1), Rate(3, 1.5)])
def test_the_burst_is_there_and_no_more(rate: Rate, now: float) -> None:
    full_at = taken(int(rate.burst), now, rate=rate)
    wait_s = rate.wait_s(full_at, now)
    assert 0.0 < wait_s <= 1 / rate.per_second * 1.001


def test_an_empty_bucket_gets_one_token_at_a_time() -> None:
    full_at = taken(40, 100.0)
    assert RATE.wait_s(full_at, 100.0) == pytest.approx(0.05)
    assert RATE.wait_s(full_at, 100.04) == pytest.approx(0.01)
    full_at = taken(1, 100.05, full_at)
    assert RATE.wait_s(full_at, 100.05) == pytest.approx(0.05)


def test_a_bucket_is_full_again_after_its_window_and_never_more_than_full() -> None:
    full_at = taken(40, 100.0)
    assert pytest.approx(102.0) == 100.0 + RATE.window_s
    assert full_at == pytest.approx(102.0)
    taken(40, 102.0, full_at)
    full_at = taken(40, 10_000.0, full_at)
    assert RATE.wait_s(full_at, 10_000.0) > 0


def test_a_debt_is_waited_for() -> None:
    full_at = taken(40, 0.0)
    for _ in range(20):
        full_at = RATE.take(full_at, 0.0)
    assert RATE.wait_s(full_at, 0.0) == pytest.approx(1.05)


def test_what_is_given_back_is_there_again() -> None:
    full_at = RATE.give_back(taken(40, 5.0))
    full_at = taken(1, 5.0, full_at)
    assert RATE.wait_s(full_at, 5.0) > 0
