"""JSON without surprises: what another language could read differently, or not at all, is refused.

The standard library's reader accepts ``NaN``, ``1e400``, lone surrogates and duplicate keys, and
nests as deep as its stack allows. :func:`loads` accepts none of these, so a value that came in can
always be written again, compared, and read by every client. Whatever is wrong with the input, the
only exception is :class:`JSONError`.
"""

import json
import re
from collections import Counter
from itertools import accumulate
from math import isfinite
from typing import Any, NoReturn

MAX_DEPTH = 64
"""How deep arrays and objects may nest in what is read, unless the caller says otherwise."""

MAX_WRITTEN_DEPTH = 128
"""How deep they may nest in what is written: twice as deep, for what we wrap around what was read."""

MAX_INTEGER_DIGITS = 308
"""Longest integer read. Every such integer fits a double, so arithmetic on it cannot overflow."""

_SHOWN = 40
"""How many characters of the input an error message may repeat."""

# Possessive quantifiers keep this linear on hostile input. An unterminated string runs to the end.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class Written(str):
    """A value in its written form, as :func:`dumps` returns it: much smaller than the value itself.

    Where it is taken as such, and not as a string, it says so (:func:`..socketio.encoder.encode`).
    """

    __slots__ = ()


class JSONError(ValueError):
    """A text that is not strict JSON, or a value that has no strict JSON form."""


def loads(text: str | bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Return the value that ``text`` (``bytes``: UTF-8, no byte order mark) stands for.

    Refused beside what is no JSON at all: numbers beyond a double, integers of more than
    :data:`MAX_INTEGER_DIGITS` digits, ``NaN`` and ``Infinity``, lone surrogates raw or escaped,
    an object with the same key twice, and nesting deeper than ``max_depth``.

    :raises JSONError: naming what is wrong.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise JSONError(f"not UTF-8 at byte {error.start}") from None
    elif not _is_unicode(text):
        raise JSONError("lone surrogate")
    _check_depth(text, max_depth)
    try:
        value = _DECODER.decode(text)
    except JSONError:
        raise
    except json.JSONDecodeError as error:
        problem = error.msg.removesuffix(" at")
        raise JSONError(f"{problem} at character {error.pos}") from None
    except RecursionError:
        # The depth is bounded, but the caller may have used up the stack.
        raise JSONError("nested too deeply") from None
    # Only a text with such escapes can hold lone ones; most have none and are not walked again.
    if _SURROGATE_ESCAPE.search(text) and not _is_unicode(_UNESCAPED.encode(value)):
        raise JSONError("lone surrogate")
    return value


def dumps(value: object) -> str:
    """Return ``value`` as compact ASCII JSON: one line, everything else escaped.

    ASCII escapes are safe on every transport and in every length count. A lone surrogate is written
    as its escape. Tuples are arrays.

    :raises JSONError: ``NaN``, infinities, other types, circles, nesting deeper than
        :data:`MAX_WRITTEN_DEPTH`.
    """
    try:
        text = _ENCODER.encode(value)
    except RecursionError:
        raise JSONError("nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise JSONError(str(error)) from None
    _check_depth(text, MAX_WRITTEN_DEPTH)
    return text


def _check_depth(text: str, most: int) -> None:
    """Refuse ``text`` if its brackets nest deeper than ``most``, without parsing it."""
    if text.count("[") + text.count("{") <= most:
        return
    brackets = _BRACKET.findall(_STRING.sub("", text))
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > most:
        raise JSONError(f"nested deeper than {most} levels")


def _is_unicode(text: str) -> bool:
    """Whether ``text`` has a UTF-8 form, that is, no lone surrogates."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise JSONError(f"duplicate key {_shown(twice)}")
    return value


def _integer(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS:
        raise JSONError(f"integer of more than {MAX_INTEGER_DIGITS} digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise JSONError(f"number out of range: {_shown(digits)}")
    return value


def _constant(name: str) -> NoReturn:
    raise JSONError(f"{name} is not JSON")


def _shown(text: str) -> str:
    """``text`` for an error message: cut, and ASCII, as it may hold anything."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_UNESCAPED = json.JSONEncoder(ensure_ascii=False)
