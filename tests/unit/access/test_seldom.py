"""Lines that are not written again and again."""

from reward_push.access.seldom import Seldom


def test_one_now_and_then_and_how_many_were_left_out() -> None:
    now = [0.0]
    seldom = Seldom(lambda: now[0], every_s=10.0)
    assert seldom.due() == 0
    assert [seldom.due() for _ in range(5)] == [None] * 5
    now[0] = 10.0
    assert seldom.due() == 5
    assert seldom.due() is None
    now[0] = 25.0
    assert seldom.due() == 1
    now[0] = 99.0
    assert seldom.due() == 0
