"""The seams of the Socket.IO layer: what others ask of it."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from zope.interface import Interface


class IBroadcaster(Interface):
    """Emits one event to many sockets of this process."""

    def late(
        namespace: str,
        event: str,
        render: Callable[[int], Any],
        now_ms: Callable[[], int],
        *,
        ends_at_ms: int | None,
        ack_id: int | None,
        tracker: Any,
    ) -> Any:
        """Make an event that is rendered when it is written: see :class:`.late.LateEvent`.

        Who makes it need not keep it: what waits to be written does. It can be referred to weakly.
        """

    def next_ack_id() -> int:
        """Return an ack id that no packet of this process has carried."""

    def members(namespace: str, rooms: Sequence[str]) -> Collection[Any]:
        """Return the sockets of ``namespace`` in any of ``rooms``, each once, as a snapshot."""

    def emit_late(event: Any, rooms: Sequence[str]) -> int:
        """Write what :meth:`late` made to every socket of its namespace in any of ``rooms``, each once.

        Returns how many sockets it was written or queued to.
        """

    def emit_late_to(event: Any, sockets: Collection[Any]) -> int:
        """Write what :meth:`late` made to each of ``sockets``, a snapshot; return how many there are."""
