"""The link to Redis that state is read and changed through: one connection, kept up, with a time limit."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from txredisapi import RedisError, RedisProtocol, ResponseError
from zope.interface import implementer

from ..access.interfaces import StoreUnavailable
from .address import RedisAddress
from .connector import Connector
from .interfaces import IRedis, Script
from .keeper import Keeper

TIMEOUT_S = 2.0
"""How long Redis may take to answer."""
LOOK_EVERY_S = 0.1
MAX_WAITING = 50_000
"""Commands on their way at one time."""

_NOT_NOW = ("LOADING", "READONLY", "MASTERDOWN", "NOREPLICAS", "OOM", "MISCONF", "BUSY")
"""What Redis says when it cannot do something now. Nothing of it was done."""
_ELSEWHERE = ("READONLY", "MASTERDOWN")
"""Said by one that is not the master any more."""
_FORBIDDEN = ("NOAUTH", "NOPERM", "WRONGPASS")


@attrs.define(eq=False)
class _Call:
    """One command whose answer is awaited."""

    sent_s: float
    answer: "Deferred[Any]" = attrs.Factory(Deferred)


@implementer(IRedis)
class RedisLink:
    """One connection to Redis that is made again whenever it is lost.

    While there is none, calls fail at once. A call that is not answered in time takes the connection along, and all
    calls behind it: an answer that comes late would be taken for another's.
    """

    _log = Logger()

    def __init__(
        self,
        address: RedisAddress,
        reactor: Any,
        *,
        connected: "Callable[[], Awaitable[None]]",
        observe_s: Callable[[float], object] = lambda _seconds: None,
    ) -> None:
        """``connected`` is awaited on each new connection; what it asks before it first waits comes before
        everything else. ``observe_s`` is told how long each answer took.
        """
        self._address = address
        self._clock = reactor
        self._hook = connected
        self._observe = observe_s
        self._keeper: Keeper[RedisProtocol] = Keeper(
            Connector(address, reactor), _make, reactor, up=self._up, down=self._down
        )
        self._calls: deque[_Call] = deque()
        self._watch = LoopingCall(self._look)
        self._watch.clock = reactor
        self._reason: str | None = "not connected yet"
        self.connections = 0
        """How often a connection was made."""

    def start(self) -> None:
        """Begin to connect."""
        self._keeper.start()
        self._watch.start(LOOK_EVERY_S, now=False)

    def stop(self) -> "Deferred[None]":
        """Connect no more; fire when the connection is closed."""
        if self._watch.running:
            self._watch.stop()
        return self._keeper.stop()

    def trouble(self) -> str | None:
        """Return why Redis cannot be asked now, or ``None``."""
        return None if self._reason is None else f"Redis is away: {self._reason}"

    def __len__(self) -> int:
        """Return how many calls are not answered yet."""
        return len(self._calls)

    def run(self, script: Script, args: Sequence[str | bytes | int]) -> "Deferred[Any]":
        """See :class:`.interfaces.IRedis`."""
        asked = self._send("EVALSHA", script.sha1, 0, *args)
        return asked.addErrback(self._forgotten, script, args).addErrback(self._explained)

    def command(self, name: str, *args: str | bytes | int) -> "Deferred[Any]":
        """See :class:`.interfaces.IRedis`."""
        return self._send(name, *args).addErrback(self._explained)

    # How.

    def _send(self, *words: str | bytes | int) -> "Deferred[Any]":
        protocol = self._keeper.protocol
        if protocol is None:
            return fail(StoreUnavailable(f"Redis is away: {self._reason}"))
        if len(self._calls) >= MAX_WAITING:
            return fail(StoreUnavailable("too much waits for Redis"))
        call = _Call(self._clock.seconds())
        self._calls.append(call)
        protocol.execute_command(*words).addBoth(self._answered, call)
        return call.answer

    def _answered(self, answer: object, call: _Call) -> None:
        # Answers come in the order of the calls.
        if self._calls and self._calls[0] is call:
            self._calls.popleft()
        else:
            self._calls.remove(call)
        if isinstance(answer, Failure):
            call.answer.errback(answer)
        else:
            self._observe(self._clock.seconds() - call.sent_s)
            call.answer.callback(answer)

    def _forgotten(
        self, failure: Failure, script: Script, args: Sequence[str | bytes | int]
    ) -> Any:
        """Redis does not know the script: it was restarted or flushed, or is another one."""
        error = failure.check(ResponseError) and str(failure.value)
        if not error or not error.startswith("NOSCRIPT"):
            return failure
        # Those that were sent behind this one find out, too, and follow in their order.
        self._send("SCRIPT", "LOAD", script.source).addErrback(lambda _: None)
        return self._send("EVALSHA", script.sha1, 0, *args)

    def _explained(self, failure: Failure) -> Any:
        if failure.check(StoreUnavailable):
            return failure
        text = failure.getErrorMessage()
        if failure.check(ResponseError):
            word = text.partition(" ")[0]
            if word in _ELSEWHERE:
                self._keeper.drop("Redis is not the master any more")
            if word not in _NOT_NOW and word not in _FORBIDDEN:
                return failure
        elif not failure.check(RedisError):
            return failure
        raise StoreUnavailable(f"Redis: {text}") from None

    def _look(self) -> None:
        if self._calls and self._clock.seconds() - self._calls[0].sent_s > TIMEOUT_S:
            self._keeper.drop(f"no answer for {TIMEOUT_S:g} s")

    def _up(self, protocol: RedisProtocol) -> None:
        self.connections += 1
        if self._reason is not None:
            self._log.info("connected to Redis at {where}", where=str(self._address))
        self._reason = None
        hook: Deferred[None] = Deferred.fromCoroutine(_awaited(self._hook))
        hook.addErrback(self._not_welcomed, protocol)

    def _not_welcomed(self, failure: Failure, protocol: RedisProtocol) -> None:
        if failure.check(StoreUnavailable) is None:
            self._log.failure("a new connection to Redis could not be used", failure)
        if self._keeper.protocol is protocol:
            self._keeper.drop(failure.getErrorMessage())

    def _down(self, why: str) -> None:
        if self._reason is None or (self.connections == 0 and why != self._reason):
            self._log.warn("Redis at {where} is away: {why}", where=str(self._address), why=why)
        self._reason = why


async def _awaited(hook: "Callable[[], Awaitable[None]]") -> None:
    await hook()


def _make() -> RedisProtocol:
    return RedisProtocol(charset="utf-8", convertNumbers=False)
