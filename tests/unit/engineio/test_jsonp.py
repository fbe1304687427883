"""Payloads in scripts and forms."""

import contextlib
import json
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_push.engineio.errors import DecodeError
from reward_push.engineio.jsonp import unwrap, wrap

bounded = settings(derandomize=True, database=None, deadline=None, max_examples=200)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)

SCRIPTS = [
    ("0", "2:40", b'___eio[0]("2:40");'),
    ("12", '42["a\\n"]', b'___eio[12]("42[\\"a\\\\n\\"]");'),
    ("3", "4\u2028\u2029é😀", b'___eio[3]("4\\u2028\\u2029\\u00e9\\ud83d\\ude00");'),
    ("0", "4</script><!--", b'___eio[0]("4\\u003c/script>\\u003c!--");'),
    ("0", "1:4\n\r\0\x7f'", b'___eio[0]("1:4\\n\\r\\u0000\\u007f\'");'),
    ("0", "4a\x1e2", b'___eio[0]("4a\\u001e2");'),
]


@pytest.mark.parametrize(("index", "payload", "script"), SCRIPTS)
def test_script(index: str, payload: str, script: bytes) -> None:
    """The payload becomes a string literal that means the same in every script."""
    assert wrap(index, payload.encode()) == script


FORMS = [
    (b"d=4hello", "4hello"),
    (b"d=", ""),
    (b"d=2%3A40", "2:40"),
    (b"d=4a+b%2B", "4a b+"),
    (b"d=4%E2%82%AC", "4€"),
    (b"a=1&d=4x&d=4y", "4x"),
    # The two characters \n stand for a newline, the three characters \\n for those two.
    (rb"d=4a%5Cnb", "4a\nb"),
    (rb"d=4a%5C%5Cnb", r"4a\nb"),
    (rb"d=4a%5C%5C%5Cnb", r"4a\\nb"),
    (rb"d=4a%5C%5Cb", r"4a\\b"),
    (rb"d=4%5Cn%5Cn%5C%5Cn", "4\n\n\\n"),
]


@pytest.mark.parametrize(("body", "payload"), FORMS)
def test_form(body: bytes, payload: str) -> None:
    """The field ``d``, its line ends as they were before the form."""
    assert unwrap(body) == payload.encode()


@pytest.mark.parametrize("body", [b"", b"4hello", b"dd=4hello", b"a=d=4hello", b"D=4hello", b"d"])
def test_no_field(body: bytes) -> None:
    """A form without the field is an error."""
    with pytest.raises(DecodeError, match="form without a field d"):
        unwrap(body)


@pytest.mark.parametrize("body", [b"d=%", b"d=4%zz", b"d=%ff", b"d=\xff"])
def test_broken_field(body: bytes) -> None:
    """Broken percent-encoding and UTF-8 are errors."""
    with pytest.raises(DecodeError):
        unwrap(body)


def test_many_fields() -> None:
    """A form of nothing but separators is looked through once."""
    assert unwrap(b"&" * 1_000_000 + b"d=4") == b"4"


@bounded
@given(texts)
def test_script_means_the_payload(payload: str) -> None:
    """The literal is JSON for the payload, ASCII on one line, with nothing that could end a script."""
    script = wrap("0", payload.encode())
    literal = script.removeprefix(b"___eio[0](").removesuffix(b");")
    assert json.loads(literal) == payload
    assert literal.isascii()
    assert b"<" not in literal
    assert b"\n" not in literal


@bounded
@given(texts)
def test_form_of_a_stock_client(payload: str) -> None:
    """What a client does to a payload is undone."""
    # It cannot tell a backslash before a newline from the two characters; neither does JSON have it.
    payload = payload.replace("\\\n", "\n")
    escaped = payload.replace("\\n", "\\\n").replace("\n", "\\n")
    assert unwrap(urlencode({"d": escaped}, quote_via=quote_plus).encode()) == payload.encode()


@bounded
@given(st.binary(max_size=40))
def test_any_form(body: bytes) -> None:
    """Any bytes at all are a payload or the one error."""
    with contextlib.suppress(DecodeError):
        unwrap(b"d=" + body).decode()
