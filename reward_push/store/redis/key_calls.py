"""The calls of ``IKeyStore``."""

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred

from ...access.interfaces import KeyExists, KeyPage, StoredKey
from ..lanes import Lane
from . import keys
from .line import Argument, Line
from .scripts import ADD_KEYS, NOTE_USED, PAGE_KEYS, REMOVE_KEY, RESTORE_KEYS
from .steps import all_of, in_time, nothing


class KeyCalls:
    """Keys in Redis; see ``access.interfaces.IKeyStore`` for those calls that bear its names."""

    def __init__(self, line: Line, deadline_ms: Callable[[], int]) -> None:
        self._line = line
        self._deadline_ms = deadline_ms

    def add_key(self, stored: StoredKey) -> "Deferred[None]":
        """See ``IKeyStore``."""
        return self._add([stored], alone=False).addCallback(_unless_there, stored.key.key_id)

    def add_first_keys(self, stored: Sequence[StoredKey]) -> "Deferred[bool]":
        """Add ``stored`` unless there is any key; return whether that was done."""
        return self._add(stored, alone=True).addCallback(bool)

    def get_key(self, key_id: str) -> "Deferred[StoredKey | None]":
        """See ``IKeyStore``."""
        asked = self._line.command(Lane.CLIENTS, 1, "GET", f"{self._line.prefix}k:{key_id}")
        return asked.addCallback(keys.from_text_or_none, key_id)

    def remove_key(self, key_id: str) -> "Deferred[StoredKey | None]":
        """See ``IKeyStore``."""
        asked = self._line.run(REMOVE_KEY, (key_id,), Lane.POSTS)
        return asked.addCallback(keys.from_text_or_none, key_id)

    def page_keys(self, limit: int, cursor: str | None) -> "Deferred[KeyPage]":
        """See ``IKeyStore``."""
        asked = self._line.run(PAGE_KEYS, (limit, keys.place(cursor)), Lane.POSTS)
        return asked.addCallback(keys.page_of)

    def note_used(self, used: Mapping[str, int]) -> "Deferred[None]":
        """See ``IKeyStore``."""
        asked = [
            self._line.run(NOTE_USED, args, Lane.RECEIPTS, len(args) // 2)
            for args in keys.noted(used)
        ]
        return all_of(asked).addCallback(nothing)

    def restore_keys(
        self, stored: Sequence[StoredKey], revoked: Sequence[str]
    ) -> "Deferred[list[str]]":
        """Give Redis, which has lost its data, keys back; return the ids of those that it does not take.

        Those are the ones that this node or another knows to be ``revoked``. Nothing that is there is changed,
        but for revoked keys that another node has given back: they are removed, and all nodes are told.
        """
        return Deferred.fromCoroutine(self._restore(stored, revoked))

    async def _restore(self, stored: Sequence[StoredKey], revoked: Sequence[str]) -> list[str]:
        refused: list[str] = []
        for args in keys.restored(stored, revoked):
            script_args = (self._deadline_ms(), *args)
            asked = self._line.run(RESTORE_KEYS, script_args, Lane.DUTIES, len(args) // 3 + 1)
            refused += await asked.addCallback(in_time)
        return refused

    def _add(self, stored: Sequence[StoredKey], *, alone: bool) -> "Deferred[int]":
        args: list[Argument] = [self._deadline_ms(), int(alone)]
        for each in stored:
            args += keys.arguments(each)
        asked = self._line.run(ADD_KEYS, args, Lane.POSTS, len(stored))
        return asked.addCallback(in_time)


def _unless_there(added: int, key_id: str) -> None:
    if not added:
        raise KeyExists(key_id)
