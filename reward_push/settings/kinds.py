"""Kinds of values: how each is read from text (options, environment) and from TOML.

A reader raises ``ValueError`` with the rule that a value breaks, never with the value: it may be a secret.
"""

import math
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import attrs

from ..rate import Rate

_DECIMAL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?|\.[0-9]{1,15}", re.ASCII)
_INTEGER = re.compile(r"[0-9]{1,15}", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,15})(KiB|MiB|GiB)", re.ASCII)
_SIZE_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
MAX_SECONDS = 10.0**9
MAX_BYTES = 1 << 30
MAX_COUNT = 10**9
MAX_ITEMS = 100

Check = Callable[[Any], Any]
"""Returns the value as it is used, or raises ``ValueError`` with the rule."""


@attrs.frozen
class Kind:
    """How to read one kind of value, and what to call it in ``--help``."""

    unit: str
    of_text: Callable[[str], Any]
    of_toml: Callable[[object], Any]
    is_list: bool = False
    """Whether it may be given as several options, which add up."""


def seconds(minimum: float = 0.0) -> Kind:
    """A duration; fractions allowed."""
    rule = f"must be a number of seconds between {minimum:g} and {MAX_SECONDS:.0f}"

    def check(value: float) -> float:
        # The comparison refuses NaN too.
        if not minimum <= value <= MAX_SECONDS:
            raise ValueError(rule)
        return float(value)

    def of_text(text: str) -> float:
        return check(float(text) if _DECIMAL.fullmatch(text) else math.nan)

    def of_toml(value: object) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return check(value if is_number else math.nan)  # type: ignore[arg-type]

    return Kind("seconds", of_text, of_toml)


def size() -> Kind:
    """A number of bytes, or a text such as ``64KiB``."""
    rule = f"must be a whole number of bytes up to {MAX_BYTES}, or such as 64KiB or 1MiB"

    def check(value: int) -> int:
        if not 0 <= value <= MAX_BYTES:
            raise ValueError(rule)
        return value

    def of_text(text: str) -> int:
        if _INTEGER.fullmatch(text):
            return check(int(text))
        return with_unit(text)

    def with_unit(text: str) -> int:
        match = _SIZE.fullmatch(text)
        return check(int(match[1]) * _SIZE_UNITS[match[2]] if match else -1)

    def of_toml(value: object) -> int:
        if isinstance(value, str):
            return with_unit(value)
        return check(value if _is_integer(value) else -1)  # type: ignore[arg-type]

    return Kind("bytes", of_text, of_toml)


def count(minimum: int = 0, maximum: int = MAX_COUNT) -> Kind:
    """A whole number."""
    rule = f"must be a whole number between {minimum} and {maximum}"

    def check(value: int) -> int:
        if not minimum <= value <= maximum:
            raise ValueError(rule)
        return value

    return Kind(
        "",
        lambda text: check(int(text) if _INTEGER.fullmatch(text) else -1),
        lambda value: check(value if _is_integer(value) else -1),  # type: ignore[arg-type]
    )


def rate() -> Kind:
    """A rate ``per second/burst``; ``None`` for ``0``: no limit."""
    rule = "must be a rate per second/burst such as 20/40, or 0"

    def of_text(text: str) -> Rate | None:
        if text == "0":
            return None
        parts = text.split("/")
        if len(parts) != 2 or not all(map(_DECIMAL.fullmatch, parts)):
            raise ValueError(rule)
        result = Rate(*map(float, parts))
        if result.per_second <= 0 or result.burst < 1:
            raise ValueError(f"{rule}: the first above 0, the second at least 1")
        return result

    def of_toml(value: object) -> Rate | None:
        if _is_integer(value) and value == 0:
            return None
        if not isinstance(value, str):
            raise ValueError(rule)
        return of_text(value)

    return Kind("per second/burst", of_text, of_toml)


def boolean() -> Kind:
    """True or false."""

    def of_text(text: str) -> bool:
        value = _BOOLEANS.get(text.lower())
        if value is None:
            raise ValueError("must be true or false")
        return value

    def of_toml(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError("must be true or false, without quotes")
        return value

    return Kind("true or false", of_text, of_toml)


def text(check: Check, unit: str = "") -> Kind:
    """A text that ``check`` accepts."""

    def of_toml(value: object) -> Any:
        if not isinstance(value, str):
            raise ValueError("must be a string, in quotes")
        return check(value)

    return Kind(unit, check, of_toml)


def choice(values: type[StrEnum]) -> Kind:
    """One of the values of an enumeration."""
    names = ", ".join(values)

    def check(value: str) -> Any:
        try:
            return values(value)
        except ValueError:
            raise ValueError(f"must be one of: {names}") from None

    return text(check, " or ".join(values))


def texts(
    check: Check, check_all: Check, *, lone: bool = False, unit: str = "comma-separated"
) -> Kind:
    """A list of texts: a TOML array, elsewhere comma-separated.

    Args:
        check: reads one entry.
        check_all: reads the tuple of all entries.
        lone: whether a TOML string stands for a list of one.
        unit: what to call it in ``--help``.
    """
    rule = "must be an array of strings"

    def read(values: list[Any]) -> Any:
        if len(values) > MAX_ITEMS:
            raise ValueError(f"must have at most {MAX_ITEMS} entries")
        entries = tuple(check(value) for value in values)
        if len(set(entries)) != len(entries):
            raise ValueError("must not name anything twice")
        return check_all(entries)

    def of_toml(value: object) -> Any:
        if lone and isinstance(value, str):
            return read([value])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise ValueError(rule)
        return read(value)

    def of_text(text: str) -> Any:
        return read([each.strip() for each in text.split(",")] if text.strip() else [])

    return Kind(unit, of_text, of_toml, is_list=True)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
