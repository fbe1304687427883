"""What plugins answer to messages: each is a receipt, and under ``once`` the first of them has the message."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..access.interfaces import StoreUnavailable
from .delivery import Delivery
from .interfaces import Ended, IMessageStore, INews
from .receipts import ReceiptBuffer

RETRY_S = 0.5
MAX_WAITING = 10_000
"""Messages for one only whose first acknowledgement is kept while the store is away."""


class Acknowledgements:
    """Turns Socket.IO acknowledgements into receipts.

    A plugin acknowledges once. What the store cannot take now is handed to it again until it can.

    Of a message for one only the first acknowledgement to come here is brought before the store; those that come until it
    has answered are too late, whatever it says. A broadcast may bring thousands of them in one moment.
    """

    _log = Logger()

    def __init__(
        self,
        delivery: Delivery,
        receipts: ReceiptBuffer,
        store: IMessageStore,
        news: INews,
        clock: IReactorTime,
        now_ms: Callable[[], int],
    ) -> None:
        self._delivery = delivery
        self._receipts = receipts
        self._store = store
        self._news = news
        self._clock = clock
        self._now_ms = now_ms
        self._undecided: set[str] = set()
        """Messages that a device has acknowledged, which the store has not judged yet."""
        self._untaken: dict[str, tuple[int, int]] = {}
        """Of these, what the store could not take: message → device, and when it acknowledged; oldest first."""
        self._retry: IDelayedCall | None = None

    def acked(self, socket: Any, ack_id: int, _args: list[Any]) -> None:
        """``socket`` has acknowledged. Nonsense, and ids of messages for others, are ignored."""
        live = self._delivery.acknowledged(ack_id)
        if live is None or socket.user is None:
            return
        if live.namespace != socket.namespace.name or not any(
            room in socket.rooms for room in live.rooms
        ):
            return
        socket.client.session.proved_through(live)
        device = socket.user.device.number
        if not live.once:
            self._delivery.counts.acked += 1
            self._receipts.acked(live.message_id, device, self._now_ms())
            return
        if live.message_id in self._undecided:
            return
        self._undecided.add(live.message_id)
        # The store judges who was first; it has to know before who had the message at all.
        self._receipts.flush()
        self._take(live.message_id, device, self._now_ms())

    def _take(self, message_id: str, device: int, at_ms: int) -> None:
        taken = maybeDeferred(self._store.take, message_id, device, at_ms)
        taken.addCallback(self._taken, message_id, device)
        taken.addErrback(self._not_taken, message_id, device, at_ms)

    def _taken(self, ended: Ended | None, message_id: str, winner: int) -> None:
        self._undecided.discard(message_id)
        if ended is not None:
            self._delivery.counts.acked += 1
            self._news.ended([ended], but=winner)

    def _not_taken(self, failure: Any, message_id: str, device: int, at_ms: int) -> None:
        if failure.check(StoreUnavailable) and len(self._untaken) < MAX_WAITING:
            self._untaken[message_id] = device, at_ms
            if self._retry is None:
                self._retry = self._clock.callLater(RETRY_S, self._again)
            return
        self._undecided.discard(message_id)
        self._log.warn(
            "an acknowledgement of {id} was not kept: {reason}",
            id=message_id,
            reason=failure.getErrorMessage(),
        )

    def _again(self) -> None:
        self._retry = None
        untaken, self._untaken = self._untaken, {}
        for message_id, (device, at_ms) in untaken.items():
            self._take(message_id, device, at_ms)
