"""What a device has missed: written on every connect, before anything newer.

While it lasts the socket is held: what is broadcast to it meanwhile waits, and follows when the last page
has been written, but for messages that were in the pages, too. So nothing falls between: what the last
page was read too early for is broadcast after that. And nothing comes twice: what the schedule still
holds is left to its broadcast.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from .access.interfaces import StoreUnavailable
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
        is_held: Callable[[str], bool],
        now_ms: Callable[[], int],
    ) -> None:
        """``is_held`` tells by its id whether the schedule has yet to deliver a live message."""
        self._store = store
        self._receipts = receipts
        self._delivery = delivery
        self._is_held = is_held
        self._now_ms = now_ms

    def begin(self, socket: Socket) -> None:
        """``socket`` has just joined its namespace."""
        socket.hold()
        Deferred.fromCoroutine(self._bring(socket))

    async def _bring(self, socket: Socket) -> None:
        replayed: set[str] = set()
        try:
            await self._revokes(socket)
            await self._messages(socket, replayed)
        except StoreUnavailable:
            # It comes again, and finds what it missed when the store is back.
            socket.client.evict()
        except Exception:
            self._log.failure("a replay failed")
            socket.client.evict()
        else:
            socket.release(lambda unit: self._delivery.id_of(unit.tracker) in replayed)

    async def _revokes(self, socket: Socket) -> None:
        device = socket.user.device
        if device.name is None:
            return
        for message_id, reason in await self._store.owed(device.number, socket.namespace.name):
            self._delivery.retell(message_id, reason, socket)

    async def _messages(self, socket: Socket, replayed: set[str]) -> None:
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
                    if not self._is_held(message.id):
                        self._delivery.resend(message, socket)
                        replayed.add(message.id)
            cursor = page.cursor
            if cursor is None:
                return
            taken: Deferred[None] = Deferred()
            socket.client.session.when_idle(lambda taken=taken: taken.callback(None))  # type: ignore[misc]
            await taken
