"""Where a list of keys goes on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_push.access.interfaces import Key, KeyKind
from reward_push.access.key_cursor import after, place


@given(st.integers(0, (1 << 63) - 1), st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=1))
def test_it_tells_the_place_of_a_key(at_ms: int, key_id: str) -> None:
    key = Key(key_id[:64], KeyKind.PLUGIN, at_ms, streamer="s")
    cursor = after(key)
    assert cursor.isascii()
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert place(cursor) == (at_ms, key_id[:64])


GOOD = after(Key("aaaaaaaaaaaa", KeyKind.PLUGIN, 1_800_000_000_000, streamer="s"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AAAAAAAAAAA",
        GOOD + "=",
        GOOD[:-1] + "!",
        GOOD + "A" * 80,
        "é" + GOOD,
        "_" + GOOD[1:],
        GOOD[:5],
        "\x00",
        "AAAAAAAAAAD_",
        "AAAAAAAAAAB",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\Anot a cursor of a list of keys\Z"):
        place(text)


@given(st.text(max_size=40))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        at_ms, key_id = place(text)
    except ValueError:
        return
    assert after(Key(key_id, KeyKind.PLUGIN, at_ms, streamer="s")) == text
