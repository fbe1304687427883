"""Devices as texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_push.cluster.device_text import (
    MAX_COUNTER,
    MAX_IDENTITY,
    from_text,
    numbered,
    to_text,
)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((1_790_000_000_000_000, 17, True), "1790000000000000+17"),
        ((1_790_000_000_000_000, 17, False), "1790000000000000-17"),
        ((1, MAX_IDENTITY, True), "1+16777215"),
        ((MAX_COUNTER, 0, False), "9007199254740991-0"),
    ],
)
def test_a_text_has_the_parts(parts, text):
    counter, identity, named = parts
    number = numbered(counter, identity, named=named)
    assert to_text(number) == text
    assert from_text(text) == number


@given(st.integers(0, MAX_COUNTER), st.integers(0, MAX_IDENTITY), st.booleans())
def test_every_number_comes_back(counter, identity, named):
    number = numbered(counter, identity, named=named)
    assert from_text(to_text(number)) == number


@given(
    st.lists(
        st.tuples(st.integers(0, MAX_COUNTER), st.integers(0, MAX_IDENTITY), st.booleans()),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_two_devices_never_share_a_number(two):
    first, second = [numbered(counter, identity, named=named) for counter, identity, named in two]
    assert first != second


@pytest.mark.parametrize(
    "text",
    ["", "1", "+1", "1+", "1*2", "1+2\n", "-1+2", "٣+2", f"{MAX_COUNTER + 1}+0", "1+16777216"],
)
def test_what_is_no_device_is_refused(text):
    with pytest.raises(ValueError, match="not a device"):
        from_text(text)
