"""Receipts on their way to the store: collected in memory, committed in batches behind the broadcast.

What is lost of them when a node dies costs little: a message may come again to a device that had it.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import attrs
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from .interfaces import IMessageStore, Latecomer, Level, Receipt

COMMIT_AFTER_S = 0.05
"""How long a receipt waits for others."""
BATCH = 2_000
"""Receipts in one call to the store, and how many make it called before the time."""
MAX_WAITING = 200_000
"""Receipts held while the store is away or slow, some 200 bytes each; then the least important go."""
RETRY_S = 0.5
MOVED_AFTER_S = 0.5
"""Receipts that took longer to the store may be of devices that have moved to another node meanwhile."""

_new = tuple.__new__
_SENT = Level.SENT

Pending = dict[str, dict[int, Receipt]]
"""Message id → device's number → its furthest receipt. Older messages first."""


@attrs.define(eq=False)
class _Batch:
    """Receipts on their way."""

    receipts: Mapping[str, list[Receipt]]
    size: int
    since_s: float
    """None of them is older."""
    waiters: "list[Deferred[None]]" = attrs.Factory(list)


class ReceiptBuffer:
    """Takes receipts as they come and hands them to the store in their order.

    A call of the store at a time, unless :meth:`flush` asks for more. When the store fails, receipts are
    kept for the next attempt; above ``max_waiting`` those that say ``sent`` are dropped first, and older
    messages' before newer ones'.
    """

    _log = Logger()

    def __init__(
        self,
        store: IMessageStore,
        clock: IReactorTime,
        *,
        batch: int = BATCH,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._store = store
        self._clock = clock
        self._batch = batch
        self._max_waiting = max_waiting
        self._pending: Pending = {}
        self._size = 0
        self._since_s = 0.0
        """When the oldest of them came."""
        self._look_at = batch
        """At this size of ``_pending`` something has to be done."""
        self._on_their_way: list[_Batch] = []
        self._timer: IDelayedCall | None = None
        self._stopped = False
        self._paused = False
        """Whether an attempt has failed and the time for the next has not come."""
        self._reason: str | None = None
        """Why the last attempt failed."""
        self.committed = 0
        """Receipts that the store has taken since the start."""
        self.on_late: Callable[[Sequence[Latecomer], bool], object] = lambda _late, _moved: None
        """Told of devices that the store could not name when a message was taken back, and whether so much time has
        passed (a frozen process, a slow store) that they may be connected elsewhere by now."""
        self.dropped = 0
        """Receipts given up since the start."""

    def sent(self, message_id: str, device: int, at_ms: int) -> None:
        """The message was written to the device's transport."""
        noted = self._pending.get(message_id)
        if noted is None:
            noted = self._begin(message_id)
        if device not in noted:
            noted[device] = _new(Receipt, (device, _SENT, at_ms))
            self._size += 1
            if self._size >= self._look_at:
                self._crowded()

    def delivered(self, message_id: str, device: int, at_ms: int) -> None:
        """The device's transport has proved that the message arrived."""
        self._raise(message_id, Receipt(device, Level.DELIVERED, at_ms))

    def acked(self, message_id: str, device: int, at_ms: int) -> None:
        """The plugin has acknowledged the message. Under ``once``, that is for the store's ``take``."""
        self._raise(message_id, Receipt(device, Level.ACKED, at_ms))

    def devices(self, message_id: str) -> set[int]:
        """Return the devices of which the store may not know yet that they had the message."""
        found = set(self._pending.get(message_id, ()))
        for batch in self._on_their_way:
            found.update(receipt.device for receipt in batch.receipts.get(message_id, ()))
        return found

    def flush(self) -> "Deferred[None]":
        """Hand over everything now; fire when it is committed. Never fails.

        Whatever is asked of the store after this call, without waiting, sees the receipts noted before
        it: the store does its work in order. While the store is away this does nothing.
        """
        while self._pending and not self._paused:
            self._commit()
        if not self._on_their_way:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._on_their_way[-1].waiters.append(waiter)
        return waiter

    def stop(self) -> "Deferred[None]":
        """Try once more to commit everything, also after a failure; then nothing more is tried."""
        self._paused = False
        self._stopped = True
        flushed = self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return flushed

    def trouble(self) -> str | None:
        """Return why receipts are not being kept now, or ``None``."""
        return None if self._reason is None else f"receipts wait for the store: {self._reason}"

    def __len__(self) -> int:
        """Return how many receipts are held, also those on their way."""
        return self._size + self._away()

    def _begin(self, message_id: str) -> dict[int, Receipt]:
        if self._timer is None and not self._on_their_way:
            self._wait(COMMIT_AFTER_S)
        if not self._pending:
            self._since_s = self._clock.seconds()
        noted = self._pending[message_id] = {}
        return noted

    def _raise(self, message_id: str, receipt: Receipt) -> None:
        noted = self._pending.get(message_id)
        if noted is None:
            noted = self._begin(message_id)
        earlier = noted.get(receipt.device)
        if earlier is None:
            noted[receipt.device] = receipt
            self._size += 1
            if self._size >= self._look_at:
                self._crowded()
        elif receipt.level > earlier.level:
            noted[receipt.device] = receipt

    def _away(self) -> int:
        return sum(each.size for each in self._on_their_way)

    def _wait(self, seconds: float) -> None:
        if not self._stopped:
            self._timer = self._clock.callLater(seconds, self._due)

    def _due(self) -> None:
        self._timer = None
        self._paused = False
        if self._pending and not self._on_their_way:
            self._commit()

    def _crowded(self) -> None:
        """Much waits: commit it if that can be done now, else stay within bounds."""
        if not self._paused and not self._on_their_way:
            self._commit()
        else:
            self._shed()

    def _commit(self) -> None:
        """Hand the oldest receipts to the store, up to a batch."""
        batch = self._take()
        if not batch.size:
            return
        self._on_their_way.append(batch)
        self._set_mark()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        maybeDeferred(self._store.note, batch.receipts).addBoth(self._noted, batch)

    def _take(self) -> _Batch:
        taken: dict[str, list[Receipt]] = {}
        left = self._batch
        while left and self._pending:
            message_id, noted = next(iter(self._pending.items()))
            receipts = list(islice(noted.values(), left))
            if len(receipts) == len(noted):
                del self._pending[message_id]
            else:
                for receipt in receipts:
                    del noted[receipt.device]
            if receipts:
                taken[message_id] = receipts
                left -= len(receipts)
        size = self._batch - left
        self._size -= size
        return _Batch(taken, size, self._since_s)

    def _noted(self, result: object, batch: _Batch) -> None:
        self._on_their_way.remove(batch)
        if isinstance(result, Failure):
            self._give_back(batch)
            self._paused = True
            if self._reason is None:
                self._log.warn("receipts wait for the store: {reason}", reason=result.value)
            self._reason = result.getErrorMessage()
        else:
            self._reason = None
            self.committed += batch.size
            if result:
                took_s = self._clock.seconds() - batch.since_s
                self.on_late(result, took_s > MOVED_AFTER_S)  # type: ignore[arg-type]
        self._set_mark()
        if self._size >= self._look_at:
            self._shed()
        if self._pending and not self._on_their_way and self._timer is None:
            if self._paused:
                self._wait(RETRY_S)
            elif self._size >= self._batch:
                self._commit()
            else:
                self._wait(COMMIT_AFTER_S)
        for waiter in batch.waiters:
            waiter.callback(None)

    def _give_back(self, batch: _Batch) -> None:
        """Put receipts in front of those that came meanwhile; a level does not go back.

        What came meanwhile may be a hundred times as much, and is not walked through at each attempt.
        """
        merged: Pending = {}
        for message_id, receipts in batch.receipts.items():
            noted = merged[message_id] = self._pending.pop(message_id, {})
            self._size -= len(noted)
            for receipt in receipts:
                later = noted.get(receipt.device)
                if later is None or later.level <= receipt.level:
                    noted[receipt.device] = receipt
            self._size += len(noted)
        merged.update(self._pending)
        self._since_s = batch.since_s
        self._pending = merged

    def _set_mark(self) -> None:
        free = not self._paused and not self._on_their_way
        self._look_at = self._batch if free else max(1, self._max_waiting - self._away())

    def _shed(self) -> None:
        """Give up a tenth of what may wait, so that this is not done for every receipt."""
        surplus = self._size - max(0, self._max_waiting * 9 // 10 - self._away())
        for least in (_SENT, Level.ACKED):
            for message_id in list(self._pending):
                if surplus <= 0:
                    return
                noted = self._pending[message_id]
                going = list(
                    islice((each for each, it in noted.items() if it.level <= least), surplus)
                )
                for device in going:
                    del noted[device]
                if not noted:
                    del self._pending[message_id]
                surplus -= len(going)
                self._size -= len(going)
                self.dropped += len(going)
