"""Devices that have moved to another node before the store knew what they had had here.

When such a message is taken back the store cannot name them, and who could tell them is the node that they
are connected to now.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..rewards.interfaces import Latecomer, Reason
from .device_text import from_text, to_text
from .peers import Peers

WHAT = "late"
"""The kind of the question."""


class Latecomers:
    """Asks other nodes to tell them, and does so when asked."""

    def __init__(self, peers: Peers, tell: Callable[[Sequence[Latecomer]], object]) -> None:
        """``tell`` tells those who are connected to this node."""
        self._peers = peers
        self._tell = tell
        peers.answer(WHAT, self._asked)

    def tell_elsewhere(self, late: Sequence[Latecomer]) -> None:
        """Have other nodes tell them. Where that fails they are told at their next connect."""
        rows = [
            [each.message_id, each.namespace, to_text(each.device), str(each.reason)]
            for each in late
        ]
        self._peers.ask(WHAT, late=rows).addErrback(lambda _: None)

    def _asked(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self._tell(
            [
                Latecomer(message_id, namespace, from_text(device), Reason(reason))
                for message_id, namespace, device, reason in fields["late"]
            ]
        )
        return {}
