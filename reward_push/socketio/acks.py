"""Answers that a socket owes us: one Deferred each, with an end."""

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..engineio.interfaces import ITimed, IWheel


class AckTimeout(Exception):
    """The client did not acknowledge in time."""


class Disconnected(Exception):
    """The socket was closed before it acknowledged."""


@implementer(ITimed)
class PendingAck:
    """One acknowledgement awaited."""

    __slots__ = ("_ack_id", "_pending", "bucket", "deferred", "due")

    def __init__(self, due: float, ack_id: int, pending: "dict[int, PendingAck]") -> None:
        self.due = due
        self.bucket = 0
        self.deferred: Deferred[tuple[Any, ...]] = Deferred()
        self._ack_id = ack_id
        self._pending = pending

    def expire(self, now: float) -> None:
        """See :class:`..engineio.interfaces.ITimed`."""
        del self._pending[self._ack_id]
        self.deferred.errback(AckTimeout())


class Acks:
    """The acknowledgements one socket owes."""

    __slots__ = ("_pending", "_wheel")

    def __init__(self, wheel: IWheel) -> None:
        self._wheel = wheel
        self._pending: dict[int, PendingAck] = {}

    def expect(self, ack_id: int, timeout_s: float) -> "Deferred[tuple[Any, ...]]":
        """Return a Deferred of the answer's arguments.

        It fails with :class:`AckTimeout` after ``timeout_s`` seconds, with :class:`Disconnected`
        when the socket ends before.
        """
        ack = PendingAck(self._wheel.now() + timeout_s, ack_id, self._pending)
        self._pending[ack_id] = ack
        self._wheel.file(ack)
        return ack.deferred

    def settle(self, ack_id: int, args: list[Any]) -> bool:
        """Take an answer; return whether it was awaited (unknown and second ones are not)."""
        ack = self._pending.pop(ack_id, None)
        if ack is None:
            return False
        self._wheel.discard(ack)
        ack.deferred.callback(tuple(args))
        return True

    def fail(self) -> None:
        """The socket is gone: nothing will be answered any more."""
        pending, self._pending = self._pending, {}
        for ack in pending.values():
            self._wheel.discard(ack)
            ack.deferred.errback(Disconnected())
