"""A worker: one node in a process of its own, started by :mod:`.supervisor`."""

import os
import sys
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import StartError
from ..ops.logging import JsonLog
from .ports import SharedPorts
from .task import LOG, READY, REFUSED, TASK, Task, read_task

_log = Logger()


def main() -> None:
    """Be a worker, until a signal or the parent's end."""
    # Signals of a terminal are the parent's, which passes them on: else they would come twice.
    os.setsid()
    try:
        task = read_task(TASK)
    except EOFError:
        return
    log = JsonLog(os.fdopen(LOG, "w", encoding="utf-8"), task.settings.node_id)
    globalLogBeginner.beginLoggingTo([log])
    try:
        _serve(task)
    except StartError as error:
        print(error, file=sys.__stderr__)
        sys.exit(REFUSED)


def _serve(task: Task) -> None:
    from twisted.internet import reactor as installed

    from ..node.build import build_node

    reactor: Any = installed
    ports = SharedPorts(reactor, task.ports)
    node: Any = build_node(task.settings, reactor, ports)
    node.privilegedStartService()
    node.startService()
    reactor.addSystemEventTrigger("before", "shutdown", node.stopService)
    reactor.callWhenRunning(lambda: os.write(READY, b"\n"))
    lifeline = _Lifeline(reactor)
    reactor.addReader(lifeline)
    reactor.addSystemEventTrigger("before", "shutdown", reactor.removeReader, lifeline)
    reactor.run()


@implementer(IReadDescriptor)
class _Lifeline:
    """Stops the worker when its parent is gone, however that has come about."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def fileno(self) -> int:
        return TASK

    def doRead(self) -> Any:
        """Nothing is sent after the task."""
        return None if os.read(TASK, 1024) else ConnectionDone()

    def connectionLost(self, reason: Failure) -> None:
        """The pipe's other end is closed."""
        _log.error("the process that looks after the workers is gone: this one stops")
        self._reactor.stop()

    def logPrefix(self) -> str:
        return "lifeline"


if __name__ == "__main__":
    main()
