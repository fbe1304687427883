"""Everything on its way to one client: what waits, what was written, and what is proved to have arrived."""

from collections.abc import Callable, Sequence

from .backlog import NEVER, Backlog
from .interfaces import ISessionHandler, ITracker, ITransport
from .options import EngineOptions
from .outgoing import Outgoing
from .proof import Unproven


class Outbox:
    """Writes units to the session's transport while it can take them, keeps them in order while not.

    Times are monotonic seconds.
    """

    __slots__ = ("_backlog", "_idle", "_options", "_unproven", "handler", "transport")

    transport: ITransport | None
    """The transport in use; ``None`` before the session opens and after it is over."""
    handler: ISessionHandler | None
    """Who trackers are told of."""

    def __init__(self, options: EngineOptions) -> None:
        self.transport = None
        self.handler = None
        self._options = options
        self._backlog: Backlog | None = None
        self._idle: list[Callable[[], object]] | None = None
        self._unproven: Unproven | None = None

    # Writing.

    def write(self, unit: Outgoing) -> bool:
        """Write ``unit`` if the client can take it now and nothing waits before it; else return False."""
        transport = self.transport
        # As in ``ready``, which would be one more call: fan-out is hot.
        if self._backlog is not None or transport is None or not transport.writable:
            return False
        transport.send((unit,))
        if unit.tracker is not None:
            self._track(unit.tracker)
        return True

    @property
    def ready(self) -> bool:
        """Whether the client can take something now."""
        transport = self.transport
        return self._backlog is None and transport is not None and transport.writable

    def keep(self, unit: Outgoing, now: float) -> bool:
        """Let ``unit`` wait; return False when more waits than even a moving client may leave waiting."""
        backlog = self._backlog
        if backlog is None:
            backlog = self._backlog = Backlog(now)
        backlog.append(unit)
        return backlog.fits(self._options)

    def flush(self, now: float) -> bool:
        """The client has taken something: write what waits as far as it takes it.

        Returns whether nothing waits any more.
        """
        if self._backlog is not None:
            self._backlog.moved_at = now
        self._write_backlog()
        if self._backlog is None and self._idle is not None:
            idle, self._idle = self._idle, None
            for call in idle:
                call()
        return self._backlog is None

    def _write_backlog(self) -> None:
        transport = self.transport
        while self._backlog is not None and transport is not None and transport.writable:
            units = self._backlog.take()
            if not len(self._backlog):
                self._backlog = None
            if units:
                transport.send(units)
                for unit in units:
                    if unit.tracker is not None:
                        self._track(unit.tracker)

    def holds(self, tracker: ITracker) -> bool:
        """Whether a unit of ``tracker`` waits for the client."""
        return self._backlog is not None and self._backlog.holds(tracker)

    def trackers(self) -> set[ITracker]:
        """Return the trackers of what waits for the client."""
        return set() if self._backlog is None else self._backlog.trackers()

    def when_idle(self, call: Callable[[], object]) -> None:
        """Call ``call`` once nothing waits for the client, which may be at once; not after the end."""
        if self.transport is None:
            return
        if self._backlog is None:
            call()
        elif self._idle is None:
            self._idle = [call]
        else:
            self._idle.append(call)

    def clear(self) -> None:
        """The session is over."""
        self.transport = self.handler = self._backlog = self._idle = self._unproven = None

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._backlog is None

    @property
    def waiting_size(self) -> int:
        """How much waits, in characters or bytes."""
        return 0 if self._backlog is None else self._backlog.size

    @property
    def moved_at(self) -> float:
        """When the client last took something of what waits; minus infinity: nothing yet."""
        return -NEVER if self._backlog is None else self._backlog.moved_at

    def slow_at(self) -> float:
        """When the client counts as slow unless it takes something before."""
        return NEVER if self._backlog is None else self._backlog.slow_at(self._options)

    def is_slow(self, now: float) -> bool:
        """Whether the client is slow now."""
        return self._backlog is not None and self._backlog.is_slow(self._options, now)

    # Proof.

    def _track(self, tracker: ITracker) -> None:
        if self._unproven is None:
            self._unproven = Unproven()
        self._unproven.add(tracker)
        if self.handler is not None:
            tracker.sent(self.handler)

    def wants_proof(self) -> bool:
        """Whether a proof is wanted that nobody waits for yet. True once; then :meth:`ask` comes."""
        return self._unproven is not None and self._unproven.wanted()

    def ask(self, *, polling: bool) -> bool:
        """It is time to ask for a proof; return whether one is still wanted. If so, the caller does."""
        return self._unproven is not None and self._unproven.ask(polling=polling)

    def mark(self) -> None:
        """Something that the client will answer is being written now."""
        if self._unproven is not None:
            self._unproven.mark()

    def read(self) -> None:
        """The client has read all that was written, and polls again."""
        if self._unproven is not None:
            self._tell_delivered(self._unproven.read())

    def posted(self) -> None:
        """A polling client has posted of itself, as it does again and again, one post after the other.

        This one comes after its answers to what it had read when it last did so.
        """
        if self._unproven is not None:
            self._tell_delivered(self._unproven.proved())
            self._unproven.mark_read()

    def proved(self) -> None:
        """The client has answered it: what was written before has arrived."""
        if self._unproven is not None:
            self._tell_delivered(self._unproven.proved())

    def answered(self) -> bool:
        """The client acknowledges; return whether there was anything left that it could."""
        return self._unproven is not None and self._unproven.answered()

    def proved_through(self, tracker: ITracker) -> None:
        """The client has answered ``tracker``'s unit itself."""
        if self._unproven is not None:
            self._tell_delivered(self._unproven.through(tracker))

    def _tell_delivered(self, trackers: Sequence[ITracker]) -> None:
        handler = self.handler
        if handler is not None:
            for tracker in trackers:
                tracker.delivered(handler)
