"""The composition root: every object of a node is made here, wired, started and stopped in order."""

import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from math import inf
from typing import Any

import attrs
from twisted.application.service import IService, MultiService
from twisted.application.strports import service as listen_on
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.web.http_headers import Headers
from zope.interface import implementer

from .access.addresses import Proxies
from .access.guard import GIVES_WAY_AFTER_S, Guard
from .access.interfaces import StoredKey
from .access.keys import KeyRing
from .api.errors import too_large_body
from .api.resource import build_api
from .audience import Audience
from .engineio.errors import CloseReason
from .engineio.registry import Registry
from .errors import StartError
from .first_keys import FirstKeys
from .ops.health import Health
from .presence import Presence
from .replay import Replay
from .rewards.acknowledgements import Acknowledgements
from .rewards.delivery import Delivery
from .rewards.news import LocalNews
from .rewards.publisher import Publisher
from .rewards.receipts import ReceiptBuffer
from .rewards.scheduler import CLAIM_AHEAD_MS, Scheduler
from .rewards.waiting import Waiting
from .settings.model import HttpSettings, Settings
from .socketio.decoder import Decoder, Limits
from .socketio.server import Server
from .store.errors import StoreError
from .store.sqlite.store import SQLiteStore, open_store
from .transports.cors import Origins
from .transports.interfaces import IBodyPolicy, IUpload
from .transports.options import SiteOptions
from .transports.resource import EngineResource
from .transports.root import Root
from .transports.site import build_site
from .transports.websocket import WebSocketAcceptor
from .transports.wheel import Wheel, tick_for

MAINTENANCE_S = 10.0
"""How often the store is pruned, and probed while it is away."""


def build_node(settings: Settings, reactor: Any) -> IService:
    """Make a whole node; nothing of it runs yet.

    The store is opened once to see that it can be, and gets its first keys if it has none: they are
    shown here, before the process may turn into a daemon without a terminal.

    Raises :class:`StartError`.
    """
    # Twisted's reactor goes by the wall clock, which may be set: every timer would stall or fire at once.
    # What is due is the schedule's business, and goes by the wall clock there.
    reactor.seconds = time.monotonic
    try:
        first_keys = _first_keys(settings)
    except StoreError as error:
        raise StartError(f"store: {error}") from error
    store = SQLiteStore(
        settings.store.path,
        reactor.callFromThread,
        _now_ms,
        retention_s=settings.store.retention_s or None,
        first_keys=first_keys,
    )
    keys = KeyRing(store, _now_ms, settings.backend_key)

    engine = settings.engine
    wheel = Wheel(reactor, tick_for(engine.ping_interval_s, engine.ping_timeout_s))
    limits = Limits(attachment_bytes=engine.max_packet_bytes or sys.maxsize)
    server = Server(
        wheel,
        lambda call: reactor.callLater(0, call),
        connect_timeout_s=settings.connect_timeout_s,
        new_decoder=lambda: Decoder(limits),
    )
    guard = Guard(
        settings.guard,
        Proxies(settings.trusted_proxies),
        wheel.now,
        recall=keys.recall,
        send_away=lambda session: session.evict(CloseReason.FORCED_CLOSE),
        gives_way_after_s=min(GIVES_WAY_AFTER_S, settings.connect_timeout_s / 4 or inf),
    )
    receipts = ReceiptBuffer(store, reactor)
    delivery = Delivery(server, store, receipts, _now_ms)
    waiting = Waiting(delivery, reactor, _now_ms)
    news = LocalNews(waiting, delivery)
    scheduler = Scheduler(store, news, waiting, reactor, _now_ms, flush=receipts.flush)
    acknowledgements = Acknowledgements(delivery, receipts, store, news, _now_ms)
    replay = Replay(store, receipts, delivery, waiting.holds, _now_ms)
    audience = Audience(keys, store, delivery, acknowledgements, replay, guard, wheel, _now_ms)
    for name in settings.namespaces:
        audience.attend(server.namespace(name))
    registry = Registry(engine, wheel, server.open_client, settings.node_id, guard.left)

    health = Health(
        settings.node_id, version=version("reward-push"), connections=lambda: len(registry)
    )
    health.watch(store.healthy)
    health.watch(scheduler.trouble)
    health.watch(receipts.trouble)
    api = build_api(
        publisher=Publisher(
            store, news, scheduler, _now_ms, settings.namespaces, flush=receipts.flush
        ),
        store=store,
        flush=receipts.flush,
        presence=Presence(server, wheel, _now_ms),
        node_id=settings.node_id,
        keys=keys,
        health=health,
        namespaces=settings.namespaces,
        now_ms=_now_ms,
        gate=guard,
    )
    resource = EngineResource(
        registry, WebSocketAcceptor(engine, reactor), Origins.of(settings.cors_origins), guard
    )
    root = Root({settings.path: resource}, api, ApiBodies(settings.http))
    http = settings.http
    options = SiteOptions(
        node_id=settings.node_id,
        idle_timeout_s=http.idle_timeout_s,
        header_timeout_s=http.header_timeout_s,
        body_timeout_s=http.body_timeout_s,
    )
    site = build_site(root, options, root, reactor)
    node = Node(
        store, scheduler, waiting, receipts, registry, resource, health, wheel, guard, reactor
    )
    for description in settings.listen:
        listen_on(with_backlog(description), site, reactor).setServiceParent(node)
    return node


