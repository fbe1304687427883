"""A node among others: one Redis for all, its clock, and the other nodes.

Imported only when it is needed: the Redis library installs a reactor.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from itertools import chain
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from ..cluster.address import RedisAddress
from ..cluster.advertise import address_of
from ..cluster.backplane import Backplane, ToldByStore
from ..cluster.channels import Channels
from ..cluster.clock import ClusterClock
from ..cluster.directory import Directory
from ..cluster.emitted import JS_PATTERN, PYTHON_CHANNEL
from ..cluster.emitters import Emitters
from ..cluster.healing import Healer
from ..cluster.here import Here
from ..cluster.latecomers import Latecomers
from ..cluster.link import RedisLink
from ..cluster.listener import Listener, NodeSite
from ..cluster.member import Load, Member
from ..cluster.peers import Peers
from ..cluster.reach import Reach
from ..cluster.relay import Relay
from ..cluster.secret import SharedSecret
from ..cluster.signature import Sender, Signer, Verifier
from ..cluster.subscriber import Subscriber
from ..errors import StartError
from ..ops.metrics import Metrics
from ..rewards.interfaces import INews
from ..rewards.news import LocalNews
from ..rewards.presence import IPresence
from ..settings.errors import SettingsError
from ..settings.model import ClusterSettings, Settings
from ..store.redis.store import RedisStore
from ..transports.resource import EngineResource
from .figures import show_others, show_redis
from .first_keys import offer_first_keys
from .mover import Guest
from .presence import ClusterPresence
from .recovery import LOOK_EVERY_S, Recovery
from .standing import IStanding, Parts, maintenance_s

ACCEPT_WITHIN_MS = 1_900
"""What Redis does not accept in this time it does not accept at all: a little less than anybody waits."""
RELAY_MARGIN_S = 10.0
"""How much longer than a poll is held an answer of another node is waited for."""
MISSED_GRACE_MS = 5_000
"""What was due this long before this node began was not missed: others may have been at work."""
ASK_EVERY_S = 0.2
"""How often the schedule is read anew: a node that has accepted something and died told nobody when it is due."""


@implementer(IStanding)
class Together:
    """What a node with Redis stands on."""

    ask_every_s = ASK_EVERY_S
    missed_grace_ms = MISSED_GRACE_MS
    presence: IPresence

    _log = Logger()

    def __init__(
        self, settings: Settings, cluster: ClusterSettings, metrics: Metrics, reactor: Any
    ) -> None:
        """Connect to nothing yet. Raises :class:`..errors.StartError`."""
        try:
            address = RedisAddress.parse(cluster.redis_url)
            named = f"reward-push:{settings.node_id}"
            self._link = RedisLink(
                address,
                reactor,
                connected=self._connected,
                name=named,
                observe_s=metrics.distribution("redis_seconds").observe,
            )
            self._subscriber = Subscriber(address, reactor, name=named)
        except ValueError as error:
            raise StartError(f"redis_url: {error}") from None
        self._settings = settings
        self._cluster = cluster
        self._metrics = metrics
        self._reactor = reactor
        self._address = address
        self.drain_s = cluster.drain_s
        self._clock = ClusterClock(self._link, reactor)
        self.now_ms = self._clock.now_ms
        self.store = RedisStore(
            self._link,
            cluster.redis_prefix,
            self.now_ms,
            deadline_ms=lambda: self.now_ms() + ACCEPT_WITHIN_MS,
            retention_s=cluster.retention_s or None,
        )
        self._channels = Channels(cluster.redis_prefix)
        self._maintenance = LoopingCall(self.store.maintain)
        self._maintenance.clock = reactor
        self._maintenance_s = maintenance_s(cluster.retention_s)
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        self._ready: Deferred[None] = Deferred()
        self._entered: Deferred[None] = Deferred()
        self._parts: Parts
        self._recovery: Recovery

        password = None if address.credentials is None else address.credentials.password
        secret = SharedSecret(cluster.secret, password)
        instance = secrets.token_hex(8)
        node_id = settings.node_id
        me = Member(node_id, instance, 0, "", version("reward-push"), 0, 0, "starting")
        self._directory = Directory(
            self._link, cluster.redis_prefix, me, self._load, secret, reactor, self.now_ms
        )
        self._reach = Reach(
            self._directory, Signer(secret, Sender(node_id, instance), self.now_ms), reactor
        )
        ping_interval_s = settings.engine.ping_interval_s
        self._relay = Relay(node_id, self._reach, answer_timeout_s=ping_interval_s + RELAY_MARGIN_S)
        self.foreign = self._relay
        self._directory.on_gone(self._relay.owner_gone)
        self._verifier = Verifier(secret, node_id, self.now_ms)
        self._listener: Listener
        self._listening: Deferred[tuple[str, int]]
        self._peers = Peers(node_id, self._channels, self.store, self._directory.others, reactor)
        self._backplane: Backplane
        self._emitters: Emitters
        self._emitted: Subscriber | None = None
        if cluster.emitter_compat:
            # A connection of its own: what others publish must not hold up, or drop, that of the news.
            self._emitted = Subscriber(address, reactor, patterns=[JS_PATTERN])
        self.troubles: list[Callable[[], str | None]] = [
            self._link.trouble,
            self.store.healthy,
            self._directory.trouble,
        ]

    # What the rest of the node asks.

    def news(self, local: LocalNews) -> INews:
        """See :class:`.standing.IStanding`."""
        told: INews = ToldByStore()
        return told

    def hears(self, socket: Any) -> "Deferred[None]":
        """See :class:`.standing.IStanding`."""
        return self._backplane.hears(socket)

    def left(self, socket: Any) -> None:
        """See :class:`.standing.IStanding`."""
        self._backplane.left(socket)

    def caught_up(self) -> "Deferred[None]":
        """See :class:`.standing.IStanding`."""
        return self._backplane.caught_up()

    def join(self, parts: Parts) -> None:
        """See :class:`.standing.IStanding`."""
        self._parts = parts
        here = Here(parts.waiting, parts.delivery, self._settings.namespaces, parts.keys.revoked)
        healer = Healer(
            self.store,
            here,
            self._sockets_in,
            parts.replay.heal,
            self._everything,
            self._reactor,
        )
        self._backplane = Backplane(
            self._settings.node_id,
            self._channels,
            self._subscriber,
            self.store,
            here,
            healer,
            self._peers,
            self._reactor,
        )
        self._recovery = Recovery(
            self.store,
            self._clock,
            parts.keys,
            lambda: parts.registry,
            self._backplane.highest,
            self._link.drop,
            self._reactor,
        )
        self.troubles.append(self._backplane.trouble)
        show_redis(
            self._metrics, self._link, self._subscriber, self._clock, lambda: self._recovery.losses
        )
        show_others(self._metrics, self._backplane, self._directory, self._relay, self._reach)
        self.presence = ClusterPresence(parts.here, self._peers)
        latecomers = Latecomers(self._peers, parts.delivery.tell_here)
        parts.delivery.tell_elsewhere = latecomers.tell_elsewhere
        self._emitters = Emitters(parts.server, self._settings.namespaces)
        engine = EngineResource(parts.registry, parts.websockets, parts.origins, opens=False)
        site = NodeSite(engine, parts.site_options, self._verifier, self._reactor)
        self._listener = Listener(self._cluster.listen, site, self._reactor)

    def guests(self) -> Iterable[Guest]:
        """See :class:`.standing.IStanding`: polls end by themselves, WebSockets do not."""
        return self._relay.upgrades()

    def nodes(self) -> "Deferred[Sequence[Mapping[str, Any]]]":
        """See :class:`.standing.IStanding`."""
        return self._directory.nodes()

    # Its life.

    def listen(self) -> None:
        """See :class:`.standing.IStanding`."""
        self._listening = self._listener.start()
        failures: list[Any] = []
        self._listening.addErrback(failures.append)
        if failures:
            failures[0].trap(CannotListenError, OSError)
            reason = failures[0].getErrorMessage()
            raise SettingsError("cluster_listen", self._cluster.listen, reason)

    def start(self) -> None:
        """See :class:`.standing.IStanding`."""
        self._subscriber.start(
            lambda _channel, text: self._backplane.received(text),
            self._backplane.ready,
            self._backplane.lost,
        )
        if self._emitted is not None:
            self._emitted.start(self._emitters.received)
            self._emitted.subscribe([PYTHON_CHANNEL])
        self._link.start()
        self._clock.start()
        self._backplane.start()
        self._maintenance.start(self._maintenance_s)
        self._looking.start(LOOK_EVERY_S, now=False)
        Deferred.fromCoroutine(self._enter()).addErrback(
            lambda failure: self._log.failure("this node did not enter the directory", failure)
        )

    async def _enter(self) -> None:
        """Let other nodes know where this one is."""
        await self._entered
        try:
            listening = await self._listening
            toward = [(each.host, each.port) for each in self._address.hosts]
            self._directory.located(
                await address_of(self._cluster.advertise, listening, toward, self._reactor)
            )
            # Only who is in the directory has sessions that other nodes find.
            await self._directory.start()
        finally:
            self._ready.callback(None)

    def draining(self) -> None:
        """See :class:`.standing.IStanding`: the others hear of it at once."""
        self._directory.hurry()

    def leave(self) -> "Deferred[None]":
        """See :class:`.standing.IStanding`."""
        return Deferred.fromCoroutine(self._leave())

    async def _leave(self) -> None:
        await self._relay.stop()
        await self._listener.stop()

    def ready(self) -> "Deferred[None]":
        """See :class:`.standing.IStanding`."""
        return self._ready

    def stop(self) -> "Deferred[None]":
        """See :class:`.standing.IStanding`."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for loop in (self._maintenance, self._looking):
            if loop.running:
                loop.stop()
        await self._directory.leave()
        self._backplane.stop()
        await self.store.stop()
        self._clock.stop()
        await self._subscriber.stop()
        if self._emitted is not None:
            await self._emitted.stop()
        await self._link.stop()

    # Redis.

    async def _connected(self) -> None:
        """The link has a new connection, which nobody has used yet."""
        await self._recovery.meet()
        self._directory.hurry()
        if not self._entered.called:
            await offer_first_keys(self.store, self._settings, self.now_ms())
            self._entered.callback(None)

    def _look(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._recovery.look())

    def _load(self) -> Load:
        said = self._parts.health()
        return Load(int(said["connections"]), str(said["status"]))

    def _sockets_in(self, namespace: str, rooms: Any) -> Any:
        served = namespace in self._parts.server.namespaces
        return self._parts.server.members(namespace, rooms) if served else ()

    async def _everything(self) -> Any:
        """Nobody knows what was missed: find out which keys are still there; return all sockets."""
        await self._parts.audience.check_keys()
        return list(
            chain.from_iterable(each.sockets for each in self._parts.server.namespaces.values())
        )
