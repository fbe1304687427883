"""How fast a client may send."""

import pytest

from reward_push.engineio.backlog import NEVER
from reward_push.engineio.meter import FORGIVEN_S, MAX_PAUSE_S, STRIKES, Meter
from reward_push.rate import Rate

RATE = Rate(20, 50)


def flood(meter: Meter, now: float, longest_s: float = MAX_PAUSE_S) -> tuple[int, float]:
    """Send until a pause is due; return how much it was, and how long the pause is."""
    count = 1
    while not (pause_s := meter.count(RATE, now, longest_s)):
        count += 1
    return count, pause_s


def test_a_burst_is_let_pass_and_then_there_is_a_pause_until_the_bucket_is_full() -> None:
    assert flood(Meter(), 1000.0) == (51, pytest.approx(2.55))


def test_the_rate_is_let_pass_for_ever() -> None:
    meter = Meter()
    assert not any(meter.count(RATE, 1000 + number / 20, 5.0) for number in range(10_000))


def test_a_pause_has_a_longest() -> None:
    assert flood(Meter(), 1000.0, 0.1) == (51, 0.1)


def test_who_goes_on_has_to_go() -> None:
    meter, now = Meter(), 1000.0
    for _ in range(STRIKES - 1):
        count, pause_s = flood(meter, now)
        assert count == 51
        now += pause_s
    assert flood(meter, now) == (51, NEVER)


def test_who_is_slow_for_a_while_is_forgiven() -> None:
    meter, now = Meter(), 1000.0
    for _ in range(5 * STRIKES):
        assert flood(meter, now)[1] < MAX_PAUSE_S
        now += FORGIVEN_S


def test_strikes_add_up_however_far_apart_while_none_is_forgiven() -> None:
    meter, now = Meter(), 1000.0
    pauses = []
    for _ in range(STRIKES):
        pauses.append(flood(meter, now)[1])
        now += FORGIVEN_S - 1
    assert pauses[-1] == NEVER
    assert NEVER not in pauses[:-1]


def test_what_is_given_back_does_not_count() -> None:
    meter = Meter()
    for _ in range(10_000):
        assert meter.count(RATE, 1000.0, 5.0) == 0.0
        meter.give_back(RATE)
    assert flood(meter, 1000.0)[0] == 51
