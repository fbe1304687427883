"""Messages that were claimed a little early wait here for their moment.

What is due is decided by the wall clock alone, which may be stepped at any time and is read again at each
wake; the reactor's clock, which must be a monotonic one, only wakes.
"""

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from .alarm import Alarm
from .interfaces import IDelivery, TakenBack
from .message import Message


class _Held(NamedTuple):
    """A message, and what it supersedes: that is told when it is shown."""

    message: Message
    superseded: Sequence[TakenBack]


class Waiting:
    """Shows messages at their moment, never early.

    What has ended while it waited here for its last milliseconds is not shown. So of two messages with one
    ``replace`` that were claimed together only one may be shown: the one that the store took last.
    """

    _log = Logger()

    def __init__(
        self,
        delivery: IDelivery,
        clock: IReactorTime,
        now_ms: Callable[[], int],
        *,
        observe_lateness_ms: Callable[[int], object] | None = None,
    ) -> None:
        """``clock`` is monotonic, ``now_ms`` the wall clock in epoch milliseconds.

        ``observe_lateness_ms`` is told of each delivery.
        """
        self._delivery = delivery
        self._clock = clock
        self._now_ms = now_ms
        self._observe = observe_lateness_ms or (lambda _lateness_ms: None)
        self.on_shown: Callable[[], object] = lambda: None
        """Called when some have left."""
        self._held: dict[str, _Held] = {}
        self._queue: list[tuple[int, int, str]] = []
        """A heap of ``(deliver_at, count, id)``; ids that are not in ``_held`` any more are passed."""
        self._count = 0
        self._alarm = Alarm(clock, self.look)

    def hold(self, message: Message, superseded: Sequence[TakenBack] = ()) -> None:
        """Show ``message`` at its moment, which may have come; :meth:`look` does what is due now."""
        # What a later one supersedes must not be shown any more, though the revoke waits.
        for each in superseded:
            self.drop(each.message_id)
        self._count += 1
        self._held[message.id] = _Held(message, superseded)
        heappush(self._queue, (message.deliver_at_ms, self._count, message.id))

    def drop(self, message_id: str) -> None:
        """The message has ended: if it waits here, it is not shown."""
        held = self._held.pop(message_id, None)
        if held is not None:
            # It has superseded others all the same.
            self.take_back(held.superseded)

    def take_back(self, ended: Iterable[TakenBack]) -> None:
        """Messages have ended: show them no more, and revoke them where they were shown."""
        for each in ended:
            self.drop(each.message_id)
            try:
                self._delivery.revoke(each)
            except Exception:  # A fault of ours must not hold up the others.
                self._log.failure("message {id} was not revoked", id=each.message_id)

    def holds(self, message_id: str) -> bool:
        """Whether the message waits here for its moment: it will be shown then."""
        return message_id in self._held

    def __len__(self) -> int:
        """Return how many messages wait."""
        return len(self._held)

    def look(self) -> None:
        """Show what is due, in order, and see to the next."""
        before = len(self._held)
        while self._queue:
            deliver_at_ms, _, message_id = self._queue[0]
            if message_id in self._held and deliver_at_ms > self._now_ms():
                break
            heappop(self._queue)
            held = self._held.pop(message_id, None)
            if held is not None:
                self._show(held)
        self._arm()
        if len(self._held) < before:
            self.on_shown()

    def stop(self, within_s: float) -> "Deferred[None]":
        """Fire when all that waits is shown, ``within_s`` at most.

        What is not due then, because the wall clock was set back, is forgotten.
        """
        if not self._held:
            self._end(None)
            return succeed(None)
        over: Deferred[None] = Deferred()
        self._clock.callLater(within_s, over.callback, None)
        return over.addCallback(self._end)

    def _end(self, _: None) -> None:
        self.look()
        self._held.clear()
        self._queue.clear()
        self._alarm.stop()

    def _show(self, held: _Held) -> None:
        message = held.message
        now_ms = self._now_ms()
        if message.expires_at_ms is None or message.expires_at_ms > now_ms:
            try:
                self._delivery.deliver(message)
                self._observe(now_ms - message.deliver_at_ms)
            except Exception:  # A fault of ours must not hold up the others.
                self._log.failure("message {id} was due, but not delivered", id=message.id)
        self.take_back(held.superseded)

    def _arm(self) -> None:
        """Set the alarm for the first that waits."""
        if not self._queue:
            return
        self._alarm.within((self._queue[0][0] - self._now_ms()) / 1000)
