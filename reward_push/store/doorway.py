"""Devices as they connect: who named none mostly gets a number without asking the store.

A device's number is made of a counter, which never comes again, and an identity, which stands for its key and
streamer. So numbers can be made here, of counters that were taken in advance and identities that are known.
"""

from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from ..rewards.interfaces import Device

COUNTERS = 4096
"""Counters for devices that named none, taken at a time: one call for so many of them. Those left over are
never used."""

KNOWN_IDENTITIES = 50_000
"""Keys and streamers that are remembered in memory, at about 200 bytes each."""


class Opening(NamedTuple):
    """What the store is asked: to find or make a device."""

    key_id: str
    streamer: str
    name: str | None
    now_ms: int
    counters: int
    """How many counters are wanted for devices that named none."""


class Opened(NamedTuple):
    """What the store has found or made."""

    identity: int
    number: int
    """The named device's; 0 for one that named none."""
    counter: int
    """The first of the counters."""


class Doorway:
    """Opens devices. All methods are for the reactor's thread."""

    def __init__(
        self,
        ask: "Callable[[Opening], Deferred[Opened]]",
        number_of: Callable[[int, int], int],
        is_open: Callable[[], bool],
    ) -> None:
        """``ask`` asks the store; ``is_open`` tells whether that takes anything now.

        ``number_of(counter, identity)`` makes the number of a device that named none.
        """
        self._ask = ask
        self._number_of = number_of
        self._is_open = is_open
        self._identities: dict[tuple[str, str], int] = {}
        self._counter = 0
        self._counters_end = 0
        self._asked = False
        """Whether counters are on their way."""
        self._age = 0
        self.highest = 0
        """The highest counter that was ever handed to this node."""

    def reset(self) -> None:
        """Forget everything: the store may be another, or have lost what it knew."""
        self._identities.clear()
        self._counter = self._counters_end = 0
        self._asked = False
        self._age += 1

    def open(self, key_id: str, streamer: str, name: str | None, now_ms: int) -> "Deferred[Device]":
        """See ``IMessageStore.open_device``."""
        if name is not None:
            asked = self._ask(Opening(key_id, streamer, name, now_ms, 0))
            return asked.addCallback(lambda it: Device(it.number, key_id, streamer, name))
        identity = self._identities.get((key_id, streamer))
        counter = self._next()
        if identity is not None and counter is not None and self._is_open():
            return succeed(Device(self._number_of(counter, identity), key_id, streamer, None))
        wanted = 0
        if counter is None:
            wanted = 1 if self._asked else COUNTERS
            self._asked = True
        opening = Opening(key_id, streamer, None, now_ms, wanted)
        asked = self._ask(opening)
        if wanted == COUNTERS:
            asked.addBoth(self._answered, self._age)
        return asked.addCallback(self._opened, opening, counter, self._age)

    def _answered(self, result: Opened | Failure, age: int) -> Opened | Failure:
        if age == self._age:
            self._asked = False
        return result

    def _opened(self, opened: Opened, opening: Opening, counter: int | None, age: int) -> Device:
        self.highest = max(self.highest, opened.counter + opening.counters - 1)
        if age == self._age:
            while len(self._identities) >= KNOWN_IDENTITIES:
                del self._identities[next(iter(self._identities))]
            self._identities[opening.key_id, opening.streamer] = opened.identity
        if counter is None:
            counter = opened.counter
            if opening.counters > 1 and age == self._age:
                self._counter, self._counters_end = counter + 1, counter + opening.counters
        number = self._number_of(counter, opened.identity)
        return Device(number, opening.key_id, opening.streamer, None)

    def _next(self) -> int | None:
        """Take the next counter, if there is one left."""
        if self._counter == self._counters_end:
            return None
        self._counter += 1
        return self._counter - 1
