"""``bytes`` out of data and back into it."""

from typing import Any

import pytest

from reward_push.socketio.attachments import deconstruct, fill_slots, find_slots
from reward_push.socketio.errors import DecodeError, EncodeError


def placeholder(number: int) -> dict[str, Any]:
    return {"_placeholder": True, "num": number}


def test_data_without_bytes_is_not_copied() -> None:
    """The usual packet costs one walk and nothing else."""
    data = ["a", {"b": [1, None, "c"]}, (2,)]
    plain, buffers = deconstruct(data)
    assert plain is data
    assert buffers == []


def test_walk_order() -> None:
    """Buffers are numbered in the order of arrays and of the keys of objects."""
    data = ["e", {"z": b"0", "a": [b"1", {"x": b"2"}]}, b"3"]
    plain, buffers = deconstruct(data)
    assert plain == [
        "e",
        {"z": placeholder(0), "a": [placeholder(1), {"x": placeholder(2)}]},
        placeholder(3),
    ]
    assert buffers == [b"0", b"1", b"2", b"3"]


def test_data_is_not_changed() -> None:
    """A broadcast may use its data again."""
    data = ["e", {"a": b"0"}]
    deconstruct(data)
    assert data == ["e", {"a": b"0"}]


def test_all_kinds_of_bytes() -> None:
    """``bytearray`` and ``memoryview`` are copied: they may change before they are sent."""
    array = bytearray(b"a")
    _, buffers = deconstruct(["e", array, memoryview(b"b"), b"c"])
    array[0] = 0
    assert buffers == [b"a", b"b", b"c"]
    assert [type(buffer) for buffer in buffers] == [bytes, bytes, bytes]


def test_circle() -> None:
    """Data that contains itself is an error, not endless."""
    data: list[Any] = ["e"]
    data.append({"again": data})
    with pytest.raises(EncodeError, match="nested too deeply"):
        deconstruct(data)


def test_bytes_before_a_circle() -> None:
    """It is an error also where the bytes come first."""
    data: list[Any] = ["e", b"x"]
    data.append(data)
    with pytest.raises(EncodeError, match="nested too deeply"):
        deconstruct(data)


def test_forged_placeholder() -> None:
    """Beside bytes, data that the receiver would take for a placeholder is an error."""
    with pytest.raises(EncodeError, match="looks like the placeholder"):
        deconstruct(["e", {"x": placeholder(5)}, b"x"])


def test_slots_are_filled() -> None:
    """Each buffer goes where its number is, in arrays and in objects."""
    data = ["e", placeholder(1), {"x": [placeholder(0)], "y": placeholder(1)}]
    fill_slots(find_slots(data, 2), [b"0", b"1"])
    assert data == ["e", b"1", {"x": [b"0"], "y": b"1"}]


@pytest.mark.parametrize("number", [2, -1, True, 0.0, "0", None, [0]])
def test_bad_number(number: object) -> None:
    """A number that is no integer or out of range is an error before any buffer has come."""
    with pytest.raises(DecodeError, match="not announced"):
        find_slots(["e", {"_placeholder": True, "num": number}], 2)
