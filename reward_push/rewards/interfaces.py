"""The seams of the domain: where messages are kept and how they leave."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import Interface

from .message import Message, MessageRecord


class IMessageStore(Interface):
    """Keeps messages. Every call may fail with ``access.interfaces.StoreUnavailable``."""

    def accept(records: Sequence[MessageRecord]) -> "Deferred[list[MessageRecord]]":
        """Commit each record whose id is not known yet, all in one transaction.

        Returns, in order, what the store now has under each id: the record itself (the same object)
        when it was new, else the earlier one, to be compared by its digest. An id that comes twice
        in one call is new once.
        """

    def settle(record: MessageRecord) -> "Deferred[None]":
        """Write the record's changed state and receipts behind what has been accepted."""


class IDelivery(Interface):
    """Puts a message in front of its audience."""

    def deliver(message: Message) -> int:
        """Write ``message`` to every connected socket it is for; return how many that were."""
