"""The thread that does all work on the database, and the way to it and back."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger

from ...access.interfaces import StoreUnavailable
from ..lanes import Lane
from .batch import Operation, Outcome, Work, run
from .database import Database

STALLED_S = 5.0
"""A disk that does not answer for this long is reported as trouble."""

_CLOSED = "the store is closed"


class Writer:
    """Hands operations to one thread, which commits all that wait together, and brings the results back.

    All methods are for the reactor's thread. Results come in the order of :meth:`submit`, by
    ``call_from_thread``, one call a commit.
    """

    _log = Logger()

    def __init__(
        self,
        database: Database,
        call_from_thread: Callable[..., object],
        monotonic: Callable[[], float],
        max_waiting: int,
    ) -> None:
        """``max_waiting`` bounds the weight of what was submitted and not answered yet, in each lane."""
        self._database = database
        self._call_from_thread = call_from_thread
        self._monotonic = monotonic
        self._max_waiting = max_waiting
        self._queue: SimpleQueue[Operation | None] = SimpleQueue()
        self._running = False
        self._waiting: Counter[Lane] = Counter()
        self._moved_at = 0.0
        self._reason: str | None = None
        self._stopped: list[Deferred[None]] = []

    def start(self, connection: sqlite3.Connection) -> None:
        """Start the thread on the database's open ``connection``; the thread closes the database."""
        # A daemon: an exit that does not wait for the reactor must not hang on a slow disk.
        # SQLite is made for being cut off at any point.
        thread = threading.Thread(target=self._work, args=(connection,), name="store", daemon=True)
        thread.start()
        self._running = True
        self._reason = None

    def stop(self) -> "Deferred[None]":
        """Refuse what comes from now on; fire when all that came before is answered and the file closed."""
        if self._running:
            self._running = False
            self._stopped = []
            self._queue.put(None)
        elif not self._stopped:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._stopped.append(waiter)
        return waiter

    @property
    def running(self) -> bool:
        """Whether anything is taken."""
        return self._running

    def submit(
        self, work: Work, argument: object, lane: Lane, *, writes: bool, weight: int = 1
    ) -> "Deferred[Any]":
        """Have ``work`` done for ``argument``; fire with its result once it is committed.

        Fails with :class:`StoreUnavailable` at once when the thread does not run or too much waits in the
        lane (what is heavier than the limit is taken when nothing waits there), and later when SQLite
        cannot do it. ``writes`` says that it always writes.
        """
        if not self._running:
            return fail(StoreUnavailable(_CLOSED))
        if self._waiting[lane] and self._waiting[lane] + weight > self._max_waiting * lane.share:
            return fail(StoreUnavailable("too much waits for the store"))
        if not self._waiting.total():
            self._moved_at = self._monotonic()
        self._waiting[lane] += weight
        operation = Operation(work, argument, writes, weight, lane)
        self._queue.put(operation)
        return operation.answer

    def trouble(self) -> str | None:
        """Return why the last operation failed, or that the disk does not answer, or that it is closed.

        ``None`` when all is well.
        """
        if not self._running:
            return _CLOSED
        if self._reason is None and self._waiting.total():
            for_s = self._monotonic() - self._moved_at
            if for_s > STALLED_S:
                return f"the disk has not answered for {for_s:.0f} s"
        return self._reason

    def _work(self, connection: sqlite3.Connection) -> None:
        """The thread's life."""
        running = True
        while running:
            taken = [self._queue.get()]
            taken.extend(self._queue.get() for _ in range(self._queue.qsize()))
            running = taken[-1] is not None
            operations = [operation for operation in taken if operation is not None]
            if operations:
                before = connection.total_changes
                outcomes = self._do(connection, operations)
                wrote = connection.total_changes != before
                self._call_from_thread(self._deliver, operations, outcomes, wrote)
        self._database.close()
        self._call_from_thread(self._closed)

    def _do(self, connection: sqlite3.Connection, operations: Sequence[Operation]) -> list[Outcome]:
        try:
            self._database.check_file()
        except StoreUnavailable as error:
            return [Outcome(error=StoreUnavailable(str(error))) for _ in operations]
        return run(connection, operations)

    def _deliver(
        self, operations: Sequence[Operation], outcomes: Sequence[Outcome], wrote: bool
    ) -> None:
        """Back in the reactor's thread."""
        self._moved_at = self._monotonic()
        for operation in operations:
            self._waiting[operation.lane] -= operation.weight
        self._note(outcomes, wrote)
        for operation, outcome in zip(operations, outcomes, strict=True):
            if outcome.error is None:
                operation.answer.callback(outcome.result)
            else:
                operation.answer.errback(outcome.error)

    def _note(self, outcomes: Sequence[Outcome], wrote: bool) -> None:
        """Keep up with whether the store works: that reading works says nothing about writing."""
        failed = [each.error for each in outcomes if isinstance(each.error, StoreUnavailable)]
        if failed:
            reason = str(failed[-1])
            if reason != self._reason:
                self._log.error("the store has failed: {reason}", reason=reason)
            self._reason = reason
        elif wrote and self._reason is not None:
            self._log.info("the store works again")
            self._reason = None

    def _closed(self) -> None:
        stopped, self._stopped = self._stopped, []
        for waiter in stopped:
            waiter.callback(None)
