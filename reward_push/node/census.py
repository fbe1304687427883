"""How many sessions there are, of what kind, and how much waits for them: counted when somebody asks.

Counting them as they come and go would cost each of them, and what waits changes with every write. A walk
over all of them is cut in slices, so that the reactor breathes; askers share it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from ..engineio.session import Session

SLICE = 1000
"""Sessions looked at in one go: well under a millisecond."""


@attrs.define
class Count:
    """What a walk has found."""

    connections: Counter[tuple[str, int]] = attrs.Factory(Counter)
    """Open sessions: (transport, revision)."""
    queue_bytes: int = 0
    """What waits for all clients, in characters or bytes."""
    queue_largest_bytes: int = 0
    """What waits for the client for which most does."""
    queue_clients: int = 0
    """Clients for which something waits."""

    def add(self, session: Session) -> None:
        """Look at one session."""
        transport = session.transport
        if transport is None:
            return
        self.connections[transport.name, session.revision.number] += 1
        waiting = session.waiting_size
        if waiting:
            self.queue_bytes += waiting
            self.queue_clients += 1
            if waiting > self.queue_largest_bytes:
                self.queue_largest_bytes = waiting


class Census:
    """Counts the sessions of a node."""

    def __init__(
        self, sessions: Iterable[Session], call_soon: Callable[[Callable[[], object]], Any]
    ) -> None:
        """``sessions`` yields a snapshot each time it is iterated over; ``call_soon`` runs a callable on a later
        turn of the event loop.
        """
        self._sessions = sessions
        self._call_soon = call_soon
        self._walk: Iterator[Session] | None = None
        self._count = Count()
        self._askers: list[Deferred[None]] = []
        self.last = Count()
        """What the last whole walk has found."""

    def take(self) -> "Deferred[None]":
        """Count; fire when :attr:`last` is new. While a walk is under way, its end is waited for."""
        asker: Deferred[None] = Deferred()
        self._askers.append(asker)
        if self._walk is None:
            self._walk = iter(self._sessions)
            self._count = Count()
            self._step()
        return asker

    def _step(self) -> None:
        walk = self._walk
        if walk is None:
            return
        some = list(islice(walk, SLICE))
        for session in some:
            self._count.add(session)
        if len(some) == SLICE:
            self._call_soon(self._step)
            return
        self._walk, self.last = None, self._count
        askers, self._askers = self._askers, []
        for asker in askers:
            asker.callback(None)
