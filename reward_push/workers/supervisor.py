"""The process that starts the workers, starts them anew, and stops them."""

import atexit
import os
import sys
import time
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ..settings.model import Settings
from ..settings.shares import share_of
from ..signals import on_second_stop
from .ports import Reservation
from .task import Task
from .worker import Worker

KILL_AFTER_S = 30.0
"""How long, beyond the time for moving clients away, a worker may take to stop."""


class Supervisor(Service):
    """Looks after ``settings.workers`` processes, each a node."""

    _log = Logger()

    def __init__(self, settings: Settings, reactor: Any) -> None:
        """Raises :class:`..errors.StartError` for settings that workers cannot have."""
        self._shares = [share_of(settings, number + 1) for number in range(settings.workers)]
        self._listen = settings.listen
        drain_s = settings.cluster.drain_s if settings.cluster is not None else 0.0
        self._kill_after_s = drain_s + KILL_AFTER_S
        self._reactor = reactor
        self._reserved: Reservation | None = None
        self._workers: list[Worker] = []
        self._stopping = False
        self._kill: IDelayedCall | None = None
        on_second_stop(reactor, self.hurry)

    def privilegedStartService(self) -> None:
        """Take the ports. Raises :class:`..errors.StartError`."""
        self._reserved = Reservation(self._listen, self._reactor)

    def startService(self) -> None:
        """Start the workers."""
        super().startService()
        ports = tuple(self._reserved.ports) if self._reserved is not None else ()
        for number, share in enumerate(self._shares, 1):
            worker = Worker(Task(number, share, ports), self._reactor, self._refused)
            self._workers.append(worker)
            worker.start()

    def stopService(self) -> "Deferred[Any]":
        """Ask all workers to stop; fires when they have."""
        super().stopService()
        self._stopping = True
        self._kill = self._reactor.callLater(self._kill_after_s, self._cut)
        stopped = DeferredList([worker.stop() for worker in self._workers])
        return stopped.addCallback(self._stopped)

    def hurry(self) -> None:
        """A second signal to stop: pass it on."""
        for worker in self._workers:
            # Another one than the first: of two alike that come together only one arrives.
            worker.signal("INT")

    def _cut(self) -> None:
        self._kill = None
        self._log.error("workers do not stop: they are killed")
        for worker in self._workers:
            worker.signal("KILL")

    def _stopped(self, _: object) -> None:
        if self._kill is not None:
            self._kill.cancel()
            self._kill = None
        if self._reserved is not None:
            self._reserved.give_back()

    def _refused(self, reason: str) -> None:
        """A worker cannot start, so none could: end with status 1 and the reason, as a node does."""
        if self._stopping:
            return
        self._stopping = True
        self._log.critical("{reason}", reason=reason)
        print(reason, file=sys.__stderr__, flush=True)
        # Twistd returns 0 however its reactor was stopped.
        atexit.register(os._exit, 1)
        self._reactor.stop()


def supervise(settings: Settings, reactor: Any) -> Supervisor:
    """Return the service that runs the workers. Raises :class:`..errors.StartError`."""
    # As in a node: timers must not go by a wall clock that may be set.
    reactor.seconds = time.monotonic
    return Supervisor(settings, reactor)
