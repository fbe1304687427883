"""What a name is."""

import pytest

from reward_push.rewards.names import is_name


@pytest.mark.parametrize("text", ["a", "drop-8842", "A.b_c:d", "0", "x" * 64])
def test_names(text):
    assert is_name(text)


@pytest.mark.parametrize("text", ["", "x" * 65, "*", "a b", "a\n", "é", "²", "a/b"])
def test_what_is_no_name(text):
    assert not is_name(text)
