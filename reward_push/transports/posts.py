"""POSTs of a polling client that are not dealt with in one go: one that still comes in, one that has to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from twisted.python.failure import Failure
from zope.interface import implementer

from ..engineio.interfaces import ITimed, IWheel
from ..engineio.packet import Packet
from .interfaces import IUpload
from .request import EdgeRequest

if TYPE_CHECKING:
    from .polling import PollingTransport


@implementer(IUpload)
class IncomingPost:
    """A POST whose body is under way."""

    __slots__ = ("_transport", "drop")

    def __init__(self, transport: PollingTransport, drop: Callable[[], None]) -> None:
        self._transport = transport
        self.drop = drop

    def whole(self) -> None:
        """See :class:`.interfaces.IUpload`."""
        self._transport.received(self)

    def lost(self) -> None:
        """See :class:`.interfaces.IUpload`."""
        self._transport.lost(self)


@implementer(ITimed)
class SlowPost:
    """A POST with more packets than its client may send at once: the rest of it waits.

    The client gets its answer when all are taken, and may not POST before.
    """

    __slots__ = ("_packets", "_request", "_transport", "_wheel", "bucket", "due")

    def __init__(
        self,
        transport: PollingTransport,
        request: EdgeRequest,
        packets: Iterator[Packet],
        wheel: IWheel,
        pause_s: float,
    ) -> None:
        self.bucket = 0
        self.due = wheel.now() + pause_s
        self._transport = transport
        self._request = request
        self._packets = packets
        self._wheel = wheel
        wheel.file(self)
        request.notifyFinish().addErrback(self._gone)

    def expire(self, now: float) -> None:
        """See :class:`..engineio.interfaces.ITimed`."""
        answer = self._transport.take(self._packets, self._request)
        if isinstance(answer, bytes):
            self._transport.received(self)
            self._request.setHeader(b"content-length", b"%d" % len(answer))
            self._request.write(answer)
            self._request.finish()
        else:
            self.due = now + answer
            self._wheel.file(self)

    def drop(self) -> None:
        """Another POST has come: this one loses its connection."""
        self._wheel.discard(self)
        self._request.channel.forceAbortClient()

    def _gone(self, _: Failure) -> None:
        self._wheel.discard(self)
        self._transport.lost(self)
