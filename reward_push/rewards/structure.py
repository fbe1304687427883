"""Strict reading of JSON that came from outside: nothing is coerced, and each error names its place.

A *check* is a function ``(value, path)`` that returns the value as the domain wants it or raises
:class:`.errors.Refused`. :func:`structure` applies a table of checks to an object. ``"5"`` is not 5,
``true`` is not 1, ``null`` is not absence; ``119.0`` is an integer, as JSON Schema says.
"""

import json
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from .errors import Refused, invalid
from .names import NAME_RULE, is_name

Check = Callable[[object, str], Any]

_SHOWN = 40


class Field(NamedTuple):
    """One field of an object."""

    check: Check
    required: bool = False


def kind_of(value: object) -> str:
    """Name a JSON value's type, as in "not a string"."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def shown(value: str) -> str:
    """Quote a value for a message: escaped, and cut where it is long."""
    cut = value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "…"
    return json.dumps(cut, ensure_ascii=False)


def suggestion(word: str, known: Collection[str]) -> str:
    """Return ``: did you mean "…"?`` when ``word`` looks like a misspelling of something known."""
    near = get_close_matches(word[:64], known, n=1)
    return f': did you mean "{near[0]}"?' if near else ""


def structure(
    value: object, fields: Mapping[str, Field], path: str = "", *, what: str = "the body"
) -> dict[str, Any]:
    """Check an object against ``fields``; return the checked values of those that are there.

    The first error is raised: an unknown field before all, as a misspelt name is missing too, then in the
    order of ``fields``. ``what`` names the object where ``path`` is empty.
    """
    if not isinstance(value, dict):
        msg = f"{path or what} must be an object, not {kind_of(value)}"
        raise invalid(msg, path)
    prefix = f"{path}." if path else ""
    for name in value:
        if name not in fields:
            raise _unknown_field(name, fields, prefix)
    checked = {}
    for name, field in fields.items():
        if name in value:
            checked[name] = field.check(value[name], prefix + name)
        elif field.required:
            msg = f"{prefix}{name} is missing"
            raise invalid(msg, prefix + name)
    return checked


def _unknown_field(name: str, known: Collection[str], prefix: str) -> Refused:
    cut = prefix + (name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…")
    return invalid(f"there is no field {shown(prefix + name)}{suggestion(name, known)}", cut)


def identifier(value: object, path: str) -> str:
    """Check an id or a streamer's or group's name."""
    if isinstance(value, str) and is_name(value):
        return value
    wrong = shown(value) if isinstance(value, str) else kind_of(value)
    msg = f"{path} must be {NAME_RULE}, not {wrong}"
    raise invalid(msg, path)


def boolean(value: object, path: str) -> bool:
    """Check ``true`` or ``false``."""
    if isinstance(value, bool):
        return value
    msg = f"{path} must be true or false, not {kind_of(value)}"
    raise invalid(msg, path)


def text(least: int, most: int) -> Callable[[object, str], str]:
    """Make a check for a string of ``least`` to ``most`` characters."""

    def check(value: object, path: str) -> str:
        if not isinstance(value, str):
            msg = f"{path} must be a string, not {kind_of(value)}"
            raise invalid(msg, path)
        if not least <= len(value) <= most:
            msg = f"{path} must be {least} to {most} characters long, not {len(value)}"
            raise invalid(msg, path)
        return value

    return check


def integer(least: int, most: int) -> Callable[[object, str], int]:
    """Make a check for a whole number from ``least`` to ``most``."""

    def check(value: object, path: str) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            wrong = "a fraction" if isinstance(value, float) else kind_of(value)
            msg = f"{path} must be a whole number, not {wrong}"
            raise invalid(msg, path)
        if not least <= value <= most:
            msg = f"{path} must be from {least} to {most}"
            raise invalid(msg, path)
        return value

    return check


def one_of(known: Collection[str]) -> Callable[[object, str], str]:
    """Make a check for one of the strings ``known``."""

    def check(value: object, path: str) -> str:
        if isinstance(value, str) and value in known:
            return value
        choice = ", ".join(f'"{each}"' for each in known)
        if not isinstance(value, str):
            msg = f"{path} must be one of {choice}, not {kind_of(value)}"
        else:
            near = suggestion(value, known)
            msg = f"{path} must be one of {choice}, not {shown(value)}{near}"
        raise invalid(msg, path)

    return check


def many(item: Check, least: int, most: int) -> Callable[[object, str], tuple[Any, ...]]:
    """Make a check for an array of ``least`` to ``most`` items; the same item twice counts once."""

    def check(value: object, path: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            msg = f"{path} must be an array, not {kind_of(value)}"
            raise invalid(msg, path)
        if not least <= len(value) <= most:
            msg = f"{path} must have {least} to {most} items, not {len(value)}"
            raise invalid(msg, path)
        return tuple(
            dict.fromkeys(item(each, f"{path}[{index}]") for index, each in enumerate(value))
        )

    return check
