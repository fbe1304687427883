"""Who listens: streamers, each with a few plugins, which are stock clients of several kinds."""

import itertools
import random
from collections.abc import Sequence

import attrs

from tests.clients.setups import (
    ASYNCIO_5,
    JS_2,
    JS_4,
    POLLING,
    UPGRADE,
    WEBSOCKET,
    Client,
)
from tests.running_node import Service

KINDS: Sequence[tuple[Client, tuple[str, ...], int]] = (
    (JS_4, WEBSOCKET, 7),
    (JS_4, UPGRADE, 4),
    (JS_4, POLLING, 3),
    (JS_2, WEBSOCKET, 3),
    (JS_2, UPGRADE, 3),
    (JS_2, POLLING, 3),
    (ASYNCIO_5, WEBSOCKET, 2),
    (ASYNCIO_5, POLLING, 2),
)
"""Client, transports, and how many of them there are among so many."""
DEVICES_EACH = 3
GROUPS = 10
SILENT_PART = 0.3
"""How many of the clients that may leave it do not acknowledge: the transport has to prove what they got."""


@attrs.frozen
class Plugin:
    """A stock client on a device of its own."""

    device: str
    streamer: str
    group: str
    key: str = attrs.field(repr=False)
    client: Client
    transports: tuple[str, ...]
    acks: bool
    """Whether it acknowledges what it gets."""

    @property
    def kind(self) -> str:
        """What it is, for the table."""
        way = "upgrade" if self.transports == UPGRADE else self.transports[0]
        return f"{self.client.name} {way}"


@attrs.frozen
class Cast:
    """All plugins."""

    plugins: tuple[Plugin, ...]

    @property
    def streamers(self) -> tuple[str, ...]:
        """Their streamers, each once."""
        return tuple(dict.fromkeys(each.streamer for each in self.plugins))

    def audience(self, to: object) -> tuple[str, ...]:
        """The devices that a message with this ``to`` is for."""
        match to:
            case "all":
                chosen = list(self.plugins)
            case {"group": group}:
                chosen = [each for each in self.plugins if each.group == group]
            case {"streamers": streamers}:
                chosen = [each for each in self.plugins if each.streamer in streamers]
            case {"streamer": streamer}:
                chosen = [each for each in self.plugins if each.streamer == streamer]
            case _:
                raise AssertionError(to)
        return tuple(each.device for each in chosen)


def gather(service: Service, devices: int, choose: random.Random) -> Cast:
    """Make keys for so many devices and say what each is."""
    kinds = [(client, transports) for client, transports, count in KINDS for _ in range(count)]
    cycle = itertools.cycle(choose.sample(kinds, len(kinds)))
    plugins: list[Plugin] = []
    for number in range(devices // DEVICES_EACH):
        group = f"g{number % GROUPS}"
        key = service.plugin_key(groups=[group])
        for place in range(DEVICES_EACH):
            client, transports = next(cycle)
            # One of them has to: else nobody would ever have a message for one only.
            silent = place > 0 and client.is_js and choose.random() < SILENT_PART
            plugins.append(
                Plugin(
                    device=f"{key.streamer}.{place}",
                    streamer=key.streamer,
                    group=group,
                    key=key.key,
                    client=client,
                    transports=transports,
                    acks=not silent,
                )
            )
    return Cast(tuple(plugins))
