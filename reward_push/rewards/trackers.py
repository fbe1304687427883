"""Who notes how far a message, or a revoke, has come: sessions tell them (:class:`..engineio.interfaces.ITracker`)."""

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from ..engineio.interfaces import ITracker
from .counts import DeliveryCounts
from .member import Member
from .message import Message
from .receipts import ReceiptBuffer
from .rooms import rooms_of
from .told import Told

LIVE_BYTES = 1_000
"""What a :class:`LiveMessage` takes, with its places in the tables, apart from its rooms."""
ROOM_BYTES = 72
"""What each of its rooms takes, beside its letters."""


def member_in(handler: Any, namespace: str) -> Member | None:
    """Return who the client behind a session is in ``namespace``; ``None`` once it has left."""
    socket = handler.sockets.get(namespace)
    return None if socket is None else socket.user


@implementer(ITracker)
class LiveMessage:
    """A message that was written: whose acknowledgement is meant by ``ack_id``, and who notes how far it comes."""

    __slots__ = (
        "_counts",
        "_now_ms",
        "_receipts",
        "ack_id",
        "message_id",
        "namespace",
        "once",
        "rooms",
        "size",
    )

    def __init__(
        self,
        message: Message,
        ack_id: int,
        receipts: ReceiptBuffer,
        counts: DeliveryCounts,
        now_ms: Callable[[], int],
    ) -> None:
        self.message_id = message.id
        self.namespace = message.namespace
        self.rooms = rooms_of(message.to)
        self.once = message.once
        self.ack_id = ack_id
        self.size = LIVE_BYTES + ROOM_BYTES * len(self.rooms) + sum(map(len, self.rooms))
        self._receipts = receipts
        self._counts = counts
        self._now_ms = now_ms

    @property
    def wants_answer(self) -> bool:
        """See :class:`..engineio.interfaces.ITracker`.

        A device that counts as having had a message never gets it again. Where it was the only one to get it,
        an acknowledgement lost with a node would leave nobody to whom the message belongs.
        """
        return self.once

    def sent(self, handler: Any) -> None:
        """See :class:`..engineio.interfaces.ITracker`."""
        member = member_in(handler, self.namespace)
        if member is not None:
            self._counts.sent += 1
            self._receipts.sent(self.message_id, member.device.number, self._now_ms())

    def delivered(self, handler: Any) -> None:
        """See :class:`..engineio.interfaces.ITracker`."""
        member = member_in(handler, self.namespace)
        if member is not None:
            self._counts.delivered += 1
            self._receipts.delivered(self.message_id, member.device.number, self._now_ms())


@implementer(ITracker)
class Revocation:
    """A ``revoke`` on its way: a device that named itself is owed it until it is proved to have it."""

    __slots__ = ("_message_id", "_namespace", "_told")

    wants_answer = False

    def __init__(self, message_id: str, namespace: str, told: Told) -> None:
        self._message_id = message_id
        self._namespace = namespace
        self._told = told

    def sent(self, handler: Any) -> None:
        """See :class:`..engineio.interfaces.ITracker`."""

    def delivered(self, handler: Any) -> None:
        """See :class:`..engineio.interfaces.ITracker`."""
        member = member_in(handler, self._namespace)
        if member is not None and member.device.name is not None:
            self._told.told(member.device.number, self._message_id)
