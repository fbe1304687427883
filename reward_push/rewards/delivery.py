"""Delivery over Socket.IO: the one place in the domain, with :mod:`.trackers`, that knows what messages travel on.

A message is one :class:`LiveMessage` for all its receivers. Its event is rendered when it is written, so
that it always tells the time that is left, and is not written any more once the message has ended. What
the message says is in its event alone, and that is there only as long as it waits for somebody, or was
written a moment ago: to who comes later it is written from what the store has.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from weakref import WeakValueDictionary

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..socketio.interfaces import IBroadcaster
from ..strict_json import Written, dumps
from .counts import DeliveryCounts
from .instants import to_rfc3339
from .interfaces import IDelivery, IMessageStore, Latecomer, Reason, TakenBack
from .known import KnownMessages
from .message import Message
from .receipts import ReceiptBuffer
from .told import Told
from .told_early import ToldEarly
from .trackers import LiveMessage, Revocation


def envelope(message_id: str, data: Written, expires_at_ms: int | None, now_ms: int) -> Written:
    """Return the argument a plugin's handler gets; what is left of the message's time is as of now."""
    ttl = "" if expires_at_ms is None else f',"ttl_ms":{max(0, expires_at_ms - now_ms)}'
    sent_at = to_rfc3339(now_ms)
    return Written(f'{{"id":"{message_id}","data":{data},"sent_at":"{sent_at}"{ttl}}}')


@implementer(IDelivery)
class Delivery:
    """Writes messages and revokes to this node's sockets."""

    _log = Logger()

    def __init__(
        self,
        broadcaster: IBroadcaster,
        store: IMessageStore,
        receipts: ReceiptBuffer,
        now_ms: Callable[[], int],
    ) -> None:
        self._broadcaster = broadcaster
        self._store = store
        self._receipts = receipts
        self._now_ms = now_ms
        self.counts = DeliveryCounts()
        self._known: KnownMessages[LiveMessage] = KnownMessages()
        self._events: WeakValueDictionary[str, Any] = WeakValueDictionary()
        """Message → its event, as long as a queue, or who renders it, has it."""
        self._sockets: dict[int, dict[Any, None]] = {}
        self.tell_elsewhere: Callable[[Sequence[Latecomer]], object] = lambda _late: None
        """Told of those who are not connected to this node any more."""
        self._told = Told(store)
        self._told_early = ToldEarly()

    # Who is here.

    def connected(self, socket: Any) -> None:
        """``socket``, whose ``user`` is a :class:`.member.Member`, can be written to."""
        self._sockets.setdefault(socket.user.device.number, {})[socket] = None

    def disconnected(self, socket: Any) -> None:
        """``socket`` is gone."""
        number = socket.user.device.number
        sockets = self._sockets.get(number)
        if sockets is not None:
            sockets.pop(socket, None)
            if not sockets:
                del self._sockets[number]

    # Messages.

    def deliver(self, message: Message) -> int:
        """See :class:`.interfaces.IDelivery`."""
        live = self._live(message)
        return self._broadcaster.emit_late(self._event(message, live), live.rooms)

    def resend(self, message: Message, socket: Any) -> int:
        """Write a live message to one socket that has not had it, unless it is on its way to it; return its size."""
        live = self._live(message)
        session = socket.client.session
        unit = None if session.holds(live) else self._event(message, live).to_wait()
        if unit is None:
            return 0
        session.send_on(unit)
        return int(unit.size)

    def id_of(self, tracker: object) -> str | None:
        """Return the id of the message that ``tracker`` follows, if it follows one."""
        return tracker.message_id if isinstance(tracker, LiveMessage) else None

    def _live(self, message: Message) -> LiveMessage:
        """Return what follows ``message``: the same for all to whom it is written."""
        has_end = message.expires_at_ms is not None
        # Without an end it is written this once, and whatever has its id next is another message.
        live = self._known.live(message.id) if has_end else None
        if live is None:
            event = self._events.get(message.id) if has_end else None
            if event is None:
                live = LiveMessage(
                    message,
                    self._broadcaster.next_ack_id(),
                    self._receipts,
                    self.counts,
                    self._now_ms,
                )
            else:
                # Used by nobody for so long that it was forgotten, but somebody still waits for it.
                live = event.tracker
            self._known.add(live, live=has_end)
        return live

    def _event(self, message: Message, live: LiveMessage) -> Any:
        """Return the event of ``message``, the one that others have had if there still is one."""
        event = self._events.get(message.id)
        if event is None or event.tracker is not live:
            # Kept as text: as values, data of a few KiB can take a hundred times as much.
            message_id, end, data = message.id, message.expires_at_ms, Written(dumps(message.data))
            event = self._broadcaster.late(
                message.namespace,
                message.event,
                lambda at_ms: envelope(message_id, data, end, at_ms),
                self._now_ms,
                ends_at_ms=end,
                ack_id=live.ack_id,
                tracker=live,
            )
            self._events[message_id] = event
        return event

    def acknowledged(self, ack_id: int) -> LiveMessage | None:
        """Return the message that an acknowledgement with ``ack_id`` is for; ``None``: none, or none any more."""
        return self._known.acknowledged(ack_id)

    # Taking back.

    def revoke(self, taken_back: TakenBack) -> None:
        """See :class:`.interfaces.IDelivery`."""
        message_id = taken_back.message_id
        self._known.over(message_id)
        event = self._events.pop(message_id, None)
        if event is not None:
            event.end()
        # Devices it was written to so lately that the store did not count them yet.
        devices = self._receipts.devices(message_id)
        if devices:
            self._told_early.add(message_id, devices)
        if taken_back.devices is not None:
            self._tell(taken_back, devices.union(taken_back.devices))
            return
        self._tell(taken_back, devices)
        here = self._broadcaster.members(taken_back.namespace, taken_back.rooms)
        others = {socket.user.device.number for socket in here if socket.user is not None} - devices
        if others:
            had = maybeDeferred(self._store.had, message_id, others)
            had.addCallback(lambda found: self._tell(taken_back, found))
            # Where the store is away, named devices are told at their next connect.
            had.addErrback(self._not_asked, message_id)

    def tell_late(self, late: Sequence[Latecomer], may_have_moved: bool) -> None:
        """Tell those whose receipts came to the store too late for :class:`.interfaces.TakenBack` to name them.

        Who may have moved may still seem to be here, by a connection that is dead.
        """
        elsewhere = [each for each in late if may_have_moved or each.device not in self._sockets]
        if elsewhere:
            self.tell_elsewhere(elsewhere)
        self.tell_here(
            [each for each in late if not self._told_early.has(each.message_id, each.device)]
        )

    def tell_here(self, late: Sequence[Latecomer]) -> None:
        """Tell those of them who are connected to this node."""
        for message_id, namespace, device, reason in late:
            self._tell(TakenBack(message_id, namespace, (), reason, (device,)), (device,))

    def _not_asked(self, failure: Failure, message_id: str) -> None:
        self._log.warn(
            "not everybody who had message {id} was told of its end: {reason}",
            id=message_id,
            reason=failure.getErrorMessage(),
        )

    def _tell(self, taken_back: TakenBack, devices: Iterable[int]) -> None:
        sockets = [
            socket
            for number in devices
            if number != taken_back.but
            for socket in self._sockets.get(number, ())
            if socket.namespace.name == taken_back.namespace
        ]
        if sockets:
            event = self._revocation(taken_back.message_id, taken_back.namespace, taken_back.reason)
            # As many as a broadcast has reached: the event loop has to breathe in between here, too.
            told = self._broadcaster.emit_late_to(event, sockets)
            self.counts.revoked[taken_back.reason] += told

    def retell(self, message_id: str, reason: Reason, socket: Any) -> None:
        """Write a revoke that one socket's device has missed."""
        event = self._revocation(message_id, socket.namespace.name, reason)
        socket.client.session.send(event.unit())
        self.counts.revoked[reason] += 1

    def _revocation(self, message_id: str, namespace: str, reason: Reason) -> Any:
        body = {"id": message_id, "reason": str(reason)}
        return self._broadcaster.late(
            namespace,
            "revoke",
            lambda _: body,
            self._now_ms,
            ends_at_ms=None,
            ack_id=None,
            tracker=Revocation(message_id, namespace, self._told),
        )
