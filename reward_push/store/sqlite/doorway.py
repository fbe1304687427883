"""Devices as they connect: who named none mostly gets a number without waiting for the disk."""

from twisted.internet.defer import Deferred, succeed

from ...rewards.interfaces import Device
from ..lanes import Lane
from .devices import Opened, Opening, numbered, open_device
from .writer import Writer

COUNTERS = 4096
"""Counters for devices that named none, taken at a time: one write for so many of them. Those left over when
the process ends are never used; there are 2**39."""

KNOWN_IDENTITIES = 50_000
"""Keys and streamers that are remembered in memory, at about 200 bytes each."""


class Doorway:
    """Opens devices. All methods are for the reactor's thread."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._identities: dict[tuple[str, str], int] = {}
        self._counter = 0
        self._counters_end = 0
        self._asked = False

    def reset(self) -> None:
        """Forget everything: the file may be another, or a new one in memory."""
        self._identities.clear()
        self._counter = self._counters_end = 0
        self._asked = False

    def open(self, key_id: str, streamer: str, name: str | None, now_ms: int) -> "Deferred[Device]":
        """See ``IMessageStore.open_device``."""
        if name is not None:
            asked = self._submit(Opening(key_id, streamer, name, now_ms, 0))
            return asked.addCallback(lambda it: Device(it.number, key_id, streamer, name))
        identity = self._identities.get((key_id, streamer))
        counter = self._next()
        if identity is not None and counter is not None and self._writer.running:
            return succeed(Device(numbered(counter, identity), key_id, streamer, None))
        wanted = 0
        if counter is None:
            wanted = 1 if self._asked else COUNTERS
            self._asked = True
        asked = self._submit(Opening(key_id, streamer, None, now_ms, wanted))
        if wanted == COUNTERS:
            asked.addBoth(self._answered)
        return asked.addCallback(self._opened, key_id, streamer, counter, wanted)

    def _submit(self, opening: Opening) -> "Deferred[Opened]":
        # It need not write: most are known, and those come in even if the disk is full.
        return self._writer.submit(open_device, opening, Lane.CLIENTS, writes=False)

    def _answered(self, result: object) -> object:
        self._asked = False
        return result

    def _opened(
        self, opened: Opened, key_id: str, streamer: str, counter: int | None, wanted: int
    ) -> Device:
        while len(self._identities) >= KNOWN_IDENTITIES:
            del self._identities[next(iter(self._identities))]
        self._identities[key_id, streamer] = opened.identity
        if counter is None:
            counter = opened.counter
            if wanted > 1:
                self._counter, self._counters_end = counter + 1, counter + wanted
        return Device(numbered(counter, opened.identity), key_id, streamer, None)

    def _next(self) -> int | None:
        """Take the next counter, if there is one left."""
        if self._counter == self._counters_end:
            return None
        self._counter += 1
        return self._counter - 1
