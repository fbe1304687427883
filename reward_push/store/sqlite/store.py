"""The embedded store: messages and keys in one SQLite file."""

import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ...access.interfaces import IKeyStore, KeyPage, StoredKey, StoreUnavailable
from ...rewards.interfaces import (
    Agenda,
    Device,
    DeviceReceipt,
    Due,
    Ended,
    IMessageStore,
    Kept,
    Latecomer,
    Missed,
    OwedRevoke,
    Page,
    Receipt,
)
from ...rewards.message import MessageRecord, State
from ..doorway import Doorway, Opened, Opening
from ..lanes import Lane
from . import accept, keys, lifecycle, lists, probe, prune, receipts, replay
from .batch import Work
from .database import Database
from .devices import numbered, open_device
from .writer import Writer

MAX_WAITING_ROWS = 10_000
"""How much may wait for the disk in each lane (:class:`..lanes.Lane`), in rows; more fails at once."""

PRUNED_MESSAGES = 500
PRUNED_RECEIPTS = 5_000
"""What is removed in one transaction, at most."""


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
        self._doorway = Doorway(self._find_device, numbered, lambda: self._writer.running)
        self._now_ms = now_ms
        self._retention_ms = None if retention_s is None else int(retention_s * 1000)
        self._first_keys = tuple(first_keys)

    def start(self) -> None:
        """Open the file, in the caller's thread, and start to work. Raises ``StoreError``."""
        connection = self._database.open()
        try:
            with self._database.explained():
                keys.add_missing(connection, self._first_keys)
            self._doorway.reset()
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

    def accept(self, records: Sequence[MessageRecord]) -> "Deferred[list[Kept]]":
        """See :class:`IMessageStore`."""
        weight = sum(len(record.message.to.names) or 1 for record in records)
        return self._submit(accept.accept, tuple(records), Lane.POSTS, weight=weight)

    def settle(self, message_id: str, sent: int) -> "Deferred[None]":
        """See :class:`IMessageStore`. The count is the larger of this and the number of receipts."""
        return self._submit(accept.settle, (message_id, sent), Lane.RECEIPTS)

    def claim(
        self, now_ms: int, until_ms: int, missed_before_ms: int, limit: int
    ) -> "Deferred[list[Due]]":
        """See :class:`IMessageStore`."""
        call = lifecycle.Claim(now_ms, until_ms, missed_before_ms, limit)
        return self._submit(lifecycle.claim, call, Lane.DUTIES)

    def expire(self, now_ms: int, limit: int) -> "Deferred[list[Ended]]":
        """See :class:`IMessageStore`."""
        return self._submit(lifecycle.expire, (now_ms, limit), Lane.DUTIES)

    def agenda(self) -> "Deferred[Agenda]":
        """See :class:`IMessageStore`."""
        return self._ask(lifecycle.agenda, None, Lane.DUTIES)

    def cancel(
        self, message_id: str, now_ms: int
    ) -> "Deferred[tuple[MessageRecord, Ended | None] | None]":
        """See :class:`IMessageStore`."""
        return self._submit(lifecycle.cancel, (message_id, now_ms), Lane.POSTS)

    def take(self, message_id: str, device: int, now_ms: int) -> "Deferred[Ended | None]":
        """See :class:`IMessageStore`. One without an end can be taken, too, though it is ``done``."""
        call = lifecycle.Take(message_id, device, now_ms)
        return self._submit(lifecycle.take, call, Lane.RECEIPTS)

    def get(self, message_id: str) -> "Deferred[tuple[MessageRecord, list[DeviceReceipt]] | None]":
        """See :class:`IMessageStore`. The receipts of a device that is forgotten bear no name."""
        return self._ask(lists.get, message_id, Lane.POSTS)

    def page(
        self, state: State | None, streamer: str | None, limit: int, cursor: int | None
    ) -> "Deferred[Page]":
        """See :class:`IMessageStore`. With state and streamer, a page may be short though more follows."""
        return self._ask(lists.page, lists.PageOf(state, streamer, limit, cursor), Lane.POSTS)

    def note(self, noted: Mapping[str, Sequence[Receipt]]) -> "Deferred[Sequence[Latecomer]]":
        """See :class:`IMessageStore`. To a named device, what had ended before becomes owed."""
        weight = sum(map(len, noted.values()))
        return self._submit(receipts.note, dict(noted), Lane.RECEIPTS, weight=weight)

    def open_device(
        self, key_id: str, streamer: str, name: str | None, now_ms: int
    ) -> "Deferred[Device]":
        """See :class:`IMessageStore`. Who named none may be answered at once, before earlier calls are."""
        return self._doorway.open(key_id, streamer, name, now_ms)

    def missed(
        self,
        device: int,
        namespace: str,
        rooms: Sequence[str],
        now_ms: int,
        cursor: int | None,
        limit: int,
        since_ms: int | None = None,
    ) -> "Deferred[Missed]":
        """See :class:`IMessageStore`."""
        call = replay.Asking(device, namespace, tuple(rooms), now_ms, cursor, limit, since_ms)
        return self._ask(replay.missed, call, Lane.CLIENTS)

    def had(self, message_id: str, devices: Collection[int]) -> "Deferred[list[int]]":
        """See :class:`IMessageStore`."""
        return self._ask(replay.had, (message_id, tuple(devices)), Lane.CLIENTS)

    def owed(self, device: int, namespace: str) -> "Deferred[list[OwedRevoke]]":
        """See :class:`IMessageStore`."""
        return self._ask(replay.owed, (device, namespace), Lane.CLIENTS)

    def told(self, message_id: str, devices: Sequence[int]) -> "Deferred[None]":
        """See :class:`IMessageStore`."""
        call = (message_id, tuple(devices))
        return self._submit(replay.told, call, Lane.RECEIPTS, weight=len(devices))

    def add_key(self, stored: StoredKey) -> "Deferred[None]":
        """See :class:`IKeyStore`."""
        return self._submit(keys.add, stored, Lane.POSTS)

    def get_key(self, key_id: str) -> "Deferred[StoredKey | None]":
        """See :class:`IKeyStore`."""
        return self._ask(keys.get, key_id, Lane.CLIENTS)

    def remove_key(self, key_id: str) -> "Deferred[StoredKey | None]":
        """See :class:`IKeyStore`."""
        return self._submit(keys.remove, key_id, Lane.POSTS)

    def page_keys(self, limit: int, cursor: str | None) -> "Deferred[KeyPage]":
        """See :class:`IKeyStore`."""
        return self._ask(keys.page, (limit, cursor), Lane.POSTS)

    def note_used(self, used: Mapping[str, int]) -> "Deferred[None]":
        """See :class:`IKeyStore`."""
        return self._submit(keys.note_used, dict(used), Lane.RECEIPTS, weight=len(used))

    def _submit(self, work: Work, argument: object, lane: Lane, weight: int = 1) -> "Deferred[Any]":
        return self._writer.submit(work, argument, lane, writes=True, weight=weight)

    def _ask(self, work: Work, argument: object, lane: Lane) -> "Deferred[Any]":
        return self._writer.submit(work, argument, lane, writes=False)

    def _find_device(self, opening: Opening) -> "Deferred[Opened]":
        # It need not write: most are known, and those come in even if the disk is full.
        return self._ask(open_device, opening, Lane.CLIENTS)

    async def _maintain(self) -> None:
        try:
            if self._writer.trouble() is not None:
                await self._submit(probe.fill, None, Lane.DUTIES)
                await self._submit(probe.clear, None, Lane.DUTIES)
            while self._retention_ms is not None:
                before_ms = self._now_ms() - self._retention_ms
                pruning = prune.Pruning(before_ms, PRUNED_MESSAGES, PRUNED_RECEIPTS)
                if not await self._submit(prune.prune, pruning, Lane.DUTIES):
                    return
        except StoreUnavailable:
            return  # healthy() says so.
        except Exception:
            self._log.failure("the store could not be maintained")
