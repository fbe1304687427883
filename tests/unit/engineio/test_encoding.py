"""The strictness both revisions share."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_push.engineio.encoding import (
    check_text,
    decode_base64,
    decode_percent,
    decode_utf8,
    encode_base64,
)
from reward_push.engineio.errors import DecodeError, EncodeError

bounded = settings(derandomize=True, database=None, deadline=None, max_examples=200)


@pytest.mark.parametrize("text", ["", "ascii", "é€😀", "\x00\x1e\uffff"])
def test_text_that_can_be_sent(text: str) -> None:
    """Every text without lone surrogates is returned as it is."""
    assert check_text(text) is text


@pytest.mark.parametrize("text", ["\ud800", "ab\udfff", "\ude00\ud83d"])
def test_text_that_cannot_be_sent(text: str) -> None:
    """A lone surrogate, high or low or the wrong way round, is our error."""
    with pytest.raises(EncodeError, match=r"lone surrogate at character \d"):
        check_text(text)


@pytest.mark.parametrize(
    "data", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"]
)
def test_bytes_that_are_no_text(data: bytes) -> None:
    """Stray bytes, surrogates, overlong forms, too large numbers and cut ends are the peer's error."""
    with pytest.raises(DecodeError, match="not UTF-8 at byte 0"):
        decode_utf8(data)


BASE64 = [
    (b"", ""),
    (b"\x00", "AA=="),
    (b"\x01\x02\x03\x04", "AQIDBA=="),
    (b"\xfb\xff", "+/8="),
    (b"\x01\x02\x03", "AQID"),
]


@pytest.mark.parametrize(("data", "text"), BASE64)
def test_base64(data: bytes, text: str) -> None:
    """Standard alphabet with padding, both ways."""
    assert encode_base64(data) == text
    assert decode_base64(text) == data


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA",
        "AAA",
        "AA=",
        "AA===",
        "=",
        "====",
        "AA==AA==",
        "-_8=",
        "A A=",
        "AA==\n",
        "AQI\x00",
        "é===",
    ],
)
def test_bad_base64(text: str) -> None:
    """No other alphabet, no missing, early or surplus padding, nothing in between or after."""
    with pytest.raises(DecodeError, match="bad base64"):
        decode_base64(text)


PERCENT = [
    (b"", ""),
    (b"key-alpha", "key-alpha"),
    (b"key%2Dalpha", "key-alpha"),
    (b"a+b%2Bc", "a b+c"),
    (b"%E2%82%ac", "€"),
    ("é".encode(), "é"),
    (b"%25%32%35", "%25"),
]


@pytest.mark.parametrize(("data", "text"), PERCENT)
def test_percent_encoding(data: bytes, text: str) -> None:
    """Decoded once, as UTF-8; a plus sign is a space."""
    assert decode_percent(data) == text


@pytest.mark.parametrize("data", [b"%", b"a%2", b"%zz", b"%%20", b"50%", b"%u0041"])
def test_broken_percent_encoding(data: bytes) -> None:
    """A percent sign without two hexadecimal digits is an error."""
    with pytest.raises(DecodeError, match="broken percent-encoding"):
        decode_percent(data)


@pytest.mark.parametrize("data", [b"%ff", b"\xff", b"%ED%A0%80", b"%E2%82"])
def test_percent_encoding_of_no_text(data: bytes) -> None:
    """What decodes to no UTF-8 is an error."""
    with pytest.raises(DecodeError, match="not UTF-8"):
        decode_percent(data)


@bounded
@given(st.binary())
def test_base64_round_trip(data: bytes) -> None:
    """Any bytes come back."""
    assert decode_base64(encode_base64(data)) == data


@bounded
@given(st.text(max_size=30))
def test_any_text_as_base64(text: str) -> None:
    """Any text at all is bytes or the one error."""
    with contextlib.suppress(DecodeError):
        assert isinstance(decode_base64(text), bytes)


@bounded
@given(st.binary(max_size=30))
def test_any_bytes_as_percent_encoding(data: bytes) -> None:
    """Any bytes at all are a text or the one error."""
    with contextlib.suppress(DecodeError):
        assert isinstance(decode_percent(data), str)
