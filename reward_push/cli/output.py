"""What commands print: tables for people, one JSON object a line for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def printable(text: object) -> str:
    """Return a text without anything that a terminal would obey."""
    return "".join(each if each.isprintable() else "\ufffd" for each in str(text))


def show_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    # ASCII: it must come out of any terminal and pipe as it is.
    print(json.dumps(value, separators=(",", ":")))  # noqa: T201


def show_fields(fields: Mapping[str, object]) -> None:
    """Print one thing, a field a line."""
    width = max(map(len, fields), default=0) + 2
    for name, value in fields.items():
        print(f"{name + ':':<{width}}{printable(value)}")  # noqa: T201


def show_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns."""
    cells = [list(head), *([printable(each) for each in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        line = "  ".join(f"{each:<{width}}" for each, width in zip(row, widths, strict=True))
        print(line.rstrip())  # noqa: T201


def listed(values: Sequence[object] | None, otherwise: str) -> str:
    """Return values with commas between them, or ``otherwise`` when there are none."""
    return ",".join(map(str, values)) if values else otherwise
