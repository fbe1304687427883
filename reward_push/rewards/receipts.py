"""How far messages have come with each device, on its way to the store.

A broadcast does not wait for its receipts: they are collected here and committed in batches behind it. A
receipt lost in a crash makes a message come again, which is allowed; it never makes one be lost.
"""

from collections.abc import Callable, Set
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from .interfaces import IMessageStore, Level, Receipt

BATCH_S = 0.05
"""How long receipts are collected before they are committed."""

RETRY_S = 0.5
"""How long a batch that could not be committed waits for its next try."""

MAX_PENDING = 200_000
"""Receipts kept while the store is away. Beyond it those of the oldest messages are given up."""

_Batch = dict[str, dict[int, Level]]
"""Message id → device number → level."""


class Receipts:
    """Collects receipts and commits them. A level never goes back."""

    _log = Logger()

    def __init__(self, store: IMessageStore, clock: Any, now_ms: Callable[[], int]) -> None:
        """``clock`` is an ``IReactorTime``; ``now_ms`` the store's clock."""
        self._store = store
        self._clock = clock
        self._now_ms = now_ms
        self._pending: _Batch = {}
        self._count = 0
        self._under_way: list[_Batch] = []
        self._call: IDelayedCall | None = None

    def sent(self, message_id: str, device: int) -> None:
        """A message was written to a device's transport."""
        self._note(message_id, device, Level.SENT)

    def delivered(self, message_id: str, device: int) -> None:
        """Its transport has proved that it arrived."""
        self._note(message_id, device, Level.DELIVERED)

    def acked(self, message_id: str, device: int) -> None:
        """The plugin has acknowledged it."""
        self._note(message_id, device, Level.ACKED)

    def devices(self, message_id: str) -> Set[int]:
        """Return the devices with receipts that the store may not know of yet."""
        found: set[int] = set(self._pending.get(message_id, ()))
        for batch in self._under_way:
            found.update(batch.get(message_id, ()))
        return found

    def flush(self) -> "Deferred[None]":
        """Hand everything to the store now; fires when it is committed, or could not be.

        As the store works in order, whatever it is asked after this call is answered in full knowledge
        of these receipts.
        """
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if not self._pending:
            return succeed(None)
        batch, self._pending, self._count = self._pending, {}, 0
        self._under_way.append(batch)
        at_ms = self._now_ms()
        committed = self._store.note(
            {
                message_id: [Receipt(device, level, at_ms) for device, level in devices.items()]
                for message_id, devices in batch.items()
            }
        )
        return committed.addBoth(self._noted, batch)

    def _note(self, message_id: str, device: int, level: Level) -> None:
        devices = self._pending.get(message_id)
        if devices is None:
            devices = self._pending[message_id] = {}
            if self._call is None:
                self._call = self._clock.callLater(BATCH_S, self._due)
        before = devices.get(device)
        if before is None:
            devices[device] = level
            self._count += 1
            if self._count > MAX_PENDING:
                self._give_up_oldest()
        elif before < level:
            devices[device] = level

    def _due(self) -> None:
        self._call = None
        self.flush()

    def _noted(self, result: object, batch: _Batch) -> None:
        self._under_way.remove(batch)
        if not isinstance(result, Failure):
            return
        self._log.warn("receipts wait for the store: {reason}", reason=result.getErrorMessage())
        later, self._pending, self._count = self._pending, {}, 0
        for each in (batch, later):
            for message_id, devices in each.items():
                for device, level in devices.items():
                    self._note(message_id, device, level)
        if self._call is not None:
            self._call.reset(RETRY_S)

    def _give_up_oldest(self) -> None:
        oldest = next(iter(self._pending))
        self._count -= len(self._pending.pop(oldest))
