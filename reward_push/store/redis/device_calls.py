"""Finding and making devices in Redis, and who of them has had a message."""

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred

from ...access.interfaces import StoreUnavailable
from ...cluster.device_text import from_text, numbered, to_text
from ..bodies import compact
from ..doorway import Opened, Opening
from ..lanes import Lane
from .line import Argument, Line
from .scripts import OPEN_DEVICE

DEVICES_A_STEP = 1_000


def open_device(line: Line, opening: Opening) -> "Deferred[Opened]":
    """Find or make a device; fails with ``StoreUnavailable``."""
    name = () if opening.name is None else (opening.name,)
    owner = compact([opening.key_id, opening.streamer])
    args: list[Argument] = [owner, opening.now_ms, opening.counters, *name]
    return line.run(OPEN_DEVICE, args, Lane.CLIENTS).addCallback(_opened)


def nameless(counter: int, identity: int) -> int:
    """Return the number of a device that named none."""
    return numbered(counter, identity, named=False)


async def had(line: Line, message_id: str, devices: Collection[int]) -> list[int]:
    """See ``IMessageStore.had``.

    One step after the other: they may be all sockets of a node, which is more than may wait at one time.
    """
    key = f"{line.prefix}r:{message_id}"
    texts = map(to_text, list(devices))
    found: list[int] = []
    while some := list(islice(texts, DEVICES_A_STEP)):
        found += _present(await line.command(Lane.CLIENTS, len(some), "HMGET", key, *some), some)
    return found


def _opened(reply: Sequence[Any] | None) -> Opened:
    if reply is None:
        raise StoreUnavailable("as many keys and streamers have connected as can be told apart")
    identity, counter, *device = reply
    return Opened(int(identity), from_text(device[0]) if device else 0, int(counter))


def _present(values: Sequence[str | None], devices: Sequence[str]) -> list[int]:
    return [
        from_text(device)
        for device, value in zip(devices, values, strict=True)
        if value is not None
    ]
