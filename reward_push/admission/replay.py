"""What a device has missed: written on every connect, before anything newer, and when a node was deaf.

While it lasts the socket is held: what is broadcast to it meanwhile waits, and follows when the last page
has been written, but for messages that were in the pages, too. So nothing falls between: what the last
page was read too early for is broadcast after that. And nothing comes twice: what the schedule still
holds is left to its broadcast, and what was in the pages before this node has heard of it, or before a broadcast
to very many has come to this socket, is waited for.

What is live, but whose moment is still to come by a clock that was set back, is looked for again then.
"""

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..access.interfaces import StoreUnavailable
from ..engineio.interfaces import ITimed
from ..rewards.delivery import Delivery
from ..rewards.interfaces import IMessageStore
from ..rewards.message import Message
from ..rewards.receipts import ReceiptBuffer
from ..socketio.socket import Socket

LOOK_S = 1.0
"""A wall clock that was set forward is noticed after this long."""
FIRST_PAGE, PAGE = 4, 8
"""Messages read from the store at once: at first, and at most. The next page is read when these have been taken.

Each is up to twice as long as the one before. So who takes nothing costs little, however much there is for it, and
hundreds who come at once do not hold up the others.
"""
PAGE_BYTES = 64 * 1024
"""About how much a page is to be: large messages come in short ones."""


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
        *,
        hears: Callable[[Socket], Deferred[None]] = lambda _socket: succeed(None),
        left: Callable[[Socket], object] = lambda _socket: None,
        caught_up: Callable[[], Deferred[None]] = lambda: succeed(None),
    ) -> None:
        """``is_held`` tells by its id whether the schedule has yet to deliver a live message.

        ``hears`` fires once this node hears of every message for a socket that becomes live from then on.
        ``left`` is called when that is wanted no more. ``caught_up`` fires once it has heard of everything
        that became live until then: what is read may be newer than what was heard. Both fail with
        ``StoreUnavailable``.
        """
        self._store = store
        self._receipts = receipts
        self._delivery = delivery
        self._is_held = is_held
        self._now_ms = now_ms
        self._hears = hears
        self._left = left
        self._caught_up = caught_up
        self._under_way: dict[Socket, list[Deferred[None]]] = {}
        """Sockets that are being brought up to date, and who wants that to be done once more."""
        self._not_yet: dict[Socket, _NotYet] = {}
        self._taking: dict[Socket, Deferred[None]] = {}
        """Sockets whose client has yet to take the last page."""

    async def expect(self, socket: Socket) -> None:
        """Hear of what is for ``socket`` from now on: it is about to join. :meth:`end` is to follow.

        Raises ``StoreUnavailable``; then nothing is to follow.
        """
        try:
            await self._hears(socket)
        except StoreUnavailable:
            self._left(socket)
            raise

    def begin(self, socket: Socket) -> None:
        """``socket`` has just joined its namespace."""
        started = Deferred.fromCoroutine(self._bring(socket, None))
        started.addErrback(self._send_away, socket)

    def end(self, socket: Socket) -> None:
        """``socket`` has left its namespace."""
        self._left(socket)
        waiting = self._not_yet.pop(socket, None)
        if waiting is not None:
            socket.namespace.server.wheel.discard(waiting)
        self._go_on(socket)

    def heal(self, socket: Socket) -> Deferred[None]:
        """Bring ``socket``, which is connected, up to date: the node may not have heard of everything for it.

        Fires when that is done, or the socket is gone; fails with ``StoreUnavailable``.
        """
        if socket.user is None:
            # It sits in "/" without a key: nothing is for it.
            return succeed(None)
        again = self._under_way.get(socket)
        if again is not None:
            done: Deferred[None] = Deferred()
            again.append(done)
            return done
        age_s = socket.namespace.server.wheel.now() - socket.joined_at
        return Deferred.fromCoroutine(self._bring(socket, self._now_ms() - int(age_s * 1000)))

    async def _bring(self, socket: Socket, since_ms: int | None) -> None:
        """Bring ``socket`` up to date, once more for those who have asked for it meanwhile.

        On a failure a socket that was connected before goes on as it was.
        """
        self._under_way[socket] = []
        socket.hold()
        # Nothing of this namespace joins these from now on; but they may go out while the store is asked.
        waiting = socket.client.session.on_their_way()
        replayed: set[str] = set()
        failed = True
        try:
            await self._revokes(socket)
            on_its_way = {self._delivery.id_of(each) for each in waiting}
            await self._messages(socket, replayed, on_its_way, since_ms)
            if socket.connected:
                await self._caught_up()
                # What is in the pages may be on its way to very many, and not have come to this socket yet.
                await socket.namespace.server.written()
            failed = False
        finally:
            again = self._under_way.pop(socket)
            if not failed or since_ms is not None:
                socket.release(lambda unit: self._delivery.id_of(unit.tracker) in replayed)
            if again:
                healed = self.heal(socket) if socket.connected else succeed(None)
                healed.addBoth(_tell_all, again)

    def _send_away(self, failure: Failure, socket: Socket) -> None:
        """It comes again, and finds what it missed when the store is back."""
        if failure.check(StoreUnavailable) is None:
            self._log.failure("a replay failed", failure)
        socket.client.evict()

    async def _revokes(self, socket: Socket) -> None:
        device = socket.user.device
        if device.name is None:
            return
        for message_id, reason in await self._store.owed(device.number, socket.namespace.name):
            self._delivery.retell(message_id, reason, socket)

    async def _messages(
        self, socket: Socket, replayed: set[str], on_its_way: set[str | None], since_ms: int | None
    ) -> None:
        # The store reads in order: it knows of all receipts until now before it looks for what is missing.
        self._receipts.flush()
        cursor, limit = None, FIRST_PAGE
        left_out: set[str | None] = set()
        while socket.connected:
            page = await self._store.missed(
                socket.user.device.number,
                socket.namespace.name,
                socket.rooms,
                self._now_ms(),
                cursor,
                limit,
                since_ms,
            )
            cursor = page.cursor
            if socket.connected:
                # What an earlier page left to its broadcast, and was broadcast since, is older than this page.
                socket.let_through(lambda unit: self._delivery.id_of(unit.tracker) in left_out)
                size = self._write(page.messages, socket, replayed, left_out, on_its_way)
                fitting = PAGE_BYTES * len(page.messages) // max(1, size)
                limit = min(2 * limit, PAGE, max(1, fitting))
            # Up to 128 KiB of messages, which this client alone has: not while it takes its time.
            del page
            if cursor is None or not socket.connected:
                return
            taken = self._taking[socket] = Deferred()
            socket.client.session.when_idle(lambda: self._go_on(socket))
            await taken

    def _write(
        self,
        messages: Sequence[Message],
        socket: Socket,
        replayed: set[str],
        left_out: set[str | None],
        on_its_way: set[str | None],
    ) -> int:
        """Write those messages of a page that do not come to ``socket`` otherwise, or later; return their size."""
        size = 0
        for message in messages:
            if self._is_held(message.id):
                left_out.add(message.id)
            elif message.id in on_its_way:
                pass
            elif message.deliver_at_ms > self._now_ms():
                self._look_again(socket, message.deliver_at_ms)
            else:
                size += self._delivery.resend(message, socket)
                replayed.add(message.id)
        return size

    def _go_on(self, socket: Socket) -> None:
        """The client of ``socket`` has taken the last page, or never will."""
        taken = self._taking.pop(socket, None)
        if taken is not None:
            taken.callback(None)

    def _look_again(self, socket: Socket, at_ms: int) -> None:
        """Something live is not due for ``socket`` before ``at_ms``."""
        waiting = self._not_yet.get(socket)
        if waiting is None:
            self._not_yet[socket] = _NotYet(at_ms, socket, self)
        else:
            waiting.at_ms = min(waiting.at_ms, at_ms)
        self._wait(self._not_yet[socket])

    def _wait(self, waiting: "_NotYet") -> None:
        wheel = waiting.socket.namespace.server.wheel
        left_s = (waiting.at_ms - self._now_ms()) / 1000
        waiting.due = wheel.now() + min(left_s, LOOK_S)
        wheel.file(waiting)

    def look(self, waiting: "_NotYet") -> None:
        """The time may have come for what was not due yet."""
        if self._now_ms() < waiting.at_ms:
            self._wait(waiting)
            return
        del self._not_yet[waiting.socket]
        healed = self.heal(waiting.socket)
        healed.addErrback(self._send_away, waiting.socket)


@implementer(ITimed)
class _NotYet:
    """A socket that gets more from the store at a moment of the wall clock."""

    __slots__ = ("_replay", "at_ms", "bucket", "due", "socket")

    def __init__(self, at_ms: int, socket: Socket, replay: Replay) -> None:
        self.bucket = 0
        self.due = 0.0
        self.at_ms = at_ms
        self.socket = socket
        self._replay = replay

    def expire(self, now: float) -> None:
        """See :class:`..engineio.interfaces.ITimed`."""
        self._replay.look(self)


def _tell_all(result: object, waiters: list[Deferred[None]]) -> None:
    for waiter in waiters:
        waiter.callback(result)  # type: ignore[arg-type]
