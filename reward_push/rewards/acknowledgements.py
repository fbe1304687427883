"""What plugins answer to messages: each is a receipt, and under ``once`` the first of them has the message."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger

from .delivery import Delivery
from .interfaces import Ended, IMessageStore, INews
from .receipts import ReceiptBuffer


class Acknowledgements:
    """Turns Socket.IO acknowledgements into receipts."""

    _log = Logger()

    def __init__(
        self,
        delivery: Delivery,
        receipts: ReceiptBuffer,
        store: IMessageStore,
        news: INews,
        now_ms: Callable[[], int],
    ) -> None:
        self._delivery = delivery
        self._receipts = receipts
        self._store = store
        self._news = news
        self._now_ms = now_ms

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
        # The store judges who was first; it has to know before who had the message at all.
        self._receipts.flush()
        taken = maybeDeferred(self._store.take, live.message_id, device, self._now_ms())
        taken.addCallback(self._taken, device)
        taken.addErrback(self._not_taken, live.message_id)

    def _taken(self, ended: Ended | None, winner: int) -> None:
        if ended is not None:
            self._delivery.counts.acked += 1
            self._news.ended([ended], but=winner)

    def _not_taken(self, failure: Any, message_id: str) -> None:
        self._log.warn(
            "an acknowledgement of {id} was not kept: {reason}",
            id=message_id,
            reason=failure.getErrorMessage(),
        )
