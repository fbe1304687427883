"""What a device has missed: written on every connect, before anything newer.

While it lasts the socket is held: what is broadcast to it meanwhile waits. A message with an end that
comes meanwhile is dropped from there, as it is live in the store and a later page has it: the store
answers in order, so a page that says it is the last was read after everything broadcast until now was
kept. What has no end is not replayed; it waits, and follows.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from .access.interfaces import StoreUnavailable
from .engineio.outgoing import Outgoing
from .rewards.delivery import Delivery
from .rewards.interfaces import IMessageStore
from .rewards.receipts import ReceiptBuffer
from .socketio.socket import Socket

PAGE = 100
"""Messages read from the store at once. The next page is read when these have been taken."""


class Replay:
    """Brings newly connected sockets up to date."""

    _log = Logger()

    def __init__(
        self,
        store: IMessageStore,
        receipts: ReceiptBuffer,
        delivery: Delivery,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._receipts = receipts
        self._delivery = delivery
        self._now_ms = now_ms

    def begin(self, socket: Socket) -> None:
        """``socket`` has just joined its namespace."""
        socket.hold(self._keep)
        Deferred.fromCoroutine(self._bring(socket))

    def _keep(self, unit: Outgoing) -> bool:
        return not self._delivery.is_replayable(unit.tracker)

    async def _bring(self, socket: Socket) -> None:
        try:
            await self._revokes(socket)
            await self._messages(socket)
        except StoreUnavailable:
            # It comes again, and finds what it missed when the store is back.
            socket.client.evict()
        except Exception:
            self._log.failure("a replay failed")
            socket.client.evict()
        else:
            socket.release()

    async def _revokes(self, socket: Socket) -> None:
        device = socket.user.device
        if device.name is None:
            return
        for message_id, reason in await self._store.owed(device.number, socket.namespace.name):
            self._delivery.retell(message_id, reason, socket)

    async def _messages(self, socket: Socket) -> None:
        device, namespace = socket.user.device, socket.namespace.name
        # The store reads in order: it knows of all receipts until now before it looks for what is missing.
        self._receipts.flush()
        cursor = None
        while socket.connected:
            page = await self._store.missed(
                device.number, namespace, socket.rooms, self._now_ms(), cursor, PAGE
            )
            if socket.connected:
                for message in page.messages:
                    self._delivery.resend(message, socket)
            cursor = page.cursor
            if cursor is None:
                return
            taken: Deferred[None] = Deferred()
            socket.client.session.when_idle(lambda taken=taken: taken.callback(None))  # type: ignore[misc]
            await taken
