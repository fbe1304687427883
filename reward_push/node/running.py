"""A running node: started, and stopped, in a written order."""

from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ..engineio.registry import Registry
from ..ops.health import Health
from ..rewards.receipts import ReceiptBuffer
from ..rewards.scheduler import CLAIM_AHEAD_MS, Scheduler
from ..rewards.waiting import Waiting
from ..socketio.server import Server
from ..transports.wheel import Wheel
from .mover import Mover
from .standing import IStanding
from .upkeep import Upkeep

READY_WITHIN_S = 5.0
"""How long a node is `starting` while its store cannot be reached; then it is `degraded`."""


class Node(MultiService):
    """A running node. Its children are the ports it listens on, and what watches the event loop.

    Started: ports (a port that cannot be had stops the start), what it stands on, schedule, ready.
    Stopped: no longer ready, no handshakes, clients moved away, schedule, broadcasts, ports, receipts, what it stands
    on, wheel.
    """

    _log = Logger()

    def __init__(
        self,
        standing: IStanding,
        scheduler: Scheduler,
        waiting: Waiting,
        receipts: ReceiptBuffer,
        registry: Registry,
        server: Server,
        health: Health,
        wheel: Wheel,
        upkeep: Upkeep,
        clock: Any,
    ) -> None:
        super().__init__()
        self._standing = standing
        self._scheduler = scheduler
        self._waiting = waiting
        self._receipts = receipts
        self._mover = Mover(lambda: (*registry, *standing.guests()), clock)
        self._registry = registry
        self._server = server
        self._health = health
        self._wheel = wheel
        self._clock = clock
        self._patience: IDelayedCall
        self._upkeep = upkeep

    def privilegedStartService(self) -> None:
        """Listen. Raises :class:`..errors.StartError` when a port cannot be had."""
        self._standing.listen()
        super().privilegedStartService()

    def startService(self) -> None:
        """Stand, without which nothing works, and be ready."""
        self._log.info(
            "reward-push {version}: this is node {node}", **self._health.healthcheck().body
        )
        self._standing.start()
        super().startService()
        self._upkeep.start()
        # With its store away a node is of use to those who are connected: it does not wait for ever.
        self._patience = self._clock.callLater(READY_WITHIN_S, self._health.started)
        self._standing.ready().addCallback(self._begin)

    def _begin(self, _: None) -> None:
        if self._patience.active():
            self._patience.cancel()
        if self.running:
            self._health.started()
            self._scheduler.start()

    def stopService(self) -> "Deferred[None]":
        """Stop in order; fires when all that was accepted is in the store."""
        return Deferred.fromCoroutine(self._stop())

    def hurry(self) -> None:
        """While it stops: send away at once who is still there."""
        self._mover.move(0)

    async def _stop(self) -> None:
        self._health.draining()
        if self._patience.active():
            self._patience.cancel()
        self._registry.draining = True
        self._standing.draining()
        kept = self._upkeep.stop()  # Begins while it is known which keys are in use.
        if self._standing.drain_s:
            await self._mover.move(self._standing.drain_s)
        await self._scheduler.stop()
        await self._waiting.stop(CLAIM_AHEAD_MS / 1000)
        await self._server.written()
        await self._mover.move(0)
        await self._standing.leave()
        await super().stopService()
        await self._receipts.stop()
        await kept
        await self._standing.stop()
        self._wheel.stop()
