"""One worker as its parent sees it: its process, what it says, its end, and its next life."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, globalLogPublisher
from twisted.python.failure import Failure

from ..settings.table import ENV_PREFIX
from .output import Lines, event_of
from .task import LOG, READY, REFUSED, STDERR, STDOUT, TASK, Task

FIRST_DELAY_S = 1.0
LAST_DELAY_S = 30.0
"""How long after its end a worker is started anew: the time doubles while it does not last."""
LASTED_S = 60.0
"""A worker that has served for so long has started well."""


class Worker:
    """One of the workers, over all its lives."""

    _log = Logger()

    def __init__(self, task: Task, reactor: Any, refused: Callable[[str], object]) -> None:
        self.task = task
        self._reactor = reactor
        self._refused = refused
        self._delay_s = FIRST_DELAY_S
        self._process: Any = None
        self._served_s: float | None = None
        """Since when it serves; ``None``: it has not in this life."""
        self._ever_served = False
        self._again: IDelayedCall | None = None
        self._stopped: Deferred[None] | None = None

    def start(self) -> None:
        """Begin a life."""
        self._again = None
        self._served_s = None
        watched = _Process(self.task.number, self._serves, self._ended)
        command = [sys.executable, "-P", "-m", f"{__package__}.child", str(self.task.number)]
        # It has its settings from its task.
        env = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
        descriptors = {TASK: "w", STDOUT: STDOUT, STDERR: "r", READY: "r", LOG: "r"}
        try:
            process = self._reactor.spawnProcess(
                watched, sys.executable, command, env, childFDs=descriptors
            )
        except OSError as error:  # No memory, no file descriptor, too many processes: for now.
            self._start_anew(f"cannot be started ({error.strerror})")
            return
        self._process = process
        process.writeToChild(TASK, self.task.to_bytes())

    def stop(self) -> "Deferred[None]":
        """Ask it to stop; fires when it has."""
        self._stopped = stopped = Deferred[None]()
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._process is None:
            stopped.callback(None)
        self.signal("TERM")
        return stopped

    def signal(self, name: str) -> None:
        """Send it a signal, if it lives."""
        if self._process is not None:
            with suppress(ProcessExitedAlready):
                self._process.signalProcess(name)

    def _serves(self) -> None:
        self._served_s = self._reactor.seconds()
        self._ever_served = True

    def _ended(self, how: str, refused: str | None) -> None:
        self._process = None
        if self._stopped is not None:
            self._stopped.callback(None)
            return
        if refused is not None and not self._ever_served:
            self._refused(refused)
            return
        served_s = self._served_s
        if served_s is not None and self._reactor.seconds() - served_s >= LASTED_S:
            self._delay_s = FIRST_DELAY_S
        self._start_anew(f"has ended ({how})")

    def _start_anew(self, why: str) -> None:
        self._log.error(
            "worker {number} {why}: it is started anew in {delay:g} s",
            number=self.task.number,
            why=why,
            delay=self._delay_s,
        )
        self._again = self._reactor.callLater(self._delay_s, self.start)
        self._delay_s = min(2 * self._delay_s, LAST_DELAY_S)


class _Process(ProcessProtocol):
    """One life of a worker: its words, and its end."""

    def __init__(
        self,
        number: int,
        serves: Callable[[], object],
        ended: Callable[[str, str | None], object],
    ) -> None:
        self._number = number
        self._serves = serves
        self._ended = ended
        self._last_words = ""
        self._lines = {LOG: Lines(self._said), STDERR: Lines(self._warned)}

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N803
        """See ``IProcessProtocol``."""
        if childFD == READY:
            self._serves()
        else:
            self._lines[childFD].feed(data)

    def processEnded(self, reason: Failure) -> None:
        """See ``IProcessProtocol``."""
        for lines in self._lines.values():
            lines.end()
        status: Any = reason.value
        if status.signal is not None:
            how = f"signal {status.signal}"
        else:
            how = f"status {status.exitCode}"
        self._ended(how, self._last_words if status.exitCode == REFUSED else None)

    def _said(self, line: bytes) -> None:
        globalLogPublisher(event_of(self._number, line))

    def _warned(self, line: bytes) -> None:
        self._last_words = line.decode("utf-8", "replace")
        self._said(line)
