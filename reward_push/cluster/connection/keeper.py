"""Keeps one connection to Redis: makes it, and makes another whenever it is lost."""

import random
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..address import HostPort, RedisAddress
from .dial import Dialer
from .greeting import Server, greet
from .master import Master, MasterWatch
from .reasons import why
from .wire import Wire

CONNECT_S = 2.0
"""How long a connection, greeting included, may take to be made."""
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
"""The longest from the begin of one attempt to that of the next, unless the first took longer."""
SETTLED_S = 1.0
"""A connection that has lasted that long was a success: it is logged, and pauses are short again."""
MAX_REASONS = 8
"""Reasons told in the log while Redis is away; each once."""

W = TypeVar("W", bound=Wire)


class Keeper(Generic[W]):
    """One connection, kept.

    It writes a line to the log when the connection is lost, one when it is back, and in between one for each
    new reason. However often a connection is made and lost at once, that is all.
    """

    _log = Logger()

    def __init__(
        self,
        what: str,
        address: RedisAddress,
        reactor: Any,
        *,
        make: Callable[[], W],
        ready: Callable[[W, Server], object],
        lost: Callable[[str], object],
        name: str = "reward-push",
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Make a keeper that does not connect yet.

        Args:
            what: names the connection in the log.
            address: where Redis is.
            reactor: Twisted's.
            make: makes the protocol of a connection.
            ready: called with each new connection, once Redis has let us in.
            lost: called with the reason when one that was ready is lost. Nothing more comes from it.
            name: what Redis calls the connection.
            jitter: from 0 to 1: so that not all nodes come back in the same moment.

        Raises:
            ValueError: the certificates to trust cannot be read.
        """
        self._what = what
        self._address = address
        self._reactor = reactor
        self._make = make
        self._ready = ready
        self._lost = lost
        self._name = name
        self._jitter = jitter
        self._dialer = Dialer(address.tls, reactor)
        self._master = Master(address, self._dialer, reactor)
        self._watch = MasterWatch(
            self._master, reactor, lambda host: self.drop(f"the master is another one now, {host}")
        )
        self._running = False
        self._wire: W | None = None
        """The connection that is ready."""
        self._attempt: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        """While away: the next attempt. While ready: it has settled."""
        self._attempts = 0
        self._began_at_s = 0.0
        """When the last attempt began, or the connection was lost."""
        self._run_id: str | None = None
        self._trouble: str | None = "Redis is away: not connected yet"
        self._away_since_s: float | None = None
        """Since when the log has it as lost."""
        self._told: set[str] = set()
        """Reasons in the log since then."""

    def start(self) -> None:
        """Connect, and keep at it."""
        if not self._running:
            self._running = True
            self._connect()

    def stop(self) -> "Deferred[None]":
        """Close the connection, once what was sent has gone, and make no other; fire when that is done."""
        self._running = False
        self._trouble = "Redis is away: stopped"
        self._rest()
        if self._attempt is not None:
            self._attempt.cancel()
        wire, self._wire = self._wire, None
        closed: Deferred[None] = Deferred()
        if wire is None:
            # What was being made is given up by now, and closed in the reactor's next turn.
            self._reactor.callLater(0, closed.callback, None)
            return closed
        wire.lost = lambda _: closed.callback(None)
        wire.close()
        return closed.addTimeout(CONNECT_S, self._reactor, lambda *_: wire.abort())

    def drop(self, reason: str) -> None:
        """Give up the connection, if there is one, and make another."""
        if self._wire is not None:
            wire = self._wire
            self._gone(wire, reason)
            wire.abort()

    def trouble(self) -> str | None:
        """Return why there is no connection now, or ``None``."""
        return self._trouble

    # Away.

    def _connect(self) -> None:
        self._timer = None
        self._attempts += 1
        self._began_at_s = self._reactor.seconds()
        self._attempt = Deferred.fromCoroutine(self._try())
        self._attempt.addErrback(self._failed)

    async def _try(self) -> None:
        host = await self._master.find()
        made: list[W] = []

        def make() -> W:
            made.append(self._make())
            return made[-1]

        entering = Deferred.fromCoroutine(self._enter(host, make))
        try:
            server = await entering.addTimeout(CONNECT_S, self._reactor)
        except BaseException:
            for wire in made:
                wire.abort()
            raise
        self._attempt = None
        self._entered(made[-1], host, server)

    async def _enter(self, host: HostPort, make: Callable[[], W]) -> Server:
        wire = await self._dialer.connect(host, make, CONNECT_S)
        return await greet(wire, self._address.credentials, self._address.database, self._name)

    def _failed(self, failure: Failure) -> None:
        self._attempt = None
        if self._running:
            self._away(why(failure))

    def _away(self, reason: str) -> None:
        """There is no connection: tell, and try again after a while."""
        self._trouble = f"Redis is away: {reason}"
        now_s = self._reactor.seconds()
        if self._away_since_s is None:
            self._away_since_s = now_s
            self._told.clear()
        if reason not in self._told and len(self._told) < MAX_REASONS:
            self._told.add(reason)
            self._log.warn(
                "{what}: no Redis at {where}: {reason}",
                what=self._what,
                where=str(self._address),
                reason=reason,
            )
        longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._attempts, 10))
        pause_s = longest_s * (0.5 + self._jitter() / 2) - (now_s - self._began_at_s)
        self._timer = self._reactor.callLater(max(FIRST_PAUSE_S / 2, pause_s), self._connect)

    # Ready.

    def _entered(self, wire: W, host: HostPort, server: Server) -> None:
        self._wire = wire
        self._trouble = None
        changed = None not in (self._run_id, server.run_id) and self._run_id != server.run_id
        self._run_id = server.run_id or self._run_id
        wire.lost = lambda reason: self._gone(wire, reason)
        self._timer = self._reactor.callLater(SETTLED_S, self._settled, host, server)
        if self._address.service is not None:
            self._watch.start(host)
        self._ready(wire, attrs.evolve(server, changed=changed))

    def _settled(self, host: HostPort, server: Server) -> None:
        self._timer = None
        self._attempts = 0
        again = ""
        if self._away_since_s is not None:
            away_s = self._reactor.seconds() - SETTLED_S - self._away_since_s
            again = f" again, after {max(0.0, away_s):.1f} s without"
        self._away_since_s = None
        self._log.info(
            "{what}: connected to Redis {version} at {where}{again}",
            what=self._what,
            version=server.version or "(version unknown)",
            where=str(host),
            again=again,
        )

    def _gone(self, wire: W, reason: str) -> None:
        if wire is not self._wire:
            return
        self._wire = None
        self._rest()
        self._began_at_s = self._reactor.seconds()
        self._away(reason)
        self._lost(reason)

    def _rest(self) -> None:
        self._watch.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
