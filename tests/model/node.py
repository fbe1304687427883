"""A whole node but for the network and the reactor: its real objects, on stepped time and a stepped store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from reward_push.access.addresses import Proxies
from reward_push.access.guard import Guard
from reward_push.access.interfaces import StoredKey
from reward_push.access.keys import KeyRing
from reward_push.access.limits import GuardLimits
from reward_push.admission.audience import Audience
from reward_push.admission.replay import Replay
from reward_push.engineio.errors import CloseReason
from reward_push.engineio.options import EngineOptions
from reward_push.engineio.registry import Registry
from reward_push.rewards.acknowledgements import Acknowledgements
from reward_push.rewards.delivery import Delivery
from reward_push.rewards.news import LocalNews
from reward_push.rewards.publisher import Publisher
from reward_push.rewards.receipts import ReceiptBuffer
from reward_push.rewards.scheduler import CLAIM_AHEAD_MS, Scheduler
from reward_push.rewards.waiting import Waiting
from reward_push.socketio.server import Server
from reward_push.store.sqlite.store import open_store
from reward_push.transports.wheel import Wheel

from .stepped import FILE, SteppedStore

NAMESPACE = "/dropcodes"
START_MS = 1_790_000_000_000
Watch = dict[str, Callable[..., Callable[[Any], None] | None]]


class Times:
    """Two clocks: one that only runs, and one that can be set."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.offset_ms = START_MS

    def now_ms(self) -> int:
        """The wall clock."""
        return round(self.clock.rightNow * 1000) + self.offset_ms

    def restart(self) -> None:
        """Forget all that was to be called."""
        seconds, self.clock = self.clock.rightNow, Clock()
        self.clock.rightNow = seconds

    def advance(self, milliseconds: int, between: Callable[[], None]) -> None:
        """Let time pass, calling what falls due at its moment, and ``between`` before and after each."""
        clock = self.clock
        end = round(clock.rightNow * 1000 + milliseconds) / 1000
        between()
        while calls := [each.getTime() for each in clock.getDelayedCalls()]:
            if min(calls) > end:
                break
            clock.rightNow = max(clock.rightNow, min(calls))
            clock.advance(0)
            between()
        clock.rightNow = end


class Node:
    """One life of a node, from its start to its stop or crash."""

    def __init__(self, folder: Path, times: Times, watch: Watch) -> None:
        self.times = times
        clock, now_ms = times.clock, times.now_ms
        self.store: Any = SteppedStore(folder, now_ms, watch)
        self.wheel = Wheel(clock)
        self.server = Server(self.wheel, lambda call: clock.callLater(0, call))
        self.receipts = ReceiptBuffer(self.store, clock)
        self.delivery = _WatchedDelivery(
            watch["deliver"], self.server, self.store, self.receipts, now_ms
        )
        self.receipts.on_late = self.delivery.tell_late
        self.waiting = Waiting(self.delivery, clock, now_ms)
        news = LocalNews(self.waiting, self.delivery)
        self.scheduler = Scheduler(
            self.store,
            news,
            self.waiting,
            clock,
            now_ms,
            flush=self.receipts.flush,
        )
        replaying = Replay(self.store, self.receipts, self.delivery, self.waiting.holds, now_ms)
        audience = Audience(
            KeyRing(self.store, now_ms),
            self.store,
            self.delivery,
            Acknowledgements(self.delivery, self.receipts, self.store, news, clock, now_ms),
            replaying,
            Guard(GuardLimits(), Proxies([]), self.wheel.now, send_away=lambda _session: None),
            self.wheel,
            now_ms,
        )
        namespaces = ("/", NAMESPACE)
        for name in namespaces:
            audience.attend(self.server.namespace(name))
        self.registry = Registry(EngineOptions(), self.wheel, self.server.open_client)
        self.publisher = Publisher(
            self.store,
            news,
            self.scheduler,
            now_ms,
            namespaces,
            flush=self.receipts.flush,
        )
        self.scheduler.start()

    def stop(self) -> None:
        """Stop in the order in which a node does."""
        stopped: list[None] = []
        stopping = self.scheduler.stop()
        stopping.addCallback(lambda _: self.waiting.stop(CLAIM_AHEAD_MS / 1000))
        stopping.addCallback(stopped.append)
        while not stopped:
            self.times.advance(1, self.store.settle)
        for session in self.registry:
            session.evict(CloseReason.SHUTTING_DOWN)
        self.receipts.stop().addCallback(stopped.append)
        self.store.settle()
        assert len(stopped) == 2
        self.store.stop()
        self.wheel.stop()
        self.times.restart()


class _WatchedDelivery(Delivery):
    def __init__(self, watch: Callable[[Any], Any], *args: Any) -> None:
        super().__init__(*args)
        self._watch = watch

    def deliver(self, message: Any) -> int:
        self._watch(message)
        return super().deliver(message)


def prepare(folder: Path, keys: list[StoredKey]) -> None:
    """Make a store that has ``keys``."""
    with open_store(str(folder / FILE)) as store:
        store.add_keys(keys)
