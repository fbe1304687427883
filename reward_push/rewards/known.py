"""The messages whose acknowledgements are understood: those used last, within bounds of number and of memory.

An acknowledgement names a number and nothing else, and may come long after the message has ended. So what
it takes to understand one is kept, and no more: neither what the message says nor how it was written.
"""

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

MAX_KNOWN = 10_000
"""Messages known at a time. Acknowledgements of those used before them are not understood any more, until
they are written again."""
MAX_KNOWN_BYTES = 32 * 1024 * 1024
"""What they may take together: one that names 1,000 streamers takes 60 to 130 KiB."""


class Acknowledgeable(Protocol):
    """What is kept of a message."""

    @property
    def message_id(self) -> str:
        """Its id."""

    @property
    def ack_id(self) -> int:
        """The number that clients acknowledge it by."""

    @property
    def size(self) -> int:
        """What it takes, in bytes, about."""


Kept = TypeVar("Kept", bound=Acknowledgeable)


class KnownMessages(Generic[Kept]):
    """Finds messages by the number of an acknowledgement, and by their id as long as they are live."""

    def __init__(self, most: int = MAX_KNOWN, most_bytes: int = MAX_KNOWN_BYTES) -> None:
        """The last one is always known, however large it is."""
        self._most = most
        self._most_bytes = most_bytes
        self._by_ack: OrderedDict[int, Kept] = OrderedDict()
        self._live: dict[str, Kept] = {}
        self.size = 0
        """What all take, in bytes, about."""

    def __len__(self) -> int:
        return len(self._by_ack)

    def add(self, message: Kept, *, live: bool) -> None:
        """``message`` is written for the first time. ``live``: it may be written again."""
        self._by_ack[message.ack_id] = message
        self.size += message.size
        if live:
            self._live[message.message_id] = message
        while len(self._by_ack) > self._most or (
            self.size > self._most_bytes and len(self._by_ack) > 1
        ):
            self._forget()

    def live(self, message_id: str) -> Kept | None:
        """Return the live message with this id, which is used now."""
        message = self._live.get(message_id)
        if message is not None:
            self._by_ack.move_to_end(message.ack_id)
        return message

    def over(self, message_id: str) -> None:
        """The message with this id, if it is known, has ended: it is not written any more."""
        self._live.pop(message_id, None)

    def acknowledged(self, ack_id: int) -> Kept | None:
        """Return the message, live or not, that an acknowledgement is for; ``None``: none, or none any more."""
        return self._by_ack.get(ack_id)

    def _forget(self) -> None:
        _, message = self._by_ack.popitem(last=False)
        self.size -= message.size
        if self._live.get(message.message_id) is message:
            del self._live[message.message_id]
