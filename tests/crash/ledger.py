"""What was posted and answered, and what was heard: the two sides that have to agree."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

Json = Mapping[str, Any]


@attrs.frozen
class Hearing:
    """A message that came to a device."""

    message_id: str
    device: str
    sent_at_ms: int
    """When the node wrote it, by its own word."""
    ttl_ms: int | None


@attrs.define(eq=False)
class Posted:
    """A message, and the devices that it is for."""

    body: Json
    devices: tuple[str, ...]
    answer: Json | None = None
    """As the node understood it; ``None``: no answer yet, or it was refused."""
    had_ended: bool = False
    """It was over before the node could be told of it."""

    @property
    def id(self) -> str:
        return str(self.body["id"])


class Ledger:
    """Filled by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.posted: dict[str, Posted] = {}
        self.hearings: list[Hearing] = []
        self.committed: dict[tuple[str, str], int] = {}
        """(Message id, device) → the start before which its receipt was committed (epoch ms)."""

    def post(self, posted: Posted) -> Posted:
        """Note a message before it is posted."""
        with self._lock:
            return self.posted.setdefault(posted.id, posted)

    def hear(self, device: str, argument: Json) -> None:
        """Note what came to ``device``."""
        sent_at_ms = epoch_ms(argument["sent_at"])
        with self._lock:
            self.hearings.append(
                Hearing(argument["id"], device, sent_at_ms, argument.get("ttl_ms"))
            )

    def commit(self, pairs: Iterable[tuple[str, str]], before_ms: int) -> None:
        """Note receipts that were committed when a node was killed, before the next one's start."""
        for pair in pairs:
            self.committed.setdefault(pair, before_ms)

    def heard(self) -> Counter[tuple[str, str]]:
        """How often each message came to each device."""
        with self._lock:
            return Counter((each.message_id, each.device) for each in self.hearings)

    def unheard(self) -> list[Posted]:
        """Accepted messages with an end that some device has not heard."""
        heard = self.heard()
        with self._lock:
            return [
                each
                for each in self.posted.values()
                if each.answer is not None
                and each.answer["expires_at"] is not None
                and not each.body.get("once")
                and any((each.id, device) not in heard for device in each.devices)
            ]

    def wrong_hearings(self) -> list[str]:
        """Everything about what was heard that must not be."""
        wrong = []
        for each in self.hearings:
            posted = self.posted[each.message_id]
            committed_ms = self.committed.get((each.message_id, each.device))
            if committed_ms is not None and each.sent_at_ms >= committed_ms:
                wrong.append(f"again, though its receipt was committed: {each}")
            if each.device not in posted.devices:
                wrong.append(f"to a device it is not for: {each}")
            if posted.answer is not None:
                wrong += _wrong_times(each, posted.answer)
        for (message_id, device), count in self.heard().items():
            if count > 1 and "ttl_ms" not in self.posted[message_id].body:
                wrong.append(f"{message_id} has no end, and came {count} times to {device}")
        return wrong

    def repeats(self) -> int:
        """How often a message came to a device that had it already."""
        return sum(count - 1 for count in self.heard().values())


def epoch_ms(text: str) -> int:
    """Read an instant of the API or an envelope."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _wrong_times(hearing: Hearing, answer: Json) -> list[str]:
    wrong = []
    if hearing.sent_at_ms < epoch_ms(answer["deliver_at"]):
        wrong.append(f"early: {hearing}")
    if answer["expires_at"] is None:
        return wrong
    left_ms = epoch_ms(answer["expires_at"]) - hearing.sent_at_ms
    if left_ms <= 0:
        wrong.append(f"after its end: {hearing}")
    if hearing.ttl_ms != left_ms:
        wrong.append(f"{left_ms} ms were left: {hearing}")
    return wrong
