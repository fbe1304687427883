"""What can go wrong with a store before it serves; later trouble is ``access.interfaces.StoreUnavailable``."""

import sqlite3


class StoreError(Exception):
    """The store cannot be opened. The text is one line that names the file and the reason."""


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code. Errors of the Python module itself have none: ``SQLITE_ERROR``."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
