"""Delivery over Socket.IO: the only module of the domain that knows what messages travel on."""

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from ..socketio.interfaces import IBroadcaster
from .instants import to_rfc3339
from .interfaces import IDelivery
from .message import Message
from .rooms import rooms_of


def envelope(message: Message, now_ms: int) -> dict[str, Any]:
    """Return the argument a plugin's handler gets; what is left of the message's time is as of now."""
    wrapped: dict[str, Any] = {
        "id": message.id,
        "data": message.data,
        "sent_at": to_rfc3339(now_ms),
    }
    if message.expires_at_ms is not None:
        wrapped["ttl_ms"] = max(0, message.expires_at_ms - now_ms)
    return wrapped


@implementer(IDelivery)
class SocketDelivery:
    """Writes messages to this node's sockets."""

    def __init__(self, broadcaster: IBroadcaster, now_ms: Callable[[], int]) -> None:
        self._broadcaster = broadcaster
        self._now_ms = now_ms

    def deliver(self, message: Message) -> int:
        """Write ``message`` to every connected socket it is for; return how many that were."""
        return self._broadcaster.emit(
            message.namespace,
            rooms_of(message.to),
            message.event,
            envelope(message, self._now_ms()),
            ack=True,
        )
