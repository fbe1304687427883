"""Operations on a database, committed together; one that fails takes no other along."""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from ...access.interfaces import StoreUnavailable
from ..errors import primary_code
from ..lanes import Lane

Work = Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]
"""Does one thing for several arguments, inside a transaction, and returns one result for each, in order.

It may be called again after a rollback, so it must change nothing but the database. Several at once,
because each step into SQLite gives up the interpreter lock, and to get it back from a busy reactor can
take milliseconds.
"""

_OUR_FAULT = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
    sqlite3.ProgrammingError,
)

_FOR_ALL = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY)
"""What fails every write alike, some only after a long wait: not to be tried again for each."""


@attrs.define(eq=False)
class Operation:
    """One piece of work that somebody waits for."""

    work: Work
    argument: Any
    writes: bool
    """Whether it always does: else it is tried where writing is known to fail."""
    weight: int
    """How much it counts against its lane's limit: rows."""
    lane: Lane
    answer: "Deferred[Any]" = attrs.Factory(Deferred)


@attrs.frozen
class Outcome:
    """What became of an operation: ``result``, or ``error`` when that is not ``None``."""

    result: Any = None
    error: Exception | None = None


def run(connection: sqlite3.Connection, operations: Sequence[Operation]) -> list[Outcome]:
    """Do ``operations``, in order, in one transaction; return their outcomes when it is committed.

    If anything goes wrong, nothing of it stays, and each is done in a transaction of its own, so that
    only those fail that must. What SQLite cannot do now (disk full, read-only, I/O error, damage)
    becomes :class:`StoreUnavailable`; never raises.
    """
    hopeless: dict[Work, Exception] = {}
    if len(operations) > 1:
        tried = _attempt(connection, operations)
        if not isinstance(tried, Exception):
            return [Outcome(result) for result in tried]
        if _code(tried) in _FOR_ALL:
            hopeless = {each.work: tried for each in operations if each.writes}
    outcomes: list[Outcome] = []
    for operation in operations:
        tried = hopeless.get(operation.work) or _attempt(connection, [operation])
        if isinstance(tried, Exception):
            if _code(tried) == sqlite3.SQLITE_BUSY:  # Waited for long enough.
                hopeless[operation.work] = tried
            outcomes.append(Outcome(error=_translated(tried)))
        else:
            outcomes += map(Outcome, tried)
    return outcomes


def _attempt(
    connection: sqlite3.Connection, operations: Sequence[Operation]
) -> list[Any] | Exception:
    try:
        return _transaction(connection, operations)
    except Exception as error:
        return error.with_traceback(None)


def _code(tried: object) -> int:
    return primary_code(tried) if isinstance(tried, sqlite3.Error) else sqlite3.SQLITE_OK


def _translated(error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error) and not isinstance(error, _OUR_FAULT):
        return StoreUnavailable(str(error))
    return error


def _transaction(connection: sqlite3.Connection, operations: Sequence[Operation]) -> list[Any]:
    # A reading transaction works on a read-only file, too.
    writes = any(operation.writes for operation in operations)
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        results: list[Any] = []
        for work, group in groupby(operations, key=lambda operation: operation.work):
            results.extend(work(connection, [operation.argument for operation in group]))
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors; after others it may fail to, and does so
        # before the next BEGIN can succeed.
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise
    return results
