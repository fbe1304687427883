"""Few and large steps into SQLite.

Each step gives up the interpreter lock, and to get it back from a busy reactor can take milliseconds. So
rows go in by the hundred a statement, and come out as one JSON text instead of one step a row.

What is compared with a column of text as part of several columns is cast to text: parameters have no type,
and SQLite would not use an index for it.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

_SIZES = (512, 128, 32, 8, 2, 1)
"""Rows a statement: few shapes, so that each is compiled once and kept; within the 32,766 parameters that
SQLite allows."""


def write(connection: sqlite3.Connection, statement: str, rows: Sequence[Sequence[Any]]) -> int:
    """Execute ``statement`` for all of ``rows``; ``{rows}`` in it becomes the rows of a ``VALUES``.

    Returns how many rows of its table it has changed.
    """
    return sum(connection.execute(*_filled(statement, some)).rowcount for some in _slices(rows))


def gather(
    connection: sqlite3.Connection, select: str, parameters: Sequence[Any] = ()
) -> list[list[Any]]:
    """Return what ``select`` finds; its only column is ``json_array(…) AS found``.

    The order is that of ``select`` if it has a ``LIMIT``.
    """
    statement = f"SELECT group_concat(found) FROM ({select})"  # noqa: S608 - a statement of ours
    [text] = connection.execute(statement, parameters).fetchone()
    return [] if text is None else json.loads(f"[{text}]")


def gather_for(
    connection: sqlite3.Connection, select: str, rows: Sequence[Sequence[Any]]
) -> list[list[Any]]:
    """Return what ``select`` finds for all of ``rows``: see :func:`write` and :func:`gather`."""
    found: list[list[Any]] = []
    for some in _slices(rows):
        found += gather(connection, *_filled(select, some))
    return found


def _filled(statement: str, rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    row = "(" + ", ".join("?" * len(rows[0])) + ")"
    places = ", ".join([row] * len(rows))
    return statement.format(rows=places), [value for row in rows for value in row]


def _slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut ``items`` into slices of the lengths in ``_SIZES``."""
    start = 0
    for size in _SIZES:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size
