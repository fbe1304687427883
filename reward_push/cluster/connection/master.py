"""Where Redis is now: at the host that is given, or where the Sentinels say that the master is."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from ..address import HostPort, RedisAddress
from .dial import Dialer
from .errors import ErrorReply, NotConnected
from .greeting import log_in
from .reasons import why
from .wire import Wire

SENTINEL_S = 1.0
"""How long a Sentinel may take to answer, connecting included."""
LOOK_AGAIN_S = 5.0
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
        service = self._address.service
        if service is None:
            return self._address.hosts[0]
        asked = [
            Deferred.fromCoroutine(self._ask(each, service)).addTimeout(SENTINEL_S, self._reactor)
            for each in self._address.hosts
        ]
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

    A master that was cut off from them may be replaced without knowing it.
    """

    def __init__(self, master: Master, reactor: Any, moved: Callable[[HostPort], object]) -> None:
        """``moved`` is called with the new one, once; watching ends then."""
        self._master = master
        self._reactor = reactor
        self._moved = moved
        self._timer: IDelayedCall | None = None
        self._looking: Deferred[Any] | None = None

    def start(self, connected_to: HostPort) -> None:
        """Watch whether ``connected_to`` stays the master."""
        self.stop()
        self._rest(connected_to, others=0)

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._looking is not None:
            looking, self._looking = self._looking, None
            looking.cancel()

    def _rest(self, current: HostPort, others: int) -> None:
        self._timer = self._reactor.callLater(LOOK_AGAIN_S, self._look, current, others)

    def _look(self, current: HostPort, others: int) -> None:
        """``others``: how often another one was named in a row."""
        self._timer = None

        def found(host: HostPort) -> None:
            self._looking = None
            if host == current:
                self._rest(current, 0)
            elif others:
                self._moved(host)
            else:  # A Sentinel that is behind the others is not believed at once.
                self._rest(current, 1)

        def unknown(_: Failure) -> None:
            # When nobody knows better, what we have is as good as it gets.
            if self._looking is not None:
                self._looking = None
                self._rest(current, others)

        self._looking = looking = Deferred.fromCoroutine(self._master.find())
        looking.addCallbacks(found, unknown)
