"""What may wait for a store is bounded, so that memory is; and in lanes, so that a flood fills only its own."""

from enum import Enum


class Lane(Enum):
    """What shares a limit of what may wait: a flood in one lane makes nothing fail in another.

    All lanes lead to one queue, whose order is that of the calls.
    """

    POSTS = "messages and keys that are posted, and what backends ask for"
    RECEIPTS = "what is noted behind a broadcast"
    CLIENTS = "keys, devices and replays of clients that connect"
    DUTIES = "the node's own: schedule, retention"

    @property
    def share(self) -> int:
        """How many times the limit may wait here: a row of a receipt is small."""
        return 10 if self is Lane.RECEIPTS else 1
