"""JSON without surprises."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_push.strict_json import (
    MAX_DEPTH,
    MAX_INTEGER_DIGITS,
    MAX_WRITTEN_DEPTH,
    JSONError,
    dumps,
    loads,
)

bounded = settings(derandomize=True, database=None, deadline=None, max_examples=300)

GOOD = [
    ("null", None),
    ("true", True),
    ("0", 0),
    ("-0", 0),
    ("1.5e3", 1500.0),
    ("1e308", 1e308),
    ("1e-400", 0.0),
    ("9" * MAX_INTEGER_DIGITS, 10**MAX_INTEGER_DIGITS - 1),
    ("-" + "9" * (MAX_INTEGER_DIGITS - 1), 1 - 10 ** (MAX_INTEGER_DIGITS - 1)),
    ('""', ""),
    ('"\\u20ac€\\ud83d\\ude00😀"', "€€😀😀"),
    ('"\\\\ud800"', "\\ud800"),
    ('"\\ud83d\\ude00\\\\ud800"', "😀\\ud800"),
    ('"\\u0000\\u001e\\u2028"', "\0\x1e\u2028"),
    (' {"a" : [1, 2]}\r\n\t', {"a": [1, 2]}),
    ('{"":{"":0},"a":{"":0}}', {"": {"": 0}, "a": {"": 0}}),
    ("[" * MAX_DEPTH + "]" * MAX_DEPTH, None),
    ("[" + "[]," * 1000 + "[]]", [[] for _ in range(1001)]),
    ('["' + "[{" * 1000 + '\\"[[",[]]', ["[{" * 1000 + '"[[', []]),
]


@pytest.mark.parametrize(("text", "value"), GOOD, ids=lambda value: ascii(value)[:30])
def test_good_json(text: str, value: Any) -> None:
    """All that is strict JSON is read, from text and from bytes."""
    if value is None:
        value = json.loads(text)
    assert loads(text) == value
    assert loads(text.encode()) == value
    assert type(loads(text)) is type(value)


BAD = [
    ("", "Expecting value at character 0"),
    (" ", "Expecting value"),
    ("nul", "Expecting value"),
    ("[1,]", " at character"),
    ('{"a":1,}', " at character"),
    ("[1 2]", "Expecting ',' delimiter at character 3"),
    ("1 2", "Extra data at character 2"),
    ("01", "Extra data"),
    ("+1", "Expecting value"),
    (".5", "Expecting value"),
    ("1.", "Extra data"),
    ("0x10", "Extra data"),
    ("'a'", "Expecting value"),
    ("{a:1}", "Expecting property name"),
    ('"a\nb"', "Invalid control character at character 2"),
    ('"\\x41"', "Invalid \\escape"),
    ('"\\u12"', "Invalid \\uXXXX escape"),
    ('"abc', "Unterminated string starting at character 0"),
    ("\ufeff1", "Expecting value"),
    ("\u00a01", "Expecting value"),
    ("٣", "Expecting value"),
    ("NaN", "NaN is not JSON"),
    ("[Infinity]", "Infinity is not JSON"),
    ('{"a":-Infinity}', "-Infinity is not JSON"),
    ("1e400", "number out of range: '1e400'"),
    ("-1e400", "number out of range: '-1e400'"),
    ("1" * 400 + ".0", "number out of range: '1111111111111111111111111111111111111111\\u2026'"),
    ("9" * (MAX_INTEGER_DIGITS + 1), "integer of more than 308 digits"),
    ("9" * 1_000_000, "integer of more than 308 digits"),
    ('"\\ud800"', "lone surrogate"),
    ('"\\uDFFF"', "lone surrogate"),
    ('["\\ude00\\ud83d"]', "lone surrogate"),
    ('{"\\ud800":1}', "lone surrogate"),
    ('"\\ud800😀"', "lone surrogate"),
    ('"\ud800"', "lone surrogate"),
    ('{"a":1,"b":2,"a":1}', "duplicate key 'a'"),
    ('[{"\\u0061":1,"a":2}]', "duplicate key 'a'"),
    ('{"é":1,"é":2}', "duplicate key '\\xe9'"),
    ('{"' + "k" * 1000 + '":1,"' + "k" * 1000 + '":1}', "duplicate key 'kkkkkkkkkk"),
    ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested deeper than 64 levels"),
    ('{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1), "nested deeper than 64 levels"),
    ("[" * 1_000_000, "nested deeper than 64 levels"),
    ('["\\"",' * 1000, "nested deeper than 64 levels"),
    ("]" * 1000 + "[" * 1000, "Expecting value at character 0"),
    ('"' * 1_000_000, "Extra data at character 2"),
    ('"' + "\\" * 999_999, " at character"),
    ('"[' + '\\"[' * 300_000, "Unterminated string"),
]


@pytest.mark.parametrize(("text", "says"), BAD, ids=lambda value: ascii(value)[:30])
def test_bad_json(text: str, says: str) -> None:
    """All else is one error that says what is wrong in a few words."""
    with pytest.raises(JSONError) as caught:
        loads(text)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    "text", [b'"\xff"', b'"\xed\xa0\x80"', '"a"'.encode("utf-16"), b'"\xe2\x82"']
)
def test_bytes_that_are_not_utf8(text: bytes) -> None:
    """Bytes are UTF-8 and nothing else is guessed."""
    with pytest.raises(JSONError, match="not UTF-8 at byte"):
        loads(text)


def test_byte_order_mark() -> None:
    """A byte order mark is no JSON."""
    with pytest.raises(JSONError, match="Expecting value"):
        loads(b"\xef\xbb\xbf1")


def test_depth_is_the_callers_choice() -> None:
    """Who reads what it has written itself may allow more."""
    assert loads("[[]]", max_depth=2) == [[]]
    with pytest.raises(JSONError, match="deeper than 1 levels"):
        loads("[[]]", max_depth=1)
    text = "[" * MAX_WRITTEN_DEPTH + "]" * MAX_WRITTEN_DEPTH
    assert dumps(loads(text, max_depth=MAX_WRITTEN_DEPTH)) == text


def outcome(text: str) -> str:
    try:
        loads(text)
    except JSONError as error:
        return str(error)
    except RecursionError:
        return "not even called"
    return "read"


def outcomes_from_a_full_stack(text: str) -> list[str]:
    """What becomes of ``text`` with the stack full, and with one frame more left each time."""
    try:
        outcomes = outcomes_from_a_full_stack(text)
    except RecursionError:
        outcomes = []
    if len(outcomes) < 150:
        outcomes.append(outcome(text))
    return outcomes


def test_full_stack() -> None:
    """Called with nearly all of the stack used up, reading is our error too."""
    depth = MAX_DEPTH - 1
    outcomes = outcomes_from_a_full_stack("[" * depth + "{}" + "]" * depth)
    assert "nested too deeply" in outcomes
    assert set(outcomes) <= {"nested too deeply", "read", "not even called"}
    assert outcomes[-1] == "read"


WRITTEN = [
    (None, "null"),
    ({"a": [1, 2.5, True], "b": {}}, '{"a":[1,2.5,true],"b":{}}'),
    ((1, (2,)), "[1,[2]]"),
    ("é€😀\u2028\x7f</", '"\\u00e9\\u20ac\\ud83d\\ude00\\u2028\\u007f</"'),
    ("\ud800", '"\\ud800"'),
    ('\x1e\n"\\', '"\\u001e\\n\\"\\\\"'),
    ({1: 2, None: 3}, '{"1":2,"null":3}'),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN, ids=lambda value: ascii(value)[:30])
def test_writing(value: Any, text: str) -> None:
    """One compact line of ASCII."""
    assert dumps(value) == text


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


UNWRITABLE = [
    (float("nan"), "not JSON compliant"),
    ([float("inf")], "not JSON compliant"),
    (-float("inf"), "not JSON compliant"),
    (b"bytes", "not JSON serializable"),
    ({1, 2}, "not JSON serializable"),
    ({(1, 2): 3}, "keys must be"),
    (10**5000, "digits"),
    (circle(), "Circular reference"),
    (nested(MAX_WRITTEN_DEPTH + 1), "nested deeper than 128 levels"),
    (nested(100_000), "nested too deeply"),
]


@pytest.mark.parametrize(("value", "says"), UNWRITABLE, ids=[says for _, says in UNWRITABLE])
def test_unwritable(value: Any, says: str) -> None:
    """What has no strict JSON form is the one error."""
    with pytest.raises(JSONError) as caught:
        dumps(value)
    assert says in str(caught.value)


def test_deepest_writing() -> None:
    """So deep and no deeper; brackets in strings do not count."""
    assert dumps(nested(MAX_WRITTEN_DEPTH)) == "[" * MAX_WRITTEN_DEPTH + "]" * MAX_WRITTEN_DEPTH
    assert loads(dumps(["[" * 1000])) == ["[" * 1000]


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"])),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner),
    ),
    max_leaves=20,
)


@bounded
@given(json_values)
def test_round_trip(value: Any) -> None:
    """Whatever is written is read again, and is what the standard library reads."""
    text = dumps(value)
    assert text.isascii()
    assert loads(text) == loads(text.encode()) == json.loads(text) == value


@bounded
@given(json_values)
def test_raw_text_is_read_like_escapes(value: Any) -> None:
    """Text that is not escaped means the same."""
    text = json.dumps(value, ensure_ascii=False)
    assert loads(text) == loads(text.encode()) == value


@bounded
@given(st.one_of(st.text(max_size=30), st.binary(max_size=30)))
def test_anything(text: str | bytes) -> None:
    """Any text and any bytes at all are a value or the one error."""
    with contextlib.suppress(JSONError):
        dumps(loads(text))


pieces = st.sampled_from(
    [
        *'[]{}",:0123456789.eE+- \\ntu',
        "\\ud83d",
        "\\ude00",
        "NaN",
        "1e999",
        '"a":',
        "true",
        "é",
        "[" * 40,
    ]
)


@bounded
@given(st.lists(pieces, max_size=20).map("".join))
def test_likely_texts(text: str) -> None:
    """Texts of JSON's own pieces are a value that can be written and read again, or the one error."""
    try:
        value = loads(text)
    except JSONError:
        return
    assert loads(dumps(value)) == value
