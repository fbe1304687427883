"""Devices that were told of a message's end before the store knew that they had it: it may name them again."""

from collections import OrderedDict
from collections.abc import Collection

MAX_TOLD = 100_000
"""Devices remembered, some 100 bytes each. Who is forgotten may be told twice, which does no harm."""


class ToldEarly:
    """Remembers the devices of the messages that were taken back last."""

    def __init__(self, most: int = MAX_TOLD) -> None:
        """Those of the last message are remembered, however many they are."""
        self._most = most
        self._devices: OrderedDict[str, frozenset[int]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        """Return how many devices are remembered."""
        return self._count

    def add(self, message_id: str, devices: Collection[int]) -> None:
        """These were told."""
        self._count += len(devices) - len(self._devices.pop(message_id, ()))
        self._devices[message_id] = frozenset(devices)
        while self._count > self._most and len(self._devices) > 1:
            self._count -= len(self._devices.popitem(last=False)[1])

    def has(self, message_id: str, device: int) -> bool:
        """Whether this one was told, as far as that is remembered."""
        return device in self._devices.get(message_id, ())
