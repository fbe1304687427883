"""Finding out whether writing works, when nobody else writes."""

import sqlite3
from collections.abc import Sequence

PROBE_BYTES = 32768
"""Twice the largest message: where this fits, that will with all that belongs to it."""


def fill(connection: sqlite3.Connection, calls: Sequence[object]) -> list[None]:
    """Write something that needs space."""
    connection.execute("INSERT OR REPLACE INTO probe VALUES (1, zeroblob(?))", (PROBE_BYTES,))
    return [None] * len(calls)


def clear(connection: sqlite3.Connection, calls: Sequence[object]) -> list[None]:
    """Give the space back. In a transaction of its own: else the space would never be asked for."""
    connection.execute("DELETE FROM probe")
    return [None] * len(calls)
