"""News applied to this node's own sockets."""

from collections.abc import Callable, Collection, Sequence

from zope.interface import implementer

from ..rewards.interfaces import IDelivery, TakenBack
from ..rewards.message import Message
from ..rewards.waiting import Waiting
from .interfaces import ILocalNews


@implementer(ILocalNews)
class Here:
    """Delivers, holds and takes back what concerns namespaces that this node serves."""

    def __init__(
        self,
        waiting: Waiting,
        delivery: IDelivery,
        namespaces: Collection[str],
        revoked: Callable[[str], object],
    ) -> None:
        """``revoked`` is called with the id of a key that was revoked."""
        self._waiting = waiting
        self._delivery = delivery
        self._namespaces = frozenset(namespaces)
        self._revoked = revoked

    def live(self, message: Message) -> None:
        """See :class:`.interfaces.ILocalNews`."""
        if message.namespace in self._namespaces:
            self._delivery.deliver(message)

    def due(self, message: Message, superseded: Sequence[TakenBack]) -> None:
        """See :class:`.interfaces.ILocalNews`."""
        if message.namespace in self._namespaces:
            self._waiting.hold(message, superseded)
            self._waiting.look()

    def ended(self, taken_back: TakenBack) -> None:
        """See :class:`.interfaces.ILocalNews`."""
        if taken_back.namespace in self._namespaces:
            self._waiting.take_back([taken_back])

    def key_revoked(self, key_id: str) -> None:
        """See :class:`.interfaces.ILocalNews`."""
        self._revoked(key_id)
