"""What workers say, in the one log of them all.

A worker writes its log as lines of JSON; what the interpreter says when it dies comes as it is.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from twisted.logger import LogEvent, LogLevel

MAX_LINE_BYTES = 1 << 18
"""A longer line is cut into several."""


class Lines:
    """Cuts what a process writes into lines."""

    def __init__(self, line: Callable[[bytes], object]) -> None:
        self._line = line
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take in what was written."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for each in lines:
            self._line(each)
        if len(self._rest) > MAX_LINE_BYTES:
            self.end()

    def end(self) -> None:
        """Nothing more will be written: what there is is a line, too."""
        rest, self._rest = self._rest, b""
        if rest:
            self._line(rest)


def event_of(worker: int, line: bytes) -> LogEvent:
    """Return a line of a worker's as an event of this process's log."""
    record = _record_in(line)
    if record is None:
        text = line.decode("utf-8", "replace").rstrip()
        return _event(worker, text, LogLevel.warn, "", {"message": text})
    text = str(record.get("message", ""))
    if failure := record.get("failure"):
        text = f"{text}\n{failure}"
    level = record.get("level")
    known = isinstance(level, str) and level in {each.name for each in LogLevel.iterconstants()}
    event = _event(
        worker,
        text,
        LogLevel.lookupByName(level) if known else LogLevel.info,
        str(record.get("namespace", "")),
        record,
    )
    with suppress(ValueError):
        event["log_time"] = datetime.fromisoformat(str(record.get("time"))).timestamp()
    return event


def _event(worker: int, text: str, level: Any, namespace: str, record: dict[str, Any]) -> LogEvent:
    return {
        "log_format": "worker {worker}: {said}",
        "log_level": level,
        "log_namespace": namespace or "reward_push.workers",
        "worker": worker,
        "said": text,
        "record": record,
    }


def _record_in(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and "message" in record else None
