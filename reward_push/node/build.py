"""The composition root: every object of a node is made here and wired; :mod:`.running` starts and stops them."""

import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from math import inf
from typing import Any

from twisted.application.service import IService
from twisted.logger import Logger

from ..access.addresses import Proxies
from ..access.guard import GIVES_WAY_AFTER_S, Guard
from ..access.key_set_file import CHECK_S, KeySetFile
from ..access.keys import CACHE_SIZE, KeyRing
from ..access.tokens import Tokens
from ..access.usage import FLUSH_S
from ..admission.audience import Audience
from ..admission.replay import Replay
from ..api.auth import Callers
from ..api.resource import build_api
from ..engineio.errors import CloseReason
from ..engineio.registry import Registry
from ..ops.health import Health
from ..ops.heap import LOOK_S, Heap
from ..ops.lag import LoopLag
from ..ops.metrics import Metrics
from ..ops.open_files import allow_open_files
from ..rewards.acknowledgements import Acknowledgements
from ..rewards.delivery import Delivery
from ..rewards.news import LocalNews
from ..rewards.publisher import Publisher
from ..rewards.receipts import ReceiptBuffer
from ..rewards.scheduler import Scheduler
from ..rewards.waiting import Waiting
from ..settings.model import Settings, TokenSettings
from ..settings.short_secrets import SHORT, short_secrets
from ..signals import on_second_stop
from ..socketio.decoder import Decoder, Limits
from ..socketio.server import Server
from ..transports.acceptor import WebSocketAcceptor
from ..transports.cors import Origins
from ..transports.options import SiteOptions
from ..transports.resource import EngineResource
from ..transports.wheel import Wheel, tick_for
from .alone import Alone
from .census import Census
from .figures import (
    ApiFigures,
    StoreFigures,
    lateness,
    show_connections,
    show_messages,
    show_node,
)
from .ports import ports
from .presence import HerePresence
from .running import Node
from .standing import IStanding, Parts
from .upkeep import Upkeep

_log = Logger()

TIDY_S = 10.0
"""How often tables give back what is over."""


