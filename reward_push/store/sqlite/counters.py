"""Numbers that never come again, whatever was removed meanwhile."""

import sqlite3


def take(connection: sqlite3.Connection, name: str, count: int) -> int:
    """Take ``count`` numbers of the counter ``name``; return the first of them."""
    [value] = connection.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
    connection.execute("UPDATE counters SET value = ? WHERE name = ?", (value + count, name))
    return int(value)
