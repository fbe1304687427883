"""Fixtures for all unit tests."""

from collections.abc import Iterator

import pytest
from twisted.logger import LogEvent, globalLogPublisher


@pytest.fixture
def logged_failures() -> Iterator[list[str]]:
    """Collect the messages of all failures that are logged."""
    messages: list[str] = []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event:
            messages.append(event["log_failure"].getErrorMessage())

    globalLogPublisher.addObserver(observe)
    yield messages
    globalLogPublisher.removeObserver(observe)


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    """The events logged at warning or above."""
    events: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if event["log_level"].name in {"warn", "error", "critical"}:
            events.append(event)

    globalLogPublisher.addObserver(observe)
    yield events
    globalLogPublisher.removeObserver(observe)
