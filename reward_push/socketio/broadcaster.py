"""Fan-out: one packet, encoded once, to many sockets, without stopping the node."""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from ..engineio.outgoing import Outgoing
from .socket import Socket

SLICE = 1000
"""Sockets written to in one go; between two slices the reactor breathes."""


class Broadcaster:
    """Writes units to sockets in the order in which it was asked to.

    A large broadcast is cut in slices. While one is under way, whatever comes after it queues
    behind, so that no socket sees two messages in the wrong order. One that cannot be written to keeps
    nothing from the others.
    """

    _log = Logger()

    def __init__(self, call_soon: Callable[[Callable[[], Any]], Any]) -> None:
        """``call_soon`` runs a callable on a later turn of the event loop."""
        self._call_soon = call_soon
        self._waiting: deque[tuple[Outgoing, deque[Socket]] | Deferred[None]] = deque()
        """What is yet to be written and to whom; and who waits until all before has been."""

    def send(self, unit: Outgoing, sockets: Collection[Socket]) -> int:
        """Write ``unit`` to each of ``sockets``, a snapshot; return how many there are.

        A unit that is rendered late is rendered anew for each slice.
        """
        if not self._waiting and len(sockets) <= SLICE:
            self._write(unit, sockets)
        elif sockets:
            if not self._waiting:
                self._call_soon(self._work)
            self._waiting.append((unit, deque(sockets)))
        return len(sockets)

    def written(self) -> "Deferred[None]":
        """Fire once all that was sent until now has been written: at once, unless a large broadcast is under way."""
        if not self._waiting:
            return succeed(None)
        written: Deferred[None] = Deferred()
        self._waiting.append(written)
        return written

    def _work(self) -> None:
        budget = SLICE
        while self._waiting and budget > 0:
            first = self._waiting[0]
            if isinstance(first, Deferred):
                # While it stands here, what is sent by whoever hears of it queues behind.
                first.callback(None)
                self._waiting.popleft()
                continue
            unit, sockets = first
            current = unit.current()
            if current is None:
                self._waiting.popleft()
                continue
            batch = [sockets.popleft() for _ in range(min(budget, len(sockets)))]
            budget -= len(batch)
            self._write(current, batch)
            if not sockets:
                self._waiting.popleft()
        if self._waiting:
            self._call_soon(self._work)

    def _write(self, unit: Outgoing, sockets: Iterable[Socket]) -> None:
        for socket in sockets:
            try:
                socket.send(unit)
            except Exception:
                self._log.failure("a client could not be written to")
