"""The seams of the domain: where messages are kept and how they leave.

Everything that changes a message happens in the store, in one atomic step each, and the store is the
only judge of a message's state. Calls take effect, and answer, in the order in which they were made.
Times are epoch milliseconds of the store's clock; the caller hands in ``now_ms``.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import NamedTuple

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from .message import Message, MessageRecord, State
from .rooms import rooms_of


class Level(IntEnum):
    """How far a message has come with one device. It never goes back."""

    SENT = 1
    """Written to its transport."""
    DELIVERED = 2
    """The transport proved it."""
    ACKED = 3
    """The plugin called the Socket.IO ack."""


class Reason(StrEnum):
    """Why a message was taken back; what ``revoke`` tells."""

    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REPLACED = "replaced"
    TAKEN = "taken"


@attrs.frozen
class Device:
    """Who receipts belong to. ``number`` is the store's own name for it."""

    number: int
    key_id: str
    streamer: str
    name: str | None
    """``None``: it named none, is new at each connection and is never owed a revoke later."""


class Receipt(NamedTuple):
    """One step of one message with one device."""

    device: int
    """The device's number."""
    level: Level
    at_ms: int


class DeviceReceipt(NamedTuple):
    """What a device's receipt of one message says: a row of ``GET /v1/messages/{id}``."""

    key_id: str
    streamer: str
    name: str | None
    level: Level
    at_ms: int
    """When it came to that level."""


@attrs.frozen
class TakenBack:
    """What sockets have to be told of a message that has ended."""

    message_id: str
    namespace: str
    rooms: tuple[str, ...]
    """Where those are who may have had it."""
    reason: Reason
    devices: tuple[int, ...] | None
    """Devices that had it (``sent`` or more), by number; ``None``: too many to list, ask
    :meth:`IMessageStore.had`."""
    but: int | None = None
    """The device that is not told: it took the message."""


@attrs.frozen
class Ended:
    """A message that has just ended early or by its time."""

    record: MessageRecord
    reason: Reason
    devices: tuple[int, ...] | None
    """Devices that had it (``sent`` or more) and are to be told, by number; not the one that took it.
    ``None``: too many to list."""

    def taken_back(self, but: int | None = None) -> TakenBack:
        """Return what sockets have to be told."""
        message = self.record.message
        rooms = rooms_of(message.to)
        return TakenBack(message.id, message.namespace, rooms, self.reason, self.devices, but)


@attrs.frozen
class Kept:
    """What the store has under the id of a record handed to :meth:`IMessageStore.accept`."""

    record: MessageRecord
    """The very record handed in when it was new, else the earlier one with today's state and receipts."""
    superseded: tuple[Ended, ...] = ()
    """Live messages that a new, live or done one has replaced. One of them may have come in the same call: then it
    was over before it was ever sent, and whoever delivers leaves it out."""


@attrs.frozen
class Due:
    """A message whose time has come."""

    record: MessageRecord
    """Its state is ``live``, ``done`` (no end: to be sent this once) or ``expired`` (too late)."""
    superseded: tuple[Ended, ...] = ()
    """As in :class:`Kept`: also those that fell due in the same call."""


@attrs.frozen
class Agenda:
    """When the store has to be asked again."""

    next_due_ms: int | None
    """``deliver_at`` of the next scheduled message."""
    next_end_ms: int | None
    """``expires_at`` of the live message that ends first."""


@attrs.frozen
class Missed:
    """One page of a replay."""

    messages: tuple[Message, ...]
    """Live messages, in the order in which they became live."""
    cursor: int | None
    """Where the next page begins, however few are in this one; ``None``: that was all."""


@attrs.frozen
class Page:
    """One page of a list, newest first."""

    records: tuple[MessageRecord, ...]
    cursor: int | None
    """Where the next page begins; ``None``: that was all."""


class OwedRevoke(NamedTuple):
    """A message that a device had, and that was taken back while it was away."""

    message_id: str
    reason: Reason


class Latecomer(NamedTuple):
    """A device whose first receipt of a message came only after that was taken back: it was not told."""

    message_id: str
    namespace: str
    device: int
    reason: Reason


