"""``bytes`` in the data of a packet travel beside it: each is replaced by a numbered placeholder.

``["baz", b"..."]`` becomes ``["baz", {"_placeholder": true, "num": 0}]`` and one buffer. Buffers are
numbered in the order of a walk through the data.
"""

from collections.abc import Sequence
from typing import Any

from ..strict_json import MAX_WRITTEN_DEPTH
from .errors import DecodeError, EncodeError

_MARK = "_placeholder"
_BYTES = (bytes, bytearray, memoryview)

Slot = tuple[Any, Any, int]
"""Where a buffer belongs: container, index or key, and the buffer's number."""


def deconstruct(data: Any) -> tuple[Any, list[bytes]]:
    """Return ``data`` with placeholders for its ``bytes``, and these in order.

    ``data`` is not changed; without ``bytes`` in it, it is returned as it is. ``bytearray`` and
    ``memoryview`` count as ``bytes``.

    :raises EncodeError: nested too deeply (or in a circle), or holding beside ``bytes`` a dictionary
        that the receiver would take for a placeholder.
    """
    if not _has_binary(data, 0):
        return data, []
    buffers: list[bytes] = []
    return _replace(data, buffers, 0), buffers


def find_slots(data: Any, count: int) -> list[Slot]:
    """Return the places in ``data`` (fresh from JSON) where ``count`` buffers belong.

    :raises DecodeError: a placeholder whose ``num`` is not an integer from 0 to ``count`` - 1.
    """
    slots: list[Slot] = []
    _find(data, count, slots)
    return slots


def fill_slots(slots: Sequence[Slot], buffers: Sequence[bytes]) -> None:
    """Put ``buffers`` into their places."""
    for container, key, number in slots:
        container[key] = buffers[number]


def _has_binary(data: Any, depth: int) -> bool:
    if isinstance(data, _BYTES):
        return True
    if isinstance(data, dict):
        children: Any = data.values()
    elif isinstance(data, list | tuple):
        children = data
    else:
        return False
    _check_depth(depth)
    # A loop, not any(): this is walked for each packet sent.
    for child in children:  # noqa: SIM110
        if _has_binary(child, depth + 1):
            return True
    return False


def _replace(data: Any, buffers: list[bytes], depth: int) -> Any:
    if isinstance(data, _BYTES):
        buffers.append(bytes(data))
        return {_MARK: True, "num": len(buffers) - 1}
    if isinstance(data, dict):
        _check_depth(depth)
        if data.get(_MARK) is True:
            raise EncodeError("data that looks like the placeholder of an attachment")
        return {key: _replace(value, buffers, depth + 1) for key, value in data.items()}
    if isinstance(data, list | tuple):
        _check_depth(depth)
        return [_replace(value, buffers, depth + 1) for value in data]
    return data


def _check_depth(depth: int) -> None:
    if depth >= MAX_WRITTEN_DEPTH:
        raise EncodeError("nested too deeply")


def _find(container: Any, count: int, slots: list[Slot]) -> None:
    items: Any
    if isinstance(container, dict):
        items = container.items()
    elif isinstance(container, list):
        items = enumerate(container)
    else:
        return
    for key, value in items:
        if isinstance(value, dict) and value.get(_MARK) is True:
            number = value.get("num")
            if type(number) is not int or not 0 <= number < count:
                raise DecodeError("placeholder for an attachment that is not announced")
            slots.append((container, key, number))
        else:
            _find(value, count, slots)
