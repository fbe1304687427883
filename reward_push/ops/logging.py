"""The log as JSON: one object a line.

Its fields: ``time`` (RFC 3339, UTC, milliseconds), ``level``, ``namespace`` (the logger's), ``message``,
``failure`` (a traceback) where there is one, ``node`` (its id), and ``worker`` (its number) where there are several.

What cannot be JSON: what is written before the settings are known (usage errors, on standard error), and
the traceback that twistd itself prints when the reactor crashes.
"""

import json
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO

from twisted.application.service import IService, MultiService
from twisted.logger import ILogObserver, LogEvent, formatEvent
from twisted.python.components import Componentized
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile
from zope.interface import implementer

CallSoon = Callable[[Callable[[], object]], object]
"""The reactor's ``callFromThread``, which signal handlers may use too."""
_DAEMON_LOG = "twistd.log"
"""Where twistd logs to when it is a daemon and nobody said otherwise."""


def log_in_json(
    service: IService, twistd: Mapping[str, Any], call_soon: CallSoon, node_id: str | None
) -> IService:
    """Return ``service`` so wrapped that twistd's whole log, its first line included, is JSON.

    ``node_id``: the node's, where this process is one. ``twistd`` are the options of twistd itself: where the log goes stays its decision. With
    ``--syslog`` or ``--logger`` nothing is changed.
    """
    if twistd.get("syslog") or twistd.get("logger"):
        return service
    path = twistd.get("logfile") or ("-" if twistd.get("nodaemon") else _DAEMON_LOG)
    # Not ``sys.stdout``: twistd is about to lead that into the log.
    file = _rotated(path, call_soon) if path != "-" else sys.__stdout__
    return service if file is None else _Logged(service, JsonLog(file, node_id))


@implementer(ILogObserver)
class JsonLog:
    """Writes each event to ``file``. Whatever an event holds and the file does: never raises."""

    def __init__(self, file: TextIO | LogFile, node_id: str | None) -> None:
        self._file = file
        self._node_id = node_id

    def __call__(self, event: LogEvent) -> None:
        """Write ``event``."""
        # An observer that fails is reported to all observers: there is no place left to tell it.
        with suppress(Exception):
            line = json_line(event, self._node_id)
            if line:
                self._file.write(line)
                self._file.flush()


def json_line(event: LogEvent, node_id: str | None) -> str:
    """Return ``event`` as one line of JSON in ASCII; nothing for an event that says nothing."""
    if "record" in event:
        # A worker's line, which is as it should be, but for whose it is.
        return json.dumps({**event["record"], "worker": event["worker"]}) + "\n"
    record = {
        "time": _rfc3339(event.get("log_time")),
        "level": level.name if (level := event.get("log_level")) else "info",
        "namespace": str(event.get("log_namespace", "")),
        "message": formatEvent(event),
    }
    if node_id is not None:
        record["node"] = node_id
    if "log_failure" in event:
        record["failure"] = _traceback(event["log_failure"])
    elif not record["message"]:
        return ""
    return json.dumps(record) + "\n"


def _rfc3339(time: float | None) -> str | None:
    if time is None:
        return None
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _traceback(failure: Failure) -> str:
    try:
        return failure.getTraceback()
    except Exception as error:
        return f"(a traceback that cannot be shown: {type(error).__name__})"


def _rotated(path: str, call_soon: CallSoon) -> LogFile:
    """Return the log file as twistd opens it: rotated by size, and by SIGUSR1."""
    file: LogFile = LogFile.fromFullPath(path)
    if signal.getsignal(signal.SIGUSR1) in (None, signal.SIG_DFL):
        signal.signal(signal.SIGUSR1, lambda *_: call_soon(file.rotate))
    return file


class _Logged(MultiService):
    """Gives the application it is put into an observer, before twistd asks the application for one."""

    def __init__(self, service: IService, observer: JsonLog) -> None:
        super().__init__()
        self._observer = observer
        service.setServiceParent(self)

    def setServiceParent(self, parent: Componentized) -> None:
        """Join ``parent``, the application."""
        super().setServiceParent(parent)
        parent.setComponent(ILogObserver, self._observer)
