"""The schedule: asks the store for what is due and for what has ended, just in time.

Two clocks. What is due is decided by the wall clock alone, which may be stepped at any time and is read
again at each wake; the reactor's clock, which must be a monotonic one, only wakes. The store tells when it
wants to be asked again. Where others fill it, too, it is asked at a fixed rate besides.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from .alarm import Alarm
from .interfaces import Agenda, IMessageStore, INews
from .waiting import Waiting

LEAD_MS = 20
"""A message is claimed this early, so that the commit is over when it is due."""
CLAIM_AHEAD_MS = 30
"""What is due by then is claimed along: at most a hundred commits a second."""
CLAIM_LIMIT = 1_000
"""Messages claimed, or ended, in one call. At most twice as many wait for their moment."""
RETRY_S = 0.25
"""The pause after the store has failed."""


class Scheduler:
    """Claims scheduled messages shortly before their moment, and ends those whose time is over.

    It tells the news and keeps nothing: what is claimed waits elsewhere (:class:`.waiting.Waiting`).
    """

    _log = Logger()

    def __init__(
        self,
        store: IMessageStore,
        news: INews,
        waiting: Waiting,
        clock: IReactorTime,
        now_ms: Callable[[], int],
        *,
        flush: Callable[[], object] | None = None,
        limit: int = CLAIM_LIMIT,
        ask_every_s: float | None = None,
        missed_grace_ms: int = 0,
    ) -> None:
        """``clock`` is monotonic, ``now_ms`` the wall clock in epoch milliseconds.

        ``waiting`` is where claimed messages wait: no more are claimed while it is full. ``flush`` is called before
        messages are ended, so that the store knows who had them (:meth:`.receipts.ReceiptBuffer.flush`).
        ``ask_every_s``: how often the store is asked for its agenda, which others may have changed.
        ``missed_grace_ms``: how long before the start of this node others may have been at work: what was
        due then was not missed.
        """
        self._store = store
        self._news = news
        self._clock = clock
        self._now_ms = now_ms
        self._waiting = waiting
        waiting.on_shown = self._arm
        self._flush = flush or (lambda: None)
        self._limit = limit
        self._ask_every_s = ask_every_s
        self._missed_grace_ms = missed_grace_ms
        self._running = False
        self._next_due_ms: int | None = None
        self._next_end_ms: int | None = None
        # Nothing due later than this was missed: a node ran. Earlier only by a wall clock set back.
        self._missed_before_ms = 0
        self._asked_at_s = 0.0
        self._alarm = Alarm(clock, self._wake)
        self._asking = False
        self._pause_until_s = 0.0
        self._reason: str | None = None
        self._caught_up: list[Deferred[None]] = []
        self._stopped: list[Deferred[None]] = []

    def start(self) -> "Deferred[None]":
        """Begin; fire when everything that was due or had ended while no node ran is seen to.

        While the store is away that waits, and so does everything. A stop fires it, too.
        """
        self._running = True
        self._missed_before_ms = self._now_ms() - self._missed_grace_ms
        # What the store has is not known yet: ask.
        self._next_due_ms = self._next_end_ms = 0
        waiter: Deferred[None] = Deferred()
        self._caught_up.append(waiter)
        self._wake()
        return waiter

    def stop(self) -> "Deferred[None]":
        """Claim nothing more; fire when a call of the store that is under way has been answered."""
        if not self._running and not self._stopped:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._stopped.append(waiter)
        if self._running:
            self._running = False
            _fire(self._caught_up)
            if not self._asking:
                self._finish()
        return waiter

    def note_due(self, deliver_at_ms: int) -> None:
        """A message was scheduled: the store has to be asked in time."""
        # Accepted while this node runs, it is not missed, though the clock may have been set back since
        # the start, and its moment have passed while the store was busy.
        self._missed_before_ms = min(self._missed_before_ms, deliver_at_ms)
        if self._next_due_ms is None or deliver_at_ms < self._next_due_ms:
            self._next_due_ms = deliver_at_ms
            self._arm()

    def note_end(self, expires_at_ms: int) -> None:
        """A message with an end became live."""
        if self._next_end_ms is None or expires_at_ms < self._next_end_ms:
            self._next_end_ms = expires_at_ms
            self._arm()

    def trouble(self) -> str | None:
        """Return why the schedule stands still, or ``None``."""
        return None if self._reason is None else f"the schedule waits for the store: {self._reason}"

    def _clock_read(self) -> int:
        """Read the wall clock. What becomes due from now on is not missed, wherever the clock was set."""
        now_ms = self._now_ms()
        self._missed_before_ms = min(self._missed_before_ms, now_ms)
        return now_ms

    def _wake(self) -> None:
        """Do what the time has come for. Called by the alarm only, and at the start."""
        if self._running and not self._asking and self._clock.seconds() >= self._pause_until_s:
            now_ms = self._clock_read()
            due = _is_by(self._next_due_ms, now_ms + LEAD_MS) and self._has_room()
            over = _is_by(self._next_end_ms, now_ms)
            if due or over or self._regular_s() <= 0:
                self._ask(now_ms, due=due, over=over)
        self._arm()

    def _regular_s(self) -> float:
        """Return in how many seconds the store is to be asked whatever is known of it."""
        if self._ask_every_s is None:
            return float("inf")
        return self._asked_at_s + self._ask_every_s - self._clock.seconds()

    def _has_room(self) -> bool:
        return len(self._waiting) < self._limit

    def _arm(self) -> None:
        """Set the alarm for the next thing to do."""
        delay_s = self._delay_s(self._now_ms())
        if delay_s is not None:
            self._alarm.within(delay_s)

    def _delay_s(self, now_ms: int) -> float | None:
        """Return in how many seconds to look again; ``None``: not by ourselves."""
        if not self._running or self._asking:
            return None  # Until the store has answered nothing is asked; its answer sets the alarm.
        asks = [self._regular_s()]
        if self._next_due_ms is not None and self._has_room():
            asks.append((self._next_due_ms - LEAD_MS - now_ms) / 1000)
        if self._next_end_ms is not None:
            asks.append((self._next_end_ms - now_ms) / 1000)
        soonest_s = min(asks)
        if soonest_s == float("inf"):
            return None
        pause_s = self._pause_until_s - self._clock.seconds()
        return max(pause_s, soonest_s)

    def _ask(self, now_ms: int, *, due: bool, over: bool) -> None:
        """Ask the store in one go, which it commits in one go; its answers come in this order."""
        self._asking = True
        self._asked_at_s = self._clock.seconds()
        self._flush()
        asked: list[Deferred[None]] = []
        if due:
            claim = maybeDeferred(
                self._store.claim,
                now_ms,
                now_ms + CLAIM_AHEAD_MS,
                self._missed_before_ms,
                self._limit,
            )
            asked.append(claim.addCallback(self._news.due))
        if over:
            ended = maybeDeferred(self._store.expire, now_ms, self._limit)
            asked.append(ended.addCallback(self._news.ended))
        asked.append(maybeDeferred(self._store.agenda).addCallback(self._plan))
        DeferredList(asked, consumeErrors=True).addCallback(self._all_answered)

    def _plan(self, agenda: Agenda) -> None:
        # The agenda knows all that was noted before: what was accepted earlier was answered earlier.
        self._next_due_ms = agenda.next_due_ms
        self._next_end_ms = agenda.next_end_ms

    def _all_answered(self, results: "list[tuple[bool, None]]") -> None:
        """All answers are there: ask again, now or later."""
        self._asking = False
        outcomes: list[object] = [each for _, each in results]
        failures = [each for each in outcomes if isinstance(each, Failure)]
        if failures:
            self._failed(failures[0])
        else:
            self._reason = None
        if not self._running:
            self._finish()
            return
        now_ms = self._clock_read()
        if not (_is_by(self._next_due_ms, now_ms) or _is_by(self._next_end_ms, now_ms)):
            _fire(self._caught_up)
        self._arm()

    def _failed(self, failure: Failure) -> None:
        self._pause_until_s = self._clock.seconds() + RETRY_S
        reason = failure.getErrorMessage()
        if reason != self._reason:
            self._log.warn("the schedule waits for the store: {reason}", reason=failure.value)
        self._reason = reason

    def _finish(self) -> None:
        """Stopped, and the store has answered."""
        self._alarm.stop()
        _fire(self._stopped)


def _fire(waiters: "list[Deferred[None]]") -> None:
    fired = waiters[:]
    waiters.clear()
    for waiter in fired:
        waiter.callback(None)


def _is_by(moment_ms: int | None, by_ms: int) -> bool:
    return moment_ms is not None and moment_ms <= by_ms
