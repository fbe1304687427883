"""Where Redis is now: at the host that is given, or where the Sentinels say that the master is."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall

from ..address import HostPort, RedisAddress
from .dial import Dialer
from .errors import ErrorReply, NotConnected
from .greeting import log_in
from .reasons import why
from .wire import Wire

SENTINEL_S = 1.0
"""How long a Sentinel may take to answer, connecting included."""
LOOK_AGAIN_S = 2.0
"""How often the Sentinels are asked whether the master is still the same."""
_LONGEST_REASON = 300


class Master:
    """Finds the Redis to connect to."""

    def __init__(self, address: RedisAddress, dialer: Dialer, reactor: Any) -> None:
        self._address = address
        self._dialer = dialer
        self._reactor = reactor

    async def find(self) -> HostPort:
        """Return where Redis is. Raises :class:`.errors.NotConnected` when no Sentinel knows.

        All Sentinels are asked at once and the first that knows is believed: which host answers as a
        master is seen when it is greeted.
        """
        if self._address.service is None:
            return self._address.hosts[0]
        asked = self._ask_all()
        try:
            answers: Any = await DeferredList(asked, fireOnOneCallback=True, consumeErrors=True)
        finally:
            for each in asked:
                each.cancel()
        if isinstance(answers, tuple):
            found: HostPort = answers[0]
            return found
        reasons = "; ".join(dict.fromkeys(why(failure) for _, failure in answers))
        raise NotConnected(f"no Sentinel knows where it is: {reasons}"[:_LONGEST_REASON])

    async def agreed(self) -> HostPort | None:
        """Return the master that more than half of all Sentinels name; ``None``: there is none."""
        asked = self._ask_all()
        try:
            answers = await DeferredList(asked, consumeErrors=True)
        finally:
            for each in asked:
                each.cancel()
        named = Counter(host for known, host in answers if known)
        return next((host for host, times in named.items() if times > len(asked) // 2), None)

    def _ask_all(self) -> "list[Deferred[HostPort]]":
        service = self._address.service
        assert service is not None  # noqa: S101
        return [
            Deferred.fromCoroutine(self._ask(each, service)).addTimeout(SENTINEL_S, self._reactor)
            for each in self._address.hosts
        ]

    async def _ask(self, sentinel: HostPort, service: str) -> HostPort:
        wire = await self._dialer.connect(sentinel, Wire, SENTINEL_S)
        try:
            if self._address.sentinel_credentials is not None:
                await log_in(wire, self._address.sentinel_credentials)
            found = await wire.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
        except ErrorReply as refused:
            raise NotConnected(f"a Sentinel refuses ({refused.code})") from None
        finally:
            wire.abort()
        match found:
            case [str() as host, str() as port] if port.isdecimal():
                return HostPort(host, int(port))
            case _:
                raise NotConnected("the Sentinels do not know this service")


class MasterWatch:
    """Asks the Sentinels, as long as there is a connection, whether it still is one to the master.

    A master that was replaced may not know it yet, or may be cut off from the Sentinels: what it is told is
    lost. It is left once most Sentinels name another one.
    """

    def __init__(self, master: Master, reactor: Any, moved: Callable[[HostPort], object]) -> None:
        """``moved`` is called with the new one, once; watching ends then."""
        self._master = master
        self._reactor = reactor
        self._moved = moved
        self._timer: IDelayedCall | None = None
        self._looking: Deferred[None] | None = None

    def start(self, connected_to: HostPort) -> None:
        """Watch whether ``connected_to`` stays the master."""
        self.stop()
        self._timer = self._reactor.callLater(LOOK_AGAIN_S, self._look, connected_to)

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._looking is not None:
            looking, self._looking = self._looking, None
            looking.cancel()

    def _look(self, current: HostPort) -> None:
        self._timer = None
        looking = Deferred.fromCoroutine(self._master.agreed()).addCallback(self._seen, current)
        # Nobody but stop() makes it fail.
        self._looking = looking.addErrback(lambda failure: failure.trap(CancelledError))

    def _seen(self, host: HostPort | None, current: HostPort) -> None:
        self._looking = None
        if host is None or host == current:
            self.start(current)
        else:
            self._moved(host)
