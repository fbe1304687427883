"""The embedded store: messages and keys in one SQLite file."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from ..access.interfaces import IKeyStore, StoredKey, StoreUnavailable
from ..rewards.interfaces import IMessageStore
from ..rewards.message import MessageRecord
from . import keys, messages, probe
from .database import Database
from .writer import Writer

MAX_WAITING_ROWS = 10_000
"""Rows written and keys asked for that may wait for the disk; more fail at once."""

PRUNED_ROWS = 500
"""Rows removed in one transaction."""


class OpenStore:
    """The store's file, open in the caller's thread: to check it, and to put the first keys in.

    A context manager. To be closed before a fork, and before :class:`SQLiteStore` starts on the same
    file. What goes into ``:memory:`` is gone when it is closed.
    """

    def __init__(self, database: Database, connection: sqlite3.Connection) -> None:
        """Made by :func:`open_store`."""
        self._database = database
        self._connection = connection

    def any_keys(self) -> bool:
        """Return whether there is any key, expired ones included. Raises ``StoreError``."""
        with self._database.explained():
            return keys.any_keys(self._connection)

    def add_keys(self, stored: Sequence[StoredKey]) -> None:
        """Commit ``stored``, all or none. Raises ``StoreError`` or ``KeyExists``."""
        with self._database.explained(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            keys.add(self._connection, stored)

    def close(self) -> None:
        """Close the file and unlock it. Idempotent."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_store(path: str) -> OpenStore:
    """Open the file at ``path`` (or ``:memory:``), creating or migrating it as needed.

    Raises ``StoreError``, in one line: it is in use by another node, no database of ours, written by a
    newer version, or cannot be read and written.
    """
    database = Database(path)
    return OpenStore(database, database.open())


@implementer(IMessageStore, IKeyStore)
class SQLiteStore:
    """Messages and keys in one SQLite file, which it keeps locked while it runs.

    All work is done by one thread; a Deferred fires, in the order of the calls, once its change is
    committed and synced, or fails with ``StoreUnavailable`` with nothing changed. It recovers by itself:
    each operation is a new attempt.
    """

    _log = Logger()

    def __init__(
        self,
        path: str,
        call_from_thread: Callable[..., object],
        now_ms: Callable[[], int],
        *,
        retention_s: float | None = 86400.0,
        first_keys: Sequence[StoredKey] = (),
        max_waiting_rows: int = MAX_WAITING_ROWS,
        monotonic: Callable[[], float] = time.monotonic,
        prepare: Callable[[sqlite3.Connection], object] | None = None,
    ) -> None:
        """Open nothing yet, but make ``path`` absolute.

        ``call_from_thread`` is the reactor's. ``now_ms`` is the wall clock, epoch milliseconds; only
        retention goes by it. ``retention_s``: how long after its end a message is kept; ``None``: for
        ever. ``first_keys`` are added at each start unless they are there: for ``:memory:``, where
        nothing can be added before. ``prepare`` is called with each new connection.
        """
        self._database = Database(path, prepare)
        self._writer = Writer(self._database, call_from_thread, monotonic, max_waiting_rows)
        self._now_ms = now_ms
        self._retention_ms = None if retention_s is None else int(retention_s * 1000)
        self._first_keys = tuple(first_keys)

    def start(self) -> None:
        """Open the file, in the caller's thread, and start to work. Raises ``StoreError``."""
        connection = self._database.open()
        try:
            with self._database.explained():
                keys.add_missing(connection, self._first_keys)
            self._writer.start(connection)
        except BaseException:
            self._database.close()
            raise

    def stop(self) -> "Deferred[None]":
        """Take nothing more; fire when all that was taken is answered and the file is closed.

        Idempotent. The store may be started again.
        """
        return self._writer.stop()

    def healthy(self) -> str | None:
        """Return why the store cannot be relied on now, or ``None``.

        It is the reason of the last failure until something is written again. :meth:`maintain` sees to
        it that this shows without traffic.
        """
        return self._writer.trouble()

    def maintain(self) -> "Deferred[None]":
        """Remove what ended longer than ``retention_s`` ago, in small pieces; try to write if that failed.

        To be called every few seconds, once the last call is done. Never fails.
        """
        return Deferred.fromCoroutine(self._maintain())

    def accept(self, records: Sequence[MessageRecord]) -> "Deferred[list[MessageRecord]]":
        """See :class:`IMessageStore`."""
        if not records:
            return succeed([])
        return self._writer.submit(
            messages.accept, tuple(records), writes=True, weight=len(records)
        )

    def settle(self, record: MessageRecord) -> "Deferred[None]":
        """See :class:`IMessageStore`. A message that is gone stays gone."""
        return self._writer.submit(messages.settle, record, writes=True)

    def add_key(self, stored: StoredKey) -> "Deferred[None]":
        """See :class:`IKeyStore`."""
        return self._writer.submit(keys.add, stored, writes=True)

    def get_key(self, key_id: str) -> "Deferred[StoredKey | None]":
        """See :class:`IKeyStore`."""
        return self._writer.submit(keys.get, key_id, writes=False)

    async def _maintain(self) -> None:
        try:
            if self._writer.trouble() is not None:
                await self._writer.submit(probe.fill, None, writes=True)
                await self._writer.submit(probe.clear, None, writes=True)
            while self._retention_ms is not None:
                call = (self._now_ms() - self._retention_ms, PRUNED_ROWS)
                if await self._writer.submit(messages.prune, call, writes=True) < PRUNED_ROWS:
                    return
        except StoreUnavailable:
            return  # healthy() says so.
        except Exception:
            self._log.failure("the store could not be maintained")
