"""The link to Redis: one connection for everything that is asked of it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..access.interfaces import StoreUnavailable
from .address import RedisAddress
from .connection.calls import Calls
from .connection.greeting import Server
from .connection.keeper import Keeper
from .connection.wire import Wire
from .interfaces import IRedis, Script

REMEMBER_S = 5.0
"""How long it counts as trouble that Redis could not do something."""


async def _nothing() -> None:
    pass


@implementer(IRedis)
class RedisLink:
    """One connection to Redis that is made again whenever it is lost.

    While there is none, calls fail at once. One that is not answered in time takes the connection along, and
    with it all calls behind it: an answer that comes late would be taken for another's.

    What was asked when a connection is lost may have been done or not: both fail with ``StoreUnavailable``.
    """

    _log = Logger()

    def __init__(
        self,
        address: RedisAddress,
        reactor: Any,
        *,
        connected: Callable[[], Awaitable[None]] = _nothing,
        lost: Callable[[str], object] = lambda _reason: None,
        observe_s: Callable[[float], object] = lambda _seconds: None,
        name: str = "reward-push",
    ) -> None:
        """Make a link that does not connect yet.

        Args:
            address: where Redis is.
            reactor: Twisted's.
            connected: awaited on each new connection. What it asks before it first waits comes before
                everything else; if it fails, the connection is given up.
            lost: called with the reason when a connection is lost.
            observe_s: told how long each answer took.
            name: what Redis calls the connection.

        Raises:
            ValueError: the certificates to trust cannot be read.
        """
        self._reactor = reactor
        self._connected = connected
        self._lost = lost
        self._observe = observe_s
        self._keeper: Keeper[Wire] = Keeper(
            "link", address, reactor, make=Wire, ready=self._ready, lost=self._gone, name=name
        )
        self._calls: Calls | None = None
        self._unable: str | None = None
        """What Redis could not do last."""
        self._unable_at_s = 0.0
        self._hook: Deferred[None] | None = None
        self.server: Server | None = None
        """The Redis that this is, or was, a connection to."""
        self.connections = 0
        """How often a connection was made."""

    def start(self) -> None:
        """Begin to connect."""
        self._keeper.start()

    def stop(self) -> "Deferred[None]":
        """Take no more calls; fire when the connection is closed.

        Who wants an answer waits for it before.
        """
        self._end("the link to Redis is closed")
        return self._keeper.stop()

    def drop(self, reason: str) -> None:
        """Give up the connection, if there is one, and make another."""
        self._keeper.drop(reason)

    def trouble(self) -> str | None:
        """Return why Redis cannot be asked now, or what it could not do lately, or ``None``."""
        recent = self._reactor.seconds() - self._unable_at_s < REMEMBER_S
        return self._keeper.trouble() or (self._unable if recent else None)

    def __len__(self) -> int:
        """Return how many calls are not answered yet."""
        return 0 if self._calls is None else len(self._calls)

    def run(self, script: Script, args: Sequence[str | bytes | int]) -> "Deferred[Any]":
        """See :class:`.interfaces.IRedis`."""
        return self._call(["EVALSHA", script.sha1, 0, *args], script)

    def command(self, name: str, *args: str | bytes | int) -> "Deferred[Any]":
        """See :class:`.interfaces.IRedis`."""
        return self._call([name, *args], None)

    def _call(self, words: Sequence[str | bytes | int], script: Script | None) -> "Deferred[Any]":
        if self._calls is None:
            return fail(StoreUnavailable(self._keeper.trouble() or "Redis is away"))
        return self._calls.call(words, script)

    # The connection.

    def _ready(self, wire: Wire, server: Server) -> None:
        self.server = server
        self.connections += 1
        self._calls = calls = Calls(
            wire,
            self._reactor,
            broken=self._keeper.drop,
            unable=self._note,
            observe_s=self._observe,
        )
        self._hook = hook = Deferred.fromCoroutine(_awaited(self._connected))
        hook.addErrback(self._not_welcomed, calls)

    def _not_welcomed(self, failure: Failure, calls: Calls) -> None:
        if calls is not self._calls:
            return
        if failure.check(StoreUnavailable) is None:
            self._log.failure("a new connection to Redis could not be used", failure)
        self._keeper.drop(f"it could not be used: {failure.getErrorMessage()}")

    def _gone(self, reason: str) -> None:
        self._end(f"Redis is away: {reason}")
        self._lost(reason)

    def _end(self, reason: str) -> None:
        calls, self._calls = self._calls, None
        hook, self._hook = self._hook, None
        if calls is not None:
            calls.fail(reason)
        if hook is not None:
            hook.cancel()

    def _note(self, reason: str) -> None:
        """Redis could not do something, and it is not the connection's fault."""
        now_s = self._reactor.seconds()
        if reason != self._unable or now_s - self._unable_at_s >= REMEMBER_S:
            self._log.warn("{reason}", reason=reason)
        self._unable, self._unable_at_s = reason, now_s


async def _awaited(hook: Callable[[], Awaitable[None]]) -> None:
    await hook()