class Node(MultiService):
    """A running node. Its children are the ports it listens on.

    Started: ports (a port that cannot be had stops the start), store, schedule, ready. Stopped: no
    longer ready, no handshakes, schedule, clients sent away, ports, receipts, store, wheel.
    """

    _log = Logger()

    def __init__(
        self,
        store: SQLiteStore,
        scheduler: Scheduler,
        waiting: Waiting,
        receipts: ReceiptBuffer,
        registry: Registry,
        resource: EngineResource,
        health: Health,
        wheel: Wheel,
        guard: Guard,
        clock: Any,
    ) -> None:
        super().__init__()
        self._store = store
        self._scheduler = scheduler
        self._waiting = waiting
        self._receipts = receipts
        self._registry = registry
        self._resource = resource
        self._health = health
        self._wheel = wheel
        self._guard = guard
        self._maintenance = LoopingCall(self._maintain)
        self._maintenance.clock = clock

    def privilegedStartService(self) -> None:
        """Listen. Raises :class:`StartError` when a port cannot be had."""
        try:
            super().privilegedStartService()
        except (CannotListenError, OSError, OverflowError) as error:
            raise StartError(f"listen: {error}") from error

    def startService(self) -> None:
        """Open the store, which nothing works without, and be ready."""
        try:
            self._store.start()
        except StoreError as error:
            raise StartError(f"store: {error}") from error
        super().startService()
        self._maintenance.start(MAINTENANCE_S)
        self._scheduler.start()
        self._health.started()

    def _maintain(self) -> "Deferred[None]":
        self._guard.tidy()
        return self._store.maintain()

    def stopService(self) -> "Deferred[None]":
        """Stop in order; fires when all that was accepted is in the store."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._health.draining()
        self._resource.draining = True
        await self._scheduler.stop()
        await self._waiting.stop(CLAIM_AHEAD_MS / 1000)
        for session in self._registry:
            try:
                session.evict(CloseReason.SHUTTING_DOWN)
            except Exception:
                # Whatever it is: the store has to be closed.
                self._log.failure("a client could not be sent away")
        await super().stopService()
        if self._maintenance.running:
            self._maintenance.stop()
        await self._receipts.stop()
        await self._store.stop()
        self._wheel.stop()


@implementer(IBodyPolicy)
@attrs.frozen
class ApiBodies:
    """How large the bodies of API calls may be; nobody waits for one that is not complete."""

    settings: HttpSettings

    def limit(self, method: bytes, uri: bytes) -> int:
        """See :class:`.transports.interfaces.IBodyPolicy`."""
        if uri.partition(b"?")[0] == b"/v1/messages/batch":
            return self.settings.max_api_batch_bytes
        return self.settings.max_api_body_bytes

    def receiving(
        self, method: bytes, uri: bytes, headers: Headers, drop: Callable[[], None]
    ) -> IUpload | None:
        """See :class:`.transports.interfaces.IBodyPolicy`."""
        return None

    def refuse(
        self, method: bytes, uri: bytes, headers: Headers
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """See :class:`.transports.interfaces.IBodyPolicy`."""
        return [(b"Content-Type", b"application/json")], too_large_body()


def with_backlog(description: str) -> str:
    """Return an endpoint string with a backlog fit for a flood of connects, unless it names its own.

    Twisted's default of 50 makes a balancer answer 504 once the accept queue is full.
    """
    kind = description.removeprefix("haproxy:").partition(":")[0]
    if kind in ("tcp", "tcp6", "ssl", "unix") and "backlog=" not in description:
        return f"{description}:backlog=1024"
    return description


def _first_keys(settings: Settings) -> tuple[StoredKey, ...]:
    """Check the store, and make the first keys where it has none and none is configured."""
    with open_store(settings.store.path) as store:
        if settings.backend_key is not None or store.any_keys():
            return ()
        first = FirstKeys.make(_now_ms())
        # Shown before they are kept: keys that nobody has seen would be lost for ever.
        first.show(settings)
        store.add_keys(first.stored)
    # What goes into ":memory:" is gone by now; a file has it.
    return first.stored if settings.store.path == ":memory:" else ()


_now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000  # noqa: E731
