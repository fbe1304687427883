"""The door: who may open a session, decided before anything is allocated for it.

Counted are handshakes, connections and wrong keys, by address, by key and for the node. What is kept of
each is one number, in tables that have an end. A connection is a session, from its handshake to its end.

A session that has joined no namespace is *half-open*. It costs little and ends by the connect time-out;
but where the node, or an address, has all the connections it may, the oldest half-open one gives way to
a new one. So nobody is kept out by those who only knock and wait.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.web.iweb import IRequest
from zope.interface import implementer

from .addresses import Proxies
from .bans import Bans
from .bucket import Buckets
from .interfaces import ANY_STREAMER, IDoor, Key, Reason, TurnedAway
from .limits import GuardLimits
from .seldom import Seldom
from .tally import Tally

RETRY_FULL_S = 5.0
"""When to try again after a refusal for too many connections: they end when they end."""

GIVES_WAY_AFTER_S = 5.0
"""How long a half-open session is left in peace. A client joins within two round trips."""

SOCKETS_PER_CONNECTION = 8
"""Sockets that speak HTTP, for each connection that an address may have: a poll, a POST, and what browsers
keep open."""


@implementer(IDoor)
class Guard:
    """Counts, and turns away. ``now`` is a monotonic clock in seconds.

    ``recall(presented)`` returns the key that a text is, as far as that is known without waiting.
    ``send_away(guest)`` ends a session at once, so that its client comes back by itself.
    """

    _log = Logger()

    def __init__(
        self,
        limits: GuardLimits,
        proxies: Proxies,
        now: Callable[[], float],
        *,
        recall: Callable[[str], Key | None] = lambda _: None,
        send_away: Callable[[Any], object],
        gives_way_after_s: float = GIVES_WAY_AFTER_S,
    ) -> None:
        self._limits = limits
        self._proxies = proxies
        self._now = now
        self._recall = recall
        self._send_away = send_away
        self._gives_way_after_s = gives_way_after_s
        rate, failures = limits.connect_rate_per_address, limits.auth_failures_per_address
        api_rate = limits.api_rate_per_key
        self._handshakes = None if rate is None else Buckets(rate)
        self._bans = None if failures is None else Bans(failures, limits.ban_s)
        self._calls = None if api_rate is None else Buckets(api_rate)
        self._by_address = Tally()
        self._by_key = Tally()
        self._sockets = Tally()
        self._most_sockets = limits.connections_per_address * SOCKETS_PER_CONNECTION
        self._half_open: OrderedDict[Any, float] = OrderedDict()
        self._half_open_of: dict[str, dict[Any, None]] = {}
        self._ban_notice = Seldom(now)
        self._proxy_notice = Seldom(now)
        self.connections = 0
        """Sessions now."""
        self.turned_away = dict.fromkeys(Reason, 0)
        """So far, by reason; a client that comes again counts again."""
        self.gave_way = 0
        """Half-open sessions ended so far because the room was needed."""
        self.wrong_keys = 0
        """Shown so far, by clients and by callers of the API."""
        self.bans = 0
        """Made so far."""

    @property
    def half_open(self) -> int:
        """Sessions that have joined nothing, now."""
        return len(self._half_open)

    @property
    def addresses(self) -> int:
        """Addresses that have sessions now."""
        return len(self._by_address)

    @property
    def banned(self) -> int:
        """Addresses that are banned now; one whose time is up may be counted for a while."""
        return 0 if self._bans is None else len(self._bans)

    # Before the door.

    def arrive(self, peer: IAddress | None) -> bool:
        """See :class:`.interfaces.IDoor`. Who comes through a proxy is the proxy's business."""
        name = self._proxies.direct(getattr(peer, "host", None))
        if name is None:
            return True
        if name in self._sockets.full:
            self.turned_away[Reason.ADDRESS_SOCKETS] += 1
            return False
        self._sockets.add(name, self._most_sockets)
        return True

    def depart(self, peer: IAddress | None) -> None:
        """See :class:`.interfaces.IDoor`."""
        name = self._proxies.direct(getattr(peer, "host", None))
        if name is not None:
            self._sockets.remove(name, self._most_sockets)

    # At the door.

    def client_of(self, request: IRequest) -> str:
        """Return the name that the client of a request is counted by."""
        return self._proxies.client_of(request)

    def knock(self, address: str, presented: Callable[[], str | None]) -> TurnedAway | None:
        """A handshake has come from ``address``; ``presented()`` is the key that can be seen in it.

        Returns why it is refused. If it is not, :meth:`entered` follows at once.
        """
        now = self._now()
        if self._bans is not None and (left_s := self._bans.left_s(address, now)):
            return self._turn_away(Reason.BANNED, left_s)
        if self._handshakes is not None and (wait_s := self._handshakes.take(address, now)):
            self._suspect_proxy(address)
            return self._turn_away(Reason.ADDRESS_RATE, wait_s)
        if self._by_key.full and self._brings_full_key(presented()):
            return self._turn_away(Reason.KEY_FULL, RETRY_FULL_S)
        if address in self._by_address.full and not self._make_room(address, now):
            self._suspect_proxy(address)
            return self._turn_away(Reason.ADDRESS_FULL, RETRY_FULL_S)
        limit = self._limits.connections
        if limit and self.connections >= limit and not self._make_room(None, now):
            return self._turn_away(Reason.NODE_FULL, RETRY_FULL_S)
        return None

    def entered(self, guest: Any) -> None:
        """A session was opened. :meth:`left` tells of its end."""
        address = guest.handshake.address
        self.connections += 1
        self._by_address.add(address, self._limits.connections_per_address)
        self._half_open[guest] = self._now()
        self._half_open_of.setdefault(address, {})[guest] = None

    def joined(self, guest: Any) -> None:
        """A session has joined a namespace: it is half-open no more. May come more than once."""
        if self._half_open.pop(guest, None) is not None:
            address = guest.handshake.address
            guests = self._half_open_of[address]
            del guests[guest]
            if not guests:
                del self._half_open_of[address]

    def left(self, guest: Any) -> None:
        """A session is over."""
        self.joined(guest)
        self.connections -= 1
        self._by_address.remove(guest.handshake.address, self._limits.connections_per_address)

    def _make_room(self, address: str | None, now: float) -> bool:
        """End the oldest half-open session, of ``address`` or of all, if it is old enough."""
        guests = self._half_open if address is None else self._half_open_of.get(address)
        if not guests:
            return False
        oldest = next(iter(guests))
        if now - self._half_open[oldest] < self._gives_way_after_s:
            return False
        before = self.connections
        self._send_away(oldest)
        self.gave_way += 1
        return self.connections < before

    def _turn_away(self, reason: Reason, retry_after_s: float) -> TurnedAway:
        self.turned_away[reason] += 1
        return TurnedAway(reason, retry_after_s)

    def _suspect_proxy(self, address: str) -> None:
        """Tell the operator of a proxy that hides its clients: then they all count as one."""
        if self._proxies.is_proxy(address) and self._proxy_notice.due() is not None:
            self._log.warn(
                "{address}, a trusted proxy, has reached a limit per address: does it send"
                " X-Forwarded-For?",
                address=address,
            )

    # Keys.

    def banned_s(self, address: str) -> float:
        """Return how long no key of ``address`` is looked at, in seconds; 0.0: it is."""
        return 0.0 if self._bans is None else self._bans.left_s(address, self._now())

    def refuse_banned(self, address: str) -> TurnedAway | None:
        """``address`` shows a key: return why it is not even looked at, if so."""
        left_s = self.banned_s(address)
        return self._turn_away(Reason.BANNED, left_s) if left_s else None

    def failed(self, address: str) -> None:
        """``address`` has shown a wrong key."""
        self.wrong_keys += 1
        if self._bans is not None and self._bans.failed(address, self._now()):
            self.bans += 1
            unsaid = self._ban_notice.due()
            if unsaid is not None:
                self._log.info(
                    "too many wrong keys: {address} is refused for a while ({unsaid} more before)",
                    address=address,
                    unsaid=unsaid,
                )

    def refuse_key(self, key: Key) -> TurnedAway | None:
        """A connection wants to join with ``key``, its first use of it: return why it may not, if so."""
        return self._turn_away(Reason.KEY_FULL, RETRY_FULL_S) if self._is_full(key) else None

    def key_used(self, key: Key) -> None:
        """A connection has joined with ``key``. :meth:`key_left` tells of its end."""
        if most := self._most_of(key):
            self._by_key.add(key.key_id, most)

    def key_left(self, key: Key) -> None:
        """A connection that had joined with ``key`` is in no namespace with it any more."""
        if most := self._most_of(key):
            self._by_key.remove(key.key_id, most)

    def refuse_call(self, key: Key) -> TurnedAway | None:
        """The API is called with ``key``: return why that is too often, if so."""
        wait_s = 0.0 if self._calls is None else self._calls.take(key.key_id, self._now())
        return self._turn_away(Reason.API_RATE, wait_s) if wait_s else None

    def _brings_full_key(self, presented: str | None) -> bool:
        # By the whole key, not by its id, which is no secret: else whoever knows an id could learn here
        # whether its owner is connected.
        key = None if presented is None else self._recall(presented)
        return key is not None and self._is_full(key)

    def _is_full(self, key: Key) -> bool:
        return key.key_id in self._by_key.full

    def _most_of(self, key: Key) -> int:
        """Return how many connections ``key`` may have; 0: any number. Those of a gateway belong to many."""
        if key.max_connections is not None:
            return key.max_connections
        return 0 if key.streamer == ANY_STREAMER else self._limits.connections_per_key

    # Now and then.

    def tidy(self) -> None:
        """Give back the memory of what is over."""
        now = self._now()
        for table in (self._handshakes, self._calls, self._bans):
            if table is not None:
                table.tidy(now)
