"""Walking through a batch: the same verdicts, and the same values, as parsing all of it at once."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_push.api.batch_text import MAX_BATCH, WINDOW_BYTES, BatchText
from reward_push.rewards.errors import ErrorCode, Refused
from reward_push.strict_json import JSONError, loads

MIB = 1 << 20


def walked(body: bytes, most: int = MIB) -> list[Any]:
    """Return the messages found."""
    batch = BatchText(body, most)
    spans = [span for span in batch.spans() if span is not None]
    return [batch.value(span) for span in spans]


def refusal(body: bytes, most: int = MIB) -> Refused:
    with pytest.raises(Refused) as caught:
        walked(body, most)
    assert len(caught.value.message) < 300
    return caught.value


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abé\U0001f600", max_size=3), inner)
    ),
    max_leaves=20,
)


@given(st.lists(VALUES, min_size=1, max_size=10), st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_values_are_found_as_they_are(values: list[Any], ascii_only: bool, indent: Any) -> None:
    text = json.dumps({"messages": values}, ensure_ascii=ascii_only, indent=indent)
    assert walked(f" \r\n{text}\t ".encode()) == values


@settings(max_examples=300)
@given(
    st.lists(VALUES, min_size=1, max_size=3),
    st.integers(0, 200),
    st.sampled_from([b"", b",", b"]", b"}", b'"', b"\\", b"\xff", b"x", b"[", b"1", b"\x00", b" "]),
    st.booleans(),
)
def test_what_is_damaged_is_judged_like_json(
    values: list[Any], at: int, new: bytes, replace: bool
) -> None:
    """Bytes put in or out, anywhere."""
    body = json.dumps({"messages": values}, ensure_ascii=False).encode()
    at = min(at, len(body))
    body = body[:at] + new + body[at + replace :]
    try:
        whole = loads(body)
    except JSONError:
        whole = None
    fits = isinstance(whole, dict) and list(whole) == ["messages"]
    if fits and isinstance(whole["messages"], list) and whole["messages"]:
        assert walked(body) == whole["messages"]
    else:
        assert refusal(body).code is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("size", [WINDOW_BYTES - 40, WINDOW_BYTES, WINDOW_BYTES + 3, 300_000])
@pytest.mark.parametrize("character", ["x", "é", "€", "\U0001f600", '\\"', "\\u00e9", "[", ","])
def test_messages_larger_than_a_window(size: int, character: str) -> None:
    """Wherever in a character, an escape, a number or a word the window ends."""
    if character in (",", "["):
        size = min(size, WINDOW_BYTES)
    for shift in range(4):
        filler = character * (size // len(character.encode()))
        items = f'{"7" * shift},"{filler}",-1.5e3,true' if shift else f'"{filler}",null'
        body = f'{{"messages":[[{items}],"next"]}}'.encode()
        assert walked(body) == loads(body)["messages"]


@pytest.mark.parametrize("tail", [b"12345", b"true", b"-1.25e10", b'"\\ud83d\\ude00"', b"{}"])
def test_a_window_may_end_anywhere_in_a_value(tail: bytes) -> None:
    for pad in range(WINDOW_BYTES - 30, WINDOW_BYTES + 5):
        body = b'{"messages":["' + b"x" * 10 + b'",[' + b" " * pad + tail + b"]]}"
        assert walked(body) == loads(body)["messages"]


def test_a_number_that_goes_on_behind_the_window() -> None:
    for cut in range(1, 12):
        number = b"1234567890.5"
        pad = WINDOW_BYTES - cut
        body = b'{"messages":[[' + b" " * (pad - 1) + number + b"]]}"
        assert walked(body) == [[1234567890.5]]
        lone = b'{"messages":[' + b"1" * 300 + b"," + b" " * (pad - 100) + number + b"]}"
        assert walked(lone) == [int("1" * 300), 1234567890.5]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"messages":[]}', "messages"),
        (b'{"messages":{}}', "messages"),
        (b'{"messages":"x"}', "messages"),
        (b'{"messages":null}', "messages"),
        (b'{"massages":[1]}', "massages"),
        (b'{"messages":[1],"more":1}', None),
        (b'{"messages":[1],"messages":[1]}', None),
        (b"{}", None),
        (b"[]", None),
        (b"[1]", None),
        (b"7", None),
        (b'"messages"', None),
        (b'{"messages":[1]} x', None),
        (b'{"messages":[1]}}', None),
        (b'{"messages":[1],}', None),
        (b'{"messages":[1,]}', None),
        (b'{"messages":[,1]}', None),
        (b'{"messages":[1 2]}', None),
        (b'{"messages" [1]}', None),
        (b"{messages:[1]}", None),
        (b'{"messages":[1]', None),
        (b'{"messages":[1', None),
        (b'{"messages":[', None),
        (b'{"messages":', None),
        (b'{"mess', None),
        (b"{", None),
        (b"", None),
        (b"   ", None),
        (b'\xef\xbb\xbf{"messages":[1]}', None),
        (b'{"messages":[NaN]}', None),
        (b'{"messages":[1e999]}', None),
        (b'{"messages":["\\ud800"]}', None),
        (b'{"messages":["\xff"]}', None),
        (b'{"messages":["\xc3"]}', None),
        (b'{"messages":["\xc3', None),
        (b'{"messages":[{"a":1,"a":2}]}', None),
        (b'{"messages":[' + b"9" * 400 + b"]}", None),
        (b'{"messages":[' + b"[" * 65 + b"]" * 65 + b"]}", None),
        (b'{"messages":[' + b"[" * 5000 + b"]" * 5000 + b"]}", None),
        (b'{"messages":[' + b"[" * WINDOW_BYTES, None),
        (b'{"messages":["' + b"x" * 50 + b"\n" + b'"]}', None),
    ],
    ids=range(41),
)
def test_what_is_no_batch(body: bytes, field: str | None) -> None:
    refused = refusal(body)
    assert (refused.code, refused.field) == (ErrorCode.INVALID_REQUEST, field)


def test_the_field_s_name_may_be_written_in_any_way() -> None:
    assert walked(b'{"\\u006dessages":[1]}') == [1]


def test_so_many_messages_and_no_more() -> None:
    assert len(walked(b'{"messages":[' + b",".join([b"1"] * MAX_BATCH) + b"]}")) == MAX_BATCH
    refused = refusal(b'{"messages":[' + b",".join([b"1"] * (MAX_BATCH + 1)) + b"]}")
    assert (refused.code, refused.field) == (ErrorCode.INVALID_REQUEST, "messages")
    endless = b'{"messages":[' + b"1," * 1_000_000
    assert refusal(endless).field == "messages"


@pytest.mark.parametrize(
    "item",
    [
        b'"' + b"x" * 2 * MIB + b'"',
        b'{"a":"' + b"\\\\" * MIB + b'"}',
        b"[" + b" " * 2 * MIB + b"]",
        b"1" * 2 * MIB,
    ],
    ids=range(4),
)
def test_a_message_that_is_too_large(item: bytes) -> None:
    refused = refusal(b'{"messages":[1,' + item + b"]}")
    assert (refused.code, refused.field) == (ErrorCode.TOO_LARGE, "messages")
    assert refused.message == f"messages[1] is larger than {MIB} bytes"


@pytest.mark.parametrize("item", [b"[" + b"{}," * 100_000 + b"1]", b"[" + b"[]," * 50_000 + b"1]"])
def test_a_message_with_too_many_values(item: bytes) -> None:
    refused = refusal(b'{"messages":[' + item + b"]}", 16 * MIB)
    assert refused.code is ErrorCode.TOO_LARGE
    assert refused.message == "messages[0] has too many values"


def test_no_limit_is_no_limit() -> None:
    assert walked(b'{"messages":["' + b"x" * 3 * MIB + b'"]}', 0) == ["x" * 3 * MIB]


def test_a_walk_can_be_interrupted_everywhere() -> None:
    """Behind every message, and within long ones and long gaps."""
    gap = b" " * 10 * WINDOW_BYTES
    body = b'{"messages":[' + gap + b'"' + b"x" * 500_000 + b'"' + gap + b",1" + gap + b"]}"
    steps = list(BatchText(body, MIB).spans())
    assert len(steps) > 30
    assert len([step for step in steps if step is not None]) == 2
