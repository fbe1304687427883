"""The log as JSON."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import Application, IServiceCollection, Service
from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher
from twisted.python import log as legacy
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile
from zope.interface.verify import verifyObject

from reward_push.ops.logging import JsonLog, json_line, log_in_json

TIME = 1_795_550_400.0625  # 2026-11-24T20:00:00.0625Z


class Written(StringIO):
    """A file that remembers its lines, and how often it was flushed."""

    flushed = 0

    def flush(self) -> None:
        self.flushed += 1

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def file() -> Written:
    return Written()


@pytest.fixture
def logger(file: Written) -> Logger:
    observer = JsonLog(file, None)
    assert verifyObject(ILogObserver, observer)
    return Logger("reward_push.test", observer=LogPublisher(observer))


def test_one_line_an_event(file: Written, logger: Logger) -> None:
    logger.info("{n} of\n{what}", n=1, what="two ™\u2028")
    logger.debug("three")
    assert file.getvalue().isascii()
    assert file.getvalue().count("\n") == file.flushed == 2
    first, second = file.records()
    assert first["message"] == "1 of\ntwo ™\u2028"
    assert first["namespace"] == "reward_push.test"
    assert (first["level"], second["level"]) == ("info", "debug")
    assert first.keys() == {"time", "level", "namespace", "message"}


def test_literal_line() -> None:
    event = {
        "log_time": TIME,
        "log_level": LogLevel.error,
        "log_namespace": "a.b",
        "log_format": "{x} away",
        "x": "store",
    }
    assert json_line(event, None) == (
        '{"time": "2026-11-24T20:00:00.062Z", "level": "error", "namespace": "a.b",'
        ' "message": "store away"}\n'
    )


def test_whose_line_it_is(file: Written) -> None:
    JsonLog(file, "aB3x_9")({"log_format": "hello"})
    [record] = file.records()
    assert (record["message"], record["node"]) == ("hello", "aB3x_9")


def test_a_failure_comes_with_its_traceback(file: Written, logger: Logger) -> None:
    with logger.failuresHandled("while testing"):
        raise RuntimeError("broken ü")
    [record] = file.records()
    assert record["message"] == "while testing"
    assert record["level"] == "critical"
    assert "RuntimeError: broken ü" in record["failure"]
    assert "test_logging.py" in record["failure"]


def test_events_of_the_older_log(file: Written) -> None:
    publisher = legacy.LogPublisher(publishPublisher=LogPublisher(JsonLog(file, None)))
    publisher.msg("hello", "there")
    [record] = file.records()
    assert record["message"] == "hello there"
    assert record["level"] == "info"


def test_an_event_that_says_nothing_is_left_out() -> None:
    assert json_line({"log_time": TIME, "log_level": LogLevel.info, "log_format": ""}, None) == ""


class Awkward:
    """Raises when it is shown."""

    def __str__(self) -> str:
        raise ValueError("no")

    __repr__ = __str__


class BrokenFailure(Failure):
    def getTraceback(self, *args: object, **more: object) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "event",
    [
        {"log_format": "{a}", "a": Awkward()},
        {"log_format": "{missing}"},
        {"log_format": "\udcff lone surrogate"},
        {"log_format": "no level", "log_time": TIME},
        {"log_format": "x", "log_namespace": 5, "log_time": TIME},
        {"log_failure": BrokenFailure(RuntimeError("x")), "log_format": "x"},
    ],
)
def test_awkward_events_are_still_lines(file: Written, event: dict[str, Any]) -> None:
    JsonLog(file, None)(event)
    [record] = file.records()
    assert record["message"]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"log_format": "x", "log_time": "yesterday"},
        {"log_format": "x", "log_time": 1e300},
        {"log_format": "x", "log_level": "loud"},
        {"log_format": "x", "log_namespace": Awkward()},
    ],
)
def test_hopeless_events_are_dropped_silently(file: Written, event: dict[str, Any]) -> None:
    JsonLog(file, None)(event)
    assert file.getvalue() == ""


def test_a_file_that_cannot_be_written_is_no_error(file: Written, logger: Logger) -> None:
    file.close()
    logger.info("hello")


# Where twistd's log goes


def installed(
    twistd: dict[str, object], call_soon: Callable[[Callable[[], object]], object] = print
) -> tuple[Service, Any, Any]:
    """The service that is to log in JSON, the application it is in, and the application's observer."""
    service = Service()
    application = Application("reward-push")
    log_in_json(service, twistd, call_soon, "n").setServiceParent(application)
    return service, application, application.getComponent(ILogObserver)


@pytest.fixture
def log_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Log files are closed after the test, and SIGUSR1 is handled by nobody before and after it."""
    files = []

    class Closed(LogFile):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            files.append(self)

    monkeypatch.setattr("reward_push.ops.logging.LogFile", Closed)
    before = signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGUSR1, before)
    for file in files:
        file.close()


def test_in_the_foreground_it_goes_to_the_real_standard_output(
    monkeypatch: pytest.MonkeyPatch, file: Written
) -> None:
    monkeypatch.setattr(sys, "__stdout__", file)
    for twistd in ({"nodaemon": True}, {"nodaemon": True, "logfile": "-"}):
        service, application, observer = installed(twistd)
        observer({"log_format": "hello", "log_time": TIME})
        assert file.records()[-1]["message"] == "hello"
        application_services = list(IServiceCollection(application))
        assert service.parent in application_services


def test_the_service_starts_and_stops_with_the_application() -> None:
    service, application, _ = installed({"nodaemon": True})
    collection = IServiceCollection(application)
    collection.startService()
    assert service.running
    collection.stopService()
    assert not service.running


@pytest.mark.parametrize("twistd", [{"logfile": "node.log", "nodaemon": True}, {}])
def test_a_log_file_stays_the_log_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    log_files: None,
    twistd: dict[str, object],
) -> None:
    monkeypatch.chdir(tmp_path)
    _, _, observer = installed(twistd)
    observer({"log_format": "hello", "log_time": TIME})
    [line] = (tmp_path / str(twistd.get("logfile", "twistd.log"))).read_text().splitlines()
    assert json.loads(line)["message"] == "hello"


def test_sigusr1_rotates_the_log_file(tmp_path: Path, log_files: None) -> None:
    waiting: list[Callable[[], object]] = []
    _, _, observer = installed({"logfile": str(tmp_path / "log")}, waiting.append)
    observer({"log_format": "before", "log_time": TIME})
    os.kill(os.getpid(), signal.SIGUSR1)
    [rotate] = waiting
    rotate()
    observer({"log_format": "after", "log_time": TIME})
    assert "before" in (tmp_path / "log.1").read_text()
    assert "after" in (tmp_path / "log").read_text()


def test_a_handler_of_sigusr1_is_left_alone(tmp_path: Path, log_files: None) -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    installed({"logfile": str(tmp_path / "log")})
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN


@pytest.mark.parametrize("twistd", [{"syslog": True}, {"logger": object()}])
def test_twistds_other_destinations_are_left_alone(twistd: dict[str, object]) -> None:
    service, _, observer = installed(twistd)
    assert observer is None
    assert service.name is None


def test_without_a_standard_output_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stdout__", None)
    assert installed({"nodaemon": True})[2] is None
