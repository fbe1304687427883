"""Devices that are not to be told twice."""

from reward_push.rewards.told_early import ToldEarly


def test_devices_of_the_last_messages_are_remembered() -> None:
    """As many as there may be; those of the last message whatever their number."""
    told = ToldEarly(most=4)
    told.add("a", {1, 2})
    told.add("b", {2})
    assert [told.has("a", 1), told.has("a", 3), told.has("b", 2), told.has("c", 2)] == [
        True,
        False,
        True,
        False,
    ]
    told.add("c", {1, 2, 3})
    assert (told.has("a", 1), told.has("b", 2), told.has("c", 3), len(told)) == (
        False,
        True,
        True,
        4,
    )
    told.add("d", range(10))
    assert (told.has("c", 3), told.has("d", 9), len(told)) == (False, True, 10)


def test_a_message_that_is_taken_back_again_counts_once() -> None:
    told = ToldEarly(most=4)
    told.add("a", {1})
    told.add("b", {1, 2})
    told.add("a", {1, 2})
    assert len(told) == 4
    told.add("c", {1})
    assert (told.has("b", 1), told.has("a", 2), len(told)) == (False, True, 3)
