"""News of one node's own store: they concern this node alone, and reach its sockets at once."""

from collections.abc import Iterable, Sequence

from zope.interface import implementer

from .interfaces import Due, Ended, IDelivery, INews
from .message import Message, State
from .waiting import Waiting


@implementer(INews)
class LocalNews:
    """Shows and takes back on this node what its store has done."""

    def __init__(self, waiting: Waiting, delivery: IDelivery) -> None:
        self._waiting = waiting
        self._delivery = delivery

    def live(self, message: Message) -> int:
        """See :class:`.interfaces.INews`."""
        return self._delivery.deliver(message)

    def due(self, dues: Sequence[Due]) -> None:
        """See :class:`.interfaces.INews`."""
        for due in dues:
            if due.record.state is not State.EXPIRED:  # Else nobody has had it.
                superseded = [ended.taken_back() for ended in due.superseded]
                self._waiting.hold(due.record.message, superseded)
        self._waiting.look()

    def ended(self, ended: Iterable[Ended], but: int | None = None) -> None:
        """See :class:`.interfaces.INews`."""
        self._waiting.take_back(each.taken_back(but) for each in ended)
