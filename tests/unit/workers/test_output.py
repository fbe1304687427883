"""Workers' words in the log of their parent."""

import json
from typing import Any

import pytest
from twisted.logger import LogLevel, eventAsText, formatEvent

from reward_push.ops.logging import json_line
from reward_push.workers import output
from reward_push.workers.output import Lines, event_of

RECORD = {
    "time": "2026-11-24T20:00:00.250Z",
    "level": "warn",
    "namespace": "a.b",
    "message": "said {with} braces",
}


def line(**fields: Any) -> bytes:
    return json.dumps({**RECORD, **fields}).encode()


def test_a_line_keeps_what_it_was() -> None:
    event = event_of(2, line())
    assert formatEvent(event) == "worker 2: said {with} braces"
    assert event["log_level"] is LogLevel.warn
    assert event["log_namespace"] == "a.b"
    assert event["log_time"] == 1795550400.25
    assert "[a.b#warn] worker 2: said {with} braces" in eventAsText(event)


def test_as_json_it_is_the_same_line_with_a_number() -> None:
    assert json.loads(json_line(event_of(2, line()), None)) == {**RECORD, "worker": 2}


def test_a_failure_comes_along() -> None:
    event = event_of(1, line(failure="Traceback\n  x\n", level="critical"))
    assert eventAsText(event).endswith("worker 1: said {with} braces\nTraceback\n  x\n")
    assert json.loads(json_line(event, None))["failure"] == "Traceback\n  x\n"


@pytest.mark.parametrize(
    "raw", [b"Fatal Python error: Aborted", b"\xff{", b"{}", b"[1]", b"1", b"[" * 100_000, b" "]
)
def test_other_lines_are_text(raw: bytes) -> None:
    """A warning: nothing but what ends a worker says anything else."""
    event = event_of(3, raw)
    text = raw.decode("utf-8", "replace").rstrip()
    assert event["log_level"] is LogLevel.warn
    assert formatEvent(event) == f"worker 3: {text}"
    assert json.loads(json_line(event, None)) == {"message": text, "worker": 3}


@pytest.mark.parametrize(
    "fields", [{"level": "loud"}, {"level": 7}, {"time": "once"}, {"time": None}]
)
def test_strange_members(fields: dict[str, Any]) -> None:
    event = event_of(1, line(**fields))
    assert event["log_level"] in (LogLevel.info, LogLevel.warn)
    assert formatEvent(event) == "worker 1: said {with} braces"


def test_lines_are_cut_where_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However they come; without an end they are cut somewhere."""
    lines: list[bytes] = []
    taken = Lines(lines.append)
    for byte in b"one\ntwo\n\nthr":
        taken.feed(bytes([byte]))
    assert lines == [b"one", b"two", b""]
    taken.end()
    taken.end()
    assert lines == [b"one", b"two", b"", b"thr"]
    monkeypatch.setattr(output, "MAX_LINE_BYTES", 10)
    taken.feed(b"x" * 11)
    taken.feed(b"y\n")
    assert lines[4:] == [b"x" * 11, b"y"]
