"""How values are spread over bounds."""

import pytest

from reward_push.ops.distribution import Distribution


def test_each_value_counts_at_its_bound_and_all_above():
    spread = Distribution((0.1, 1, 5))
    for value in (0.05, 0.1, 0.2, 1.0, 7.0):
        spread.observe(value)
    assert spread.buckets() == [("0.1", 2), ("1.0", 4), ("5.0", 4), ("+Inf", 5)]
    assert spread.total == pytest.approx(8.35)
    assert spread.count == 5


def test_without_values_there_are_zeros():
    assert Distribution((1,)).buckets() == [("1.0", 0), ("+Inf", 0)]


def test_a_clock_that_was_set_back_takes_nothing_off_the_sum():
    spread = Distribution((1,))
    spread.observe(-300.0)
    assert (spread.total, spread.buckets()[0]) == (0.0, ("1.0", 1))
