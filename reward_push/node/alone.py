"""A node on its own: the embedded store, the machine's clock, nobody else."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from ..access.interfaces import StoredKey
from ..errors import StartError
from ..rewards.instants import to_rfc3339
from ..rewards.interfaces import INews
from ..rewards.news import LocalNews
from ..rewards.presence import IPresence
from ..settings.model import Settings
from ..store.errors import StoreError
from ..store.sqlite.store import SQLiteStore, open_store
from .first_keys import FirstKeys
from .mover import Guest
from .presence import LonePresence
from .standing import IStanding, Parts, maintenance_s


@implementer(IStanding)
class Alone:
    """What a node without Redis stands on."""

    ask_every_s = None
    missed_grace_ms = 0
    drain_s = 0.0
    foreign = None
    presence: IPresence

    def __init__(self, settings: Settings, reactor: Any) -> None:
        """Open the store once to see that it can be, and give it its first keys if it has none.

        They are shown here, before the process may turn into a daemon without a terminal. Raises
        :class:`..errors.StartError`.
        """
        try:
            first_keys = _first_keys(settings)
        except StoreError as error:
            raise StartError(f"store: {error}") from error
        self.now_ms = now_ms
        self.store = SQLiteStore(
            settings.store.path,
            reactor.callFromThread,
            now_ms,
            retention_s=settings.store.retention_s or None,
            first_keys=first_keys,
        )
        self.troubles: list[Callable[[], str | None]] = [self.store.healthy]
        self._maintenance = LoopingCall(self.store.maintain)
        self._maintenance.clock = reactor
        self._maintenance_s = maintenance_s(settings.store.retention_s)
        self._health: Callable[[], Mapping[str, Any]]

    def news(self, local: LocalNews) -> INews:
        """See :class:`.standing.IStanding`: the store's news concern this node's sockets alone."""
        news: INews = local
        return news

    def hears(self, socket: Any) -> "Deferred[None]":
        """See :class:`.standing.IStanding`."""
        return succeed(None)

    def left(self, socket: Any) -> None:
        """See :class:`.standing.IStanding`."""

    def caught_up(self) -> "Deferred[None]":
        """See :class:`.standing.IStanding`: nothing is ever on its way."""
        return succeed(None)

    def join(self, parts: Parts) -> None:
        """See :class:`.standing.IStanding`."""
        self.presence = LonePresence(parts.here)
        self._health = parts.health

    def guests(self) -> Iterable[Guest]:
        """See :class:`.standing.IStanding`."""
        return ()

    def nodes(self) -> "Deferred[Sequence[Mapping[str, Any]]]":
        """See :class:`.standing.IStanding`: this one is the only one."""
        said = self._health()
        return succeed(
            [
                {
                    **said,
                    "since": to_rfc3339(self.now_ms() - round(said["uptime_s"] * 1000)),
                    "draining": said["status"] == "draining",
                    "heard_ago_s": 0.0,
                }
            ]
        )

    def listen(self) -> None:
        """See :class:`.standing.IStanding`."""

    def start(self) -> None:
        """See :class:`.standing.IStanding`."""
        try:
            self.store.start()
        except StoreError as error:
            raise StartError(f"store: {error}") from error
        self._maintenance.start(self._maintenance_s)

    def ready(self) -> "Deferred[None]":
        """See :class:`.standing.IStanding`."""
        return succeed(None)

    def draining(self) -> None:
        """See :class:`.standing.IStanding`."""

    def leave(self) -> "Deferred[None]":
        """See :class:`.standing.IStanding`."""
        return succeed(None)

    def stop(self) -> "Deferred[None]":
        """See :class:`.standing.IStanding`."""
        if self._maintenance.running:
            self._maintenance.stop()
        return self.store.stop()


def _first_keys(settings: Settings) -> tuple[StoredKey, ...]:
    """Check the store, and make the first keys where it has none and none is configured."""
    with open_store(settings.store.path) as store:
        if settings.backend_key is not None or store.any_keys():
            return ()
        first = FirstKeys.make(now_ms())
        # Shown before they are kept: keys that nobody has seen would be lost for ever.
        first.show(settings)
        store.add_keys(first.stored)
    # What goes into ":memory:" is gone by now; a file has it.
    return first.stored if settings.store.path == ":memory:" else ()


def now_ms() -> int:
    """Return the machine's time in epoch milliseconds."""
    return time.time_ns() // 1_000_000
