"""Which devices have proved to have got a revoke, on its way to the store.

After a large broadcast has ended, very many prove it within a moment. The store is told of those of one message together, and
of so many at a time that whatever else is asked of it, publishing above all, finds room beside them.
"""

from twisted.internet.defer import maybeDeferred
from twisted.python.failure import Failure

from .interfaces import IMessageStore

AT_ONCE = 8
"""Calls of the store under way."""
A_CALL = 500
"""Devices in one call."""
MAX_WAITING = 200_000
"""Proofs held beside these, some 50 bytes each."""


class Told:
    """Tells the store. What it does not take, and what waits then, is forgotten: the devices are told again at their
    next connect, which does no harm.
    """

    def __init__(self, store: IMessageStore) -> None:
        self._store = store
        self._waiting: dict[str, list[int]] = {}
        """Message → the devices that have proved to have got its revoke; the oldest message first."""
        self._size = 0
        self._under_way = 0
        self._going_on = False

    def __len__(self) -> int:
        """Return how many proofs wait for their turn."""
        return self._size

    def told(self, device: int, message_id: str) -> None:
        """``device`` has proved to have got the revoke of a message."""
        if self._size < MAX_WAITING:
            self._waiting.setdefault(message_id, []).append(device)
            self._size += 1
            self._go_on()

    def _go_on(self) -> None:
        if self._going_on:
            # It has answered at once: the loop below goes on.
            return
        self._going_on = True
        while self._waiting and self._under_way < AT_ONCE:
            message_id, devices = next(iter(self._waiting.items()))
            some = devices[-A_CALL:]
            del devices[-A_CALL:]
            if not devices:
                del self._waiting[message_id]
            self._size -= len(some)
            self._under_way += 1
            told = maybeDeferred(self._store.told, message_id, some)
            told.addErrback(self._not_told).addCallback(self._answered)
        self._going_on = False

    def _not_told(self, _: Failure) -> None:
        self._waiting.clear()
        self._size = 0

    def _answered(self, _: None) -> None:
        self._under_way -= 1
        self._go_on()
