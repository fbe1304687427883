"""When keys were used: noted in memory, and brought into the store every few minutes."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from .interfaces import IKeyStore, StoreUnavailable

FLUSH_S = 300.0
"""How often it is brought into the store: a list of keys tells of their use to within this."""

MAX_WAITING = 16_384
"""Keys whose use waits for the store; that of others is noted at their next use."""

BATCH = 1_000
"""Keys that one call to the store is about."""


class KeyUsage:
    """Notes when keys are used. On the way of a request it costs one entry in a dictionary."""

    _log = Logger()

    def __init__(
        self, store: IKeyStore, now_ms: Callable[[], int], *, max_waiting: int = MAX_WAITING
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._max_waiting = max_waiting
        self._waiting: dict[str, int] = {}

    def used(self, key_id: str) -> None:
        """A key has been shown, and was right."""
        self._note(key_id, self._now_ms())

    def flush(self, in_use: Iterable[str] = ()) -> "Deferred[None]":
        """Bring what was noted into the store, and that the keys ``in_use`` are used now.

        Fires when that is done, or cannot be done now: what waits then waits for the next time. Never
        fails.
        """
        return Deferred.fromCoroutine(self._flush(in_use))

    def _note(self, key_id: str, at_ms: int) -> None:
        known = self._waiting.get(key_id)
        if known is not None or len(self._waiting) < self._max_waiting:
            self._waiting[key_id] = max(at_ms, known or 0)

    async def _flush(self, in_use: Iterable[str]) -> None:
        waiting, self._waiting = self._waiting, {}
        ids = iter(list(waiting))
        try:
            while batch := {key_id: waiting[key_id] for key_id in islice(ids, BATCH)}:
                await self._store.note_used(batch)
                for key_id in batch:
                    del waiting[key_id]
            connected = iter(in_use)
            while batch := dict.fromkeys(islice(connected, BATCH), self._now_ms()):
                await self._store.note_used(batch)
        except StoreUnavailable:
            self._take_back(waiting)
        except Exception:
            self._log.failure("the use of keys could not be noted")

    def _take_back(self, waiting: Mapping[str, int]) -> None:
        for key_id, at_ms in waiting.items():
            self._note(key_id, at_ms)
