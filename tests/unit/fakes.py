"""Ends for sans-IO tests: they record what happens to them, and time is a number."""

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from reward_push.engineio.errors import CloseReason
from reward_push.engineio.interfaces import ISessionHandler, ITimed, ITracker, ITransport, IWheel
from reward_push.engineio.outgoing import Outgoing
from reward_push.engineio.session import Session


@implementer(IWheel)
class FakeWheel:
    """A wheel with no tick: everything is told exactly when it is due."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.filed: dict[ITimed, float] = {}

    def now(self) -> float:
        """See IWheel."""
        return self.time

    def file(self, item: ITimed) -> None:
        """See IWheel."""
        self.filed[item] = item.due

    def discard(self, item: ITimed) -> None:
        """See IWheel."""
        self.filed.pop(item, None)

    def advance(self, seconds: float) -> None:
        """Let time pass, telling items in the order in which they fall due."""
        end = self.time + seconds
        while due := [item for item, at in self.filed.items() if at <= end]:
            item = min(due, key=lambda each: self.filed[each])
            self.time = max(self.time, self.filed.pop(item))
            item.expire(self.time)
        self.time = end


def wire(unit: Outgoing) -> list[str | bytes]:
    """Show a unit as what revision 4 puts into WebSocket frames."""
    return [
        packet.data if isinstance(packet.data, bytes) else f"{packet.type.value}{packet.data}"
        for packet in unit.packets
    ]


@implementer(ITransport)
class FakeTransport:
    """Records each ``send`` as a list of frames. A polling one can be written to once a poll."""

    def __init__(self, name: str = "websocket", *, writable: bool = True) -> None:
        self.name = name
        self.writable = writable
        self.sent: list[list[str | bytes]] = []
        self.ended: list[str] = []
        self.pings = 0

    def send(self, units: Sequence[Outgoing]) -> None:
        """See ITransport."""
        assert self.writable, "a session must not write to a transport that cannot take it"
        assert not self.ended
        self.sent.append([frame for unit in units for frame in wire(unit)])
        if self.name == "polling":
            self.writable = False

    def ping(self) -> None:
        """See ITransport."""
        self.pings += 1

    def close(self) -> None:
        """See ITransport."""
        self.ended.append("close")

    def fail(self) -> None:
        """See ITransport."""
        self.ended.append("fail")
        self.writable = False

    def poll(self, session: Session) -> list[str | bytes] | None:
        """A GET comes in: return what it is answered at once, ``None`` if it is held."""
        before = len(self.sent)
        self.writable = True
        session.transport_drained(self)
        return self.sent[-1] if len(self.sent) > before else None


@implementer(ISessionHandler)
class Recorder:
    """Records messages and the end. With ``acknowledges`` each message counts as an acknowledgement."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.acknowledges = False
        self.heard: list[Any] = []

    def opened(self) -> None:
        """See ISessionHandler."""
        self.heard.append("opened")

    def message(self, data: str | bytes) -> bool:
        """See ISessionHandler."""
        self.heard.append(data)
        return self.acknowledges and self.session.answered()

    def closed(self, reason: CloseReason) -> None:
        """See ISessionHandler."""
        self.heard.append(reason)


@implementer(ITracker)
class Tracker:
    """Records how far its unit has come."""

    def __init__(self, *, wants_answer: bool = False) -> None:
        self.wants_answer = wants_answer
        self.steps: list[str] = []

    def sent(self, handler: Any) -> None:
        """See ITracker."""
        self.steps.append("sent")

    def delivered(self, handler: Any) -> None:
        """See ITracker."""
        self.steps.append("delivered")