class IMessageStore(Interface):
    """Keeps messages, devices and receipts.

    Every call may fail with ``access.interfaces.StoreUnavailable``: then nothing of it was done, or,
    with ``AnswerLost``, nobody knows.
    """

    def accept(records: Sequence[MessageRecord]) -> "Deferred[list[Kept]]":
        """Commit each record whose id is not known yet, all in one transaction, in order.

        Records come as ``scheduled``, ``live`` or ``done``. A live or done one with ``replace`` ends
        (``cancelled``, reason ``replaced``) every other live message of equal namespace, audience and
        ``replace``; so of two in one call the second supersedes the first. An id that comes twice is
        new once.
        """

    def settle(message_id: str, sent: int) -> "Deferred[None]":
        """Note how many sockets a message without an end was written to (for its first answer).

        ``receipts.sent`` is the larger of this and the number of devices with a receipt, so that it does
        not fall while the receipts come in behind.
        """

    def claim(
        now_ms: int, until_ms: int, missed_before_ms: int, limit: int
    ) -> "Deferred[list[Due]]":
        """Take up to ``limit`` scheduled messages due by ``until_ms``, in order of ``deliver_at``.

        One whose end is not after ``now_ms`` becomes ``expired``. One without an end becomes
        ``expired`` when it was due before ``missed_before_ms`` (no node ran), else ``done``. All
        others become ``live``. What becomes live or done supersedes as in :meth:`accept`.
        """

    def expire(now_ms: int, limit: int) -> "Deferred[list[Ended]]":
        """End up to ``limit`` live messages whose ``expires_at`` is not after ``now_ms``."""

    def agenda() -> "Deferred[Agenda]":
        """Tell what comes next."""

    def cancel(
        message_id: str, now_ms: int
    ) -> "Deferred[tuple[MessageRecord, Ended | None] | None]":
        """Cancel a scheduled or live message: its record (as it is now) and, if this call ended it, how.

        A message that had ended before is returned unchanged with ``None``; an unknown id gives ``None``.
        """

    def take(message_id: str, device: int, now_ms: int) -> "Deferred[Ended | None]":
        """A device acknowledges a ``once`` message: the first has it.

        The winner's receipt becomes ``acked`` and the message, live until now, ``done``. A message
        without an end is done already; it is taken all the same, as long as nobody has. ``None`` for
        everybody else, whose receipts stay as they are, and after any other end.
        """

    def get(message_id: str) -> "Deferred[tuple[MessageRecord, list[DeviceReceipt]] | None]":
        """A message with its receipts, one a device. A device that is forgotten has no name any more."""

    def page(
        state: State | None, streamer: str | None, limit: int, cursor: int | None
    ) -> "Deferred[Page]":
        """List messages, newest first; those addressed to ``streamer`` by name, if given.

        With both ``state`` and ``streamer``, a page may be short, even empty, though its cursor says that
        more follows: how many messages are looked at for one page is bounded.
        """

    def note(receipts: Mapping[str, Sequence[Receipt]]) -> "Deferred[Sequence[Latecomer]]":
        """Commit receipts by message id. A level never goes back; unknown ids are ignored.

        ``acked`` for a ``once`` message is not noted here but by :meth:`take`. When the first receipt of a
        device comes only after the message was taken back, the device was not among those of :class:`Ended`: a
        named one is owed the revoke, and all of them are in the answer of this call, or of another that was
        done together with it.
        """

    def open_device(
        key_id: str, streamer: str, name: str | None, now_ms: int
    ) -> "Deferred[Device]":
        """Find or make a device; of the named ones of a key and streamer only the last 20 used are kept.

        A device that named none is always new; its answer may come at once, before those of earlier calls.
        """

    def missed(
        device: int,
        namespace: str,
        rooms: Sequence[str],
        now_ms: int,
        cursor: int | None,
        limit: int,
        since_ms: int | None = None,
    ) -> "Deferred[Missed]":
        """Live messages of ``namespace`` for any of ``rooms`` that ``device`` has not had.

        Had is ``delivered`` or more; with ``since_ms`` also ``sent`` at or after that moment: on a
        connection that still stands it is on its way. Only those with ``now_ms`` < ``expires_at``; but
        ``deliver_at`` may be to come: of what was claimed early, and when the clock was set back.

        A page may have fewer than ``limit`` messages, even none, though its cursor says that more follows: how
        many are looked at for one page is bounded. Only ``None`` for a cursor says that this was all.
        """

    def had(message_id: str, devices: Collection[int]) -> "Deferred[list[int]]":
        """Those of ``devices`` that had a message (``sent`` or more), in no particular order."""

    def owed(device: int, namespace: str) -> "Deferred[list[OwedRevoke]]":
        """The revokes a device has not proved to have got. Only named devices are owed any."""

    def told(message_id: str, devices: Sequence[int]) -> "Deferred[None]":
        """These devices have proved to have got the revoke of a message."""


class IDelivery(Interface):
    """Puts messages in front of their audience, and takes them back."""

    def deliver(message: Message) -> int:
        """Write ``message`` to every connected socket it is for; return how many that were."""

    def revoke(taken_back: TakenBack) -> None:
        """Write ``revoke`` to every connected device that had the message, and write it to nobody more."""


class INews(Interface):
    """Told of everything that the store has done to messages, so that sockets hear of it."""

    def live(message: Message) -> int:
        """A message was accepted and is due now. Return how many sockets it was written to here."""

    def due(dues: Sequence[Due]) -> None:
        """Messages were claimed, up to a moment before they are due."""

    def ended(ended: Iterable[Ended], but: int | None = None) -> None:
        """Messages have ended. ``but``: the device that took it, and is not told."""
