"""What happens by itself: messages become due, and end.

Two clocks. Wall time, the store's clock, alone decides whether something is due. The reactor's clock only
wakes us, never for longer than :data:`MAX_SLEEP_S`, and then wall time is read again: so a wall clock that
is set, forward or back, makes nothing early, lost or double.

A due message is claimed in the store a little ahead (:data:`LEAD_MS`), so that the commit is over when its
moment comes. Only what was just claimed is held in memory; everything else waits in the store.
"""

from bisect import insort
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .interfaces import Due, IDelivery, IMessageStore
from .message import State
from .receipts import Receipts

LEAD_MS = 20
"""How much ahead of its moment a message is claimed."""

LIMIT = 500
"""Messages claimed, and ended, in one step."""

MAX_SLEEP_S = 1.0
"""How late a wall clock that was set forward is noticed."""

RETRY_S = 0.5
"""How long to wait when the store is away."""

_NEVER = float("inf")


class Scheduler:
    """Delivers what becomes due and takes back what ends, for as long as it runs."""

    _log = Logger()

    def __init__(
        self,
        store: IMessageStore,
        delivery: IDelivery,
        receipts: Receipts,
        clock: Any,
        now_ms: Callable[[], int],
        observe_lateness: Callable[[int], object] | None = None,
    ) -> None:
        """``clock`` is an ``IReactorTime``, ``now_ms`` the store's clock.

        ``observe_lateness`` is told by how many milliseconds each scheduled message was late.
        """
        self._store = store
        self._delivery = delivery
        self._receipts = receipts
        self._clock = clock
        self._now_ms = now_ms
        self._observe_lateness = observe_lateness
        self._running = False
        self._started_ms = 0
        self._next_ms = _NEVER
        self._wake: IDelayedCall | None = None
        self._working: Deferred[None] | None = None
        self._claimed: list[tuple[int, int, Due]] = []
        self._claims = 0
        self._delivering: IDelayedCall | None = None

    # Its life.

    def start(self) -> "Deferred[None]":
        """Catch up with what became due while no node ran, then keep on; fires when caught up."""
        self._running = True
        self._started_ms = self._now_ms()
        return self._work_now()

    def stop(self) -> "Deferred[None]":
        """Do nothing more; fires when the store owes no answer. What is claimed but not yet due stays live
        in the store, and reaches its devices when they come back.
        """
        self._running = False
        for call in (self._wake, self._delivering):
            if call is not None:
                call.cancel()
        self._wake = self._delivering = None
        self._claimed.clear()
        return self._working or succeed(None)

    # What others tell.

    def note_due(self, at_ms: int) -> None:
        """A message was scheduled for ``at_ms``."""
        self._note(at_ms - LEAD_MS)

    def note_end(self, at_ms: int) -> None:
        """A live message ends at ``at_ms``."""
        self._note(at_ms)

    def cancelled(self, message_id: str) -> None:
        """A message was taken back: it is not delivered, should it be on the point of it."""
        self._claimed = [each for each in self._claimed if each[2].record.message.id != message_id]

    # Waking up.

    def _note(self, at_ms: float) -> None:
        if at_ms < self._next_ms:
            self._next_ms = at_ms
            self._sleep()

    def _sleep(self) -> None:
        """Set the timer for what comes next; with nothing to come there is none."""
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if self._running and self._working is None and self._next_ms != _NEVER:
            delay_s = (self._next_ms - self._now_ms()) / 1000
            self._wake = self._clock.callLater(min(max(delay_s, 0.0), MAX_SLEEP_S), self._woken)

    def _woken(self) -> None:
        self._wake = None
        if self._now_ms() >= self._next_ms:
            self._work_now()
        else:
            self._sleep()

    # Working.

    def _work_now(self) -> "Deferred[None]":
        if self._working is None:
            self._working = done = Deferred()
            Deferred.fromCoroutine(self._work()).addBoth(self._worked, done)
        return self._working or succeed(None)

    def _worked(self, result: object, done: "Deferred[None]") -> None:
        self._working = None
        self._sleep()
        done.callback(None)

    async def _work(self) -> None:
        try:
            # What is noted while the store is asked may not be in its answer: it counts again.
            self._next_ms = _NEVER
            while self._running and await self._step():
                pass
            agenda = await self._store.agenda()
            if agenda.next_due_ms is not None:
                self._next_ms = min(self._next_ms, agenda.next_due_ms - LEAD_MS)
            if agenda.next_end_ms is not None:
                self._next_ms = min(self._next_ms, agenda.next_end_ms)
        except Exception as error:
            # Whatever it is, the schedule must go on. Nothing is lost: it is all still in the store.
            self._log.warn("the schedule waits for the store: {error}", error=error)
            self._next_ms = min(self._next_ms, self._now_ms() + RETRY_S * 1000)

    async def _step(self) -> bool:
        """Claim and end one portion; return whether there may be more."""
        now_ms = self._now_ms()
        due = await self._store.claim(now_ms, now_ms + LEAD_MS, self._started_ms, LIMIT)
        for each in due:
            if each.record.state is not State.EXPIRED:
                self._claims += 1
                moment_ms = each.record.message.deliver_at_ms
                insort(self._claimed, (moment_ms, self._claims, each))
        self._deliver_due()
        # Whoever had a message is told of its end: the store has to know who that is.
        self._receipts.flush()
        ended = await self._store.expire(self._now_ms(), LIMIT)
        for end in ended:
            self._delivery.revoke(end)
        return len(due) == LIMIT or len(ended) == LIMIT

    def _deliver_due(self) -> None:
        """Deliver what was claimed and is due to the millisecond, never early."""
        if self._delivering is not None and self._delivering.active():
            self._delivering.cancel()
        self._delivering = None
        if not self._running:
            return
        now_ms = self._now_ms()
        while self._claimed and self._claimed[0][0] <= now_ms:
            _, _, due = self._claimed.pop(0)
            self._deliver(due, now_ms)
        if self._claimed:
            delay_s = (self._claimed[0][0] - now_ms) / 1000
            self._delivering = self._clock.callLater(min(delay_s, MAX_SLEEP_S), self._deliver_due)

    def _deliver(self, due: Due, now_ms: int) -> None:
        message = due.record.message
        try:
            self._delivery.deliver(message)
            for end in due.superseded:
                self._delivery.revoke(end)
        except Exception:
            self._log.failure("message {id} was not delivered", id=message.id)
        if self._observe_lateness is not None:
            self._observe_lateness(now_ms - message.deliver_at_ms)
        if message.expires_at_ms is not None:
            self.note_end(message.expires_at_ms)
