"""Devices as they connect: who named none mostly gets a number without asking Redis."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from ...access.interfaces import StoreUnavailable
from ...cluster.device_text import from_text, numbered
from ...rewards.interfaces import Device
from ..bodies import compact
from ..lanes import Lane
from .line import Argument, Line
from .scripts import OPEN_DEVICE

COUNTERS = 4096
"""Counters for devices that named none, taken at a time: one call for so many of them. Those left over are
never used."""

KNOWN_IDENTITIES = 50_000
"""Keys and streamers that are remembered in memory, at about 200 bytes each."""


class Doorway:
    """Opens devices."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._identities: dict[tuple[str, str], int] = {}
        self._counter = 0
        self._counters_end = 0
        self._asked = False
        self._age = 0
        self.highest = 0
        """The highest counter that was ever handed to this node."""

    def reset(self) -> None:
        """Forget everything: Redis may be another, or have lost what it knew."""
        self._identities.clear()
        self._counter = self._counters_end = 0
        self._asked = False
        self._age += 1

    def open(self, key_id: str, streamer: str, name: str | None, now_ms: int) -> "Deferred[Device]":
        """See ``IMessageStore.open_device``."""
        owner = compact([key_id, streamer])
        if name is not None:
            asked = self._run(owner, now_ms, 0, name)
            return asked.addCallback(lambda it: Device(from_text(it[2]), key_id, streamer, name))
        identity = self._identities.get((key_id, streamer))
        counter = self._next()
        if identity is not None and counter is not None and self._line.running:
            number = numbered(counter, identity, named=False)
            return succeed(Device(number, key_id, streamer, None))
        wanted = 0
        if counter is None:
            wanted = 1 if self._asked else COUNTERS
            self._asked = True
        asked = self._run(owner, now_ms, wanted)
        if wanted == COUNTERS:
            asked.addBoth(self._answered, self._age)
        return asked.addCallback(self._opened, key_id, streamer, counter, wanted, self._age)

    def _run(self, owner: str, now_ms: int, wanted: int, *name: str) -> "Deferred[Sequence[Any]]":
        args: list[Argument] = [owner, now_ms, wanted, *name]
        return self._line.run(OPEN_DEVICE, args, Lane.CLIENTS).addCallback(_checked)

    def _answered(self, result: "Sequence[Any] | Failure", age: int) -> "Sequence[Any] | Failure":
        if age == self._age:
            self._asked = False
        return result

    def _opened(
        self,
        reply: Sequence[Any],
        key_id: str,
        streamer: str,
        counter: int | None,
        wanted: int,
        age: int,
    ) -> Device:
        identity, first = int(reply[0]), int(reply[1])
        self.highest = max(self.highest, first + wanted - 1)
        if age == self._age:
            while len(self._identities) >= KNOWN_IDENTITIES:
                del self._identities[next(iter(self._identities))]
            self._identities[key_id, streamer] = identity
        if counter is None:
            counter = first
            if wanted > 1 and age == self._age:
                self._counter, self._counters_end = first + 1, first + wanted
        return Device(numbered(counter, identity, named=False), key_id, streamer, None)

    def _next(self) -> int | None:
        """Take the next counter, if there is one left."""
        if self._counter == self._counters_end:
            return None
        self._counter += 1
        return self._counter - 1


def _checked(reply: Sequence[Any] | None) -> Sequence[Any]:
    if reply is None:
        raise StoreUnavailable("as many keys and streamers have connected as can be told apart")
    return reply
