"""What was accepted, heard and recorded: written down by many threads while it happens."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from tests.running_node import Json

from .plan import Posting


def now_ms() -> float:
    """The wall clock: everybody runs on this machine."""
    return time.time() * 1000


def epoch_ms(text: str) -> int:
    """Read an instant of the API or an envelope."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@attrs.frozen
class Accepted:
    """A message that was answered with 201 or 200."""

    posting: Posting
    deliver_ms: int
    expires_ms: int
    answered_ms: float


@attrs.frozen
class Hearing:
    """A message that came to a device."""

    message_id: str
    device: str
    sent_ms: int
    """When the node wrote it, by its own word."""
    heard_ms: float
    """When the client told of it."""
    ttl_ms: int | None


@attrs.define
class Presence:
    """When a device was connected, by its own word."""

    spans: list[list[float]] = attrs.Factory(list)
    """From and to, epoch milliseconds; the last may still be open, then it has no end."""

    def begin(self, at_ms: float) -> None:
        """It has joined."""
        self.end(at_ms)
        self.spans.append([at_ms])

    def end(self, at_ms: float) -> None:
        """It has noticed that it is not connected any more."""
        if self.spans and len(self.spans[-1]) == 1:
            self.spans[-1].append(at_ms)

    @property
    def now(self) -> bool:
        """Whether it is connected."""
        return bool(self.spans) and len(self.spans[-1]) == 1


class Ledger:
    """Filled by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.accepted: dict[str, Accepted] = {}
        self.too_late: list[Posting] = []
        """They were over before any node could be told of them."""
        self.answers: Counter[str] = Counter()
        """How posts were answered, or failed, those tried again included."""
        self.hearings: list[Hearing] = []
        self.heard: Counter[tuple[str, str]] = Counter()
        """(Message, device) → how often it came."""
        self.revokes: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        """(Message, device) → the reasons that it was told."""
        self.presence: defaultdict[str, Presence] = defaultdict(Presence)
        self.refused: list[str] = []
        """Devices that were told never to come again."""
        self.committed: dict[tuple[str, str], float] = {}
        """(Message, device) → when the API was first seen to show its receipt as delivered or acked."""

    def reported(self, report: Mapping[str, Any]) -> None:
        """Take a report of a driver."""
        device, at_ms = report["d"], report["t"]
        with self._lock:
            match report["e"]:
                case "connect":
                    self.presence[device].begin(at_ms)
                case "disconnect":
                    self.presence[device].end(at_ms)
                case "refused":
                    self.refused.append(f"{device}: {report['why']}")
                case "heard":
                    sent_ms = epoch_ms(report["sent_at"])
                    self.hearings.append(
                        Hearing(report["id"], device, sent_ms, at_ms, report["ttl_ms"])
                    )
                    self.heard[report["id"], device] += 1
                case "revoke":
                    self.revokes[report["id"], device].append(report["reason"])

    def answered(self, posting: Posting, status: int | str, body: Json | None = None) -> None:
        """Note what came of an attempt to post: a status with its body, or why there was none."""
        with self._lock:
            self.answers[str(status)] += 1
            if status in (200, 201) and body is not None:
                self.accepted[posting.id] = Accepted(
                    posting,
                    epoch_ms(body["deliver_at"]),
                    epoch_ms(body["expires_at"]),
                    now_ms(),
                )
            elif status == 422:
                self.too_late.append(posting)

    def seen(self, message_id: str, rows: list[Json]) -> None:
        """Note the receipts that the API has just shown: they were committed before now."""
        at_ms = now_ms()
        with self._lock:
            for row in rows:
                if row["state"] != "sent":
                    self.committed.setdefault((message_id, row["device"]), at_ms)

    def online(self) -> int:
        """How many devices are connected."""
        with self._lock:
            return sum(each.now for each in self.presence.values())

    def unheard(self) -> list[tuple[Accepted, str]]:
        """Accepted messages, each with a device that has not heard it; ``once`` needs only one to hear."""
        with self._lock:
            missing = []
            for each in self.accepted.values():
                silent = [d for d in each.posting.devices if (each.posting.id, d) not in self.heard]
                if each.posting.once and len(silent) < len(each.posting.devices):
                    continue
                missing += [(each, device) for device in silent]
            return missing