def build_node(settings: Settings, reactor: Any, clients_reactor: Any = None) -> IService:
    """Make a whole node; nothing of it runs yet.

    ``clients_reactor``: what listens for clients, where that is not ``reactor`` itself.

    The store is opened once to see that it can be, and gets its first keys if it has none: they are
    shown here, before the process may turn into a daemon without a terminal.

    Raises :class:`..errors.StartError`.
    """
    # Twisted's reactor goes by the wall clock, which may be set: every timer would stall or fire at once.
    # What is due is the schedule's business, and goes by the wall clock there.
    reactor.seconds = time.monotonic
    for name in short_secrets(settings):
        _log.warn("{name} has fewer than {least} characters: guessable", name=name, least=SHORT)
    allow_open_files(settings.guard.connections)
    metrics = Metrics()
    standing = _standing(settings, metrics, reactor)
    store = StoreFigures(metrics).timed(standing.store, reactor.seconds)
    now_ms = standing.now_ms
    upkeep = Upkeep(reactor)
    keys = KeyRing(
        *(store, now_ms, settings.backend_key, _tokens(settings.tokens, now_ms, upkeep)),
        # All that can be in use here are known here: a Redis that has lost them gets them back.
        cache_size=max(CACHE_SIZE, settings.guard.connections),
    )

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
    delivery = Delivery(server, store, receipts, now_ms)
    receipts.on_late = delivery.tell_late
    waiting = Waiting(delivery, reactor, now_ms, observe_lateness_ms=lateness(metrics))
    news = standing.news(LocalNews(waiting, delivery))
    scheduler = Scheduler(
        store,
        news,
        waiting,
        reactor,
        now_ms,
        flush=receipts.flush,
        ask_every_s=standing.ask_every_s,
        missed_grace_ms=standing.missed_grace_ms,
    )
    acknowledgements = Acknowledgements(delivery, receipts, store, news, reactor, now_ms)
    replay = Replay(
        store,
        receipts,
        delivery,
        waiting.holds,
        now_ms,
        hears=standing.hears,
        left=standing.left,
        caught_up=standing.caught_up,
    )
    audience = Audience(keys, store, delivery, acknowledgements, replay, guard, wheel, now_ms)
    keys.evict = audience.revoked
    for name in settings.namespaces:
        audience.attend(server.namespace(name))
    registry = Registry(engine, wheel, server.open_client, settings.node_id, guard.left)

    health = Health(
        settings.node_id, version=version("reward-push"), connections=lambda: len(registry)
    )
    here = HerePresence(server, wheel, now_ms, settings.node_id)
    websockets = WebSocketAcceptor(engine, reactor)
    origins = Origins.of(settings.cors_origins)
    http = settings.http
    options = SiteOptions(
        node_id=settings.node_id,
        idle_timeout_s=http.idle_timeout_s,
        header_timeout_s=http.header_timeout_s,
        body_timeout_s=http.body_timeout_s,
    )
    standing.join(
        Parts(
            server=server,
            registry=registry,
            waiting=waiting,
            delivery=delivery,
            replay=replay,
            audience=audience,
            keys=keys,
            here=here,
            health=lambda: health.healthcheck().body,
            websockets=websockets,
            origins=origins,
            site_options=options,
        )
    )
    for trouble in (*standing.troubles, scheduler.trouble, receipts.trouble):
        health.watch(trouble)
    publisher = Publisher(store, news, scheduler, now_ms, settings.namespaces, flush=receipts.flush)
    apis = build_api(
        publisher=publisher,
        store=store,
        flush=receipts.flush,
        presence=standing.presence,
        version=version("reward-push"),
        nodes=standing.nodes,
        keys=keys,
        health=health,
        namespaces=settings.namespaces,
        now_ms=now_ms,
        gate=guard,
        metrics=metrics.page,
        internal=bool(settings.internal_listen),
        observe=ApiFigures(metrics).observe,
        max_body_bytes=http.max_api_body_bytes,
        call_soon=lambda call: reactor.callLater(0, call),
    )
    resource = EngineResource(registry, websockets, origins, foreign=standing.foreign, door=guard)
    callers = Callers(keys, guard)
    listeners, sites = ports(
        settings, options, resource, apis, callers, guard, reactor, clients_reactor or reactor
    )
    show_node(metrics, settings.node_id, lambda: health.healthcheck().body)
    show_connections(
        metrics,
        Census(registry, lambda call: reactor.callLater(0, call)),
        *(registry, server, audience, guard, resource, sites),
    )
    show_messages(metrics, publisher, waiting, delivery, receipts)
    upkeep.every(TIDY_S, guard.tidy)
    upkeep.every(LOOK_S, server.tidy)
    upkeep.every(LOOK_S, Heap(reactor.seconds).tidy)
    upkeep.every(FLUSH_S, lambda: keys.usage.flush(audience.keys_in_use()), at_stop=True)
    node = Node(
        *(standing, scheduler, waiting, receipts, registry, server, health, wheel, upkeep),
        reactor,
    )
    on_second_stop(reactor, node.hurry)
    lag = LoopLag(reactor, metrics.distribution("loop_lag_seconds").observe)
    for service in (*listeners, lag):
        service.setServiceParent(node)
    return node


def _standing(settings: Settings, metrics: Metrics, reactor: Any) -> IStanding:
    standing: IStanding
    if settings.cluster is None:
        standing = Alone(settings, reactor)
    else:
        # Imported here: the Redis library installs a reactor.
        from .together import Together

        standing = Together(settings, settings.cluster, metrics, reactor)
    return standing


def _tokens(
    settings: TokenSettings | None, now_ms: Callable[[], int], upkeep: Upkeep
) -> Tokens | None:
    """Return what verifies signed tokens, if any are accepted; its keys are kept up to date."""
    if settings is None:
        return None
    tokens = Tokens(settings.keys, now_ms, leeway_s=settings.leeway_s)
    if settings.jwks_path is not None:
        file = KeySetFile(settings.jwks_path, settings.algorithm, settings.keys, tokens)
        upkeep.every(CHECK_S, file.check)
    return tokens
