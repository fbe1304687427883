"""What a node does on each new connection to Redis, before anything else is asked there.

One that was emptied while the connection stood (``FLUSHALL``) is met anew, by a new connection.

Redis may have come back without what it knew (its *epoch* tells). Then the node gives it back the keys that are
in use here, but none that was revoked: those that this node has heard of it takes out of Redis again, whoever
has put them there, and those that others have heard of it is told, and forgets.
"""

import secrets
from collections.abc import Callable, Iterable
from typing import Any

from twisted.logger import Logger

from ..access.interfaces import StoreUnavailable
from ..access.keys import KeyRing
from ..cluster.clock import ClusterClock
from ..store.redis.store import RedisStore
from .mover import Guest, Mover

LOOK_EVERY_S = 2.0
"""How often it is looked whether Redis still has what it knew."""
SEND_AWAY_WITHIN_S = 10.0
"""How long it takes to send clients away after Redis has lost what it knew of their devices."""


class Recovery:
    """Meets Redis, and gives it back what it has lost."""

    _log = Logger()

    def __init__(
        self,
        store: RedisStore,
        clock: ClusterClock,
        keys: KeyRing,
        clients: Callable[[], Iterable[Guest]],
        heard: Callable[[], int],
        meet_anew: Callable[[str], object],
        reactor: Any,
    ) -> None:
        """``clients`` are those connected here; ``heard`` is the highest number of the news heard.

        ``meet_anew`` gives the connection up, for the reason given, so that another is made.
        """
        self._store = store
        self._clock = clock
        self._keys = keys
        self._heard = heard
        self._meet_anew = meet_anew
        self._meeting = 0
        self._mover = Mover(clients, reactor)
        self._epoch: str | None = None
        """What Redis knew when this node met it last, and was done with it; ``None``: it has not yet."""
        self.losses = 0
        """How often Redis has come back without what it knew."""

    @property
    def has_met(self) -> bool:
        """Whether Redis was reached before."""
        return self._epoch is not None

    async def meet(self) -> None:
        """The first thing on a connection that nobody has used yet. Raises ``StoreUnavailable``: do it again."""
        self._meeting += 1
        try:
            await self._meet()
        finally:
            self._meeting -= 1

    async def look(self) -> None:
        """Look whether Redis still has what it knew: it may be emptied while the connection stands. Never fails."""
        if not self.has_met or self._meeting:
            return
        try:
            epoch = await self._store.epoch()
        except StoreUnavailable:
            return  # The next connection tells.
        except Exception:  # Else nobody would look any more.
            self._log.failure("it could not be seen whether Redis still has its data")
            return
        if epoch != self._epoch and not self._meeting:
            self._meet_anew("it was emptied")

    async def _meet(self) -> None:
        if not self.has_met:
            # Nothing is asked of the store before the time is known.
            await self._clock.find()
            self._store.start()
        epoch = await self._store.meet(secrets.token_hex(8), self._heard())
        if self.has_met:
            await self._clock.find()
            if epoch != self._epoch:
                await self._restore()
        self._epoch = epoch

    async def _restore(self) -> None:
        stored = self._keys.known()
        refused = await self._store.restore_keys(stored, self._keys.known_revoked())
        self.losses += 1
        self._log.error(
            "Redis has lost its data: this node gives it {count} keys back and sends its clients away"
            " to come again. Messages are lost",
            count=len(stored) - len(refused),
        )
        for key_id in refused:
            self._keys.revoked(key_id)
        self._mover.move(SEND_AWAY_WITHIN_S)
