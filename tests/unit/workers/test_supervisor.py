"""Workers' lives: started, started anew, stopped."""

import errno
import io
import sys
from typing import Any

import pytest
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from reward_push.errors import StartError
from reward_push.settings import load
from reward_push.workers import supervisor as supervisor_module
from reward_push.workers.supervisor import KILL_AFTER_S, Supervisor
from reward_push.workers.task import LOG, READY, REFUSED, STDERR, STDOUT, TASK
from reward_push.workers.worker import FIRST_DELAY_S, LAST_DELAY_S, LASTED_S


class FakeProcess:
    """Records what it is given and sent."""

    def __init__(self, watched: Any, command: list[str], env: Any, descriptors: Any) -> None:
        self.watched, self.command, self.env, self.descriptors = watched, command, env, descriptors
        self.given = b""
        self.signals: list[str] = []
        self.over = False

    def writeToChild(self, descriptor: int, data: bytes) -> None:
        assert descriptor == TASK
        self.given += data

    def signalProcess(self, name: str) -> None:
        if self.over:
            raise ProcessExitedAlready
        self.signals.append(name)

    def serve(self) -> None:
        self.watched.childDataReceived(READY, b"\n")

    def end(self, status: int | None = None, by: int | None = None, words: bytes = b"") -> None:
        self.over = True
        self.watched.childDataReceived(STDERR, words)
        clean = status == 0
        self.watched.processEnded(
            Failure(ProcessDone(0) if clean else ProcessTerminated(status, by, None))
        )


class FakeReactor(Clock):
    """Time, and processes that do what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []
        self.stopped = 0
        self.trouble: OSError | None = None
        """Why no process can be started now."""

    def spawnProcess(
        self,
        watched: Any,
        executable: str,
        args: list[str],
        env: Any,
        childFDs: Any,  # noqa: N803
    ) -> FakeProcess:
        if self.trouble is not None:
            raise self.trouble
        self.processes.append(FakeProcess(watched, args, env, childFDs))
        return self.processes[-1]

    def callWhenRunning(self, call: Any) -> None:
        """Signals are not this test's."""

    def stop(self) -> None:
        self.stopped += 1


class Supervised:
    """Two workers."""

    def __init__(self) -> None:
        self.reactor = FakeReactor()
        options = {"node_id": "n", "redis_url": "redis://h", "workers": "2", "drain": "20"}
        self.supervisor = Supervisor(load(options, {}), self.reactor)
        self.supervisor.startService()

    @property
    def processes(self) -> list[FakeProcess]:
        return self.reactor.processes

    def alive(self) -> int:
        return sum(not each.over for each in self.processes)


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> Supervised:
    monkeypatch.setenv("REWARD_PUSH_BACKEND_KEY", "secret")
    monkeypatch.setenv("HARMLESS", "1")
    return Supervised()


def test_each_gets_its_task(supervised: Supervised) -> None:
    """And none of the variables that settings come from."""
    assert [each.command[-1] for each in supervised.processes] == ["1", "2"]
    assert b"n-1" in supervised.processes[0].given
    assert b"n-2" in supervised.processes[1].given
    for each in supervised.processes:
        assert "REWARD_PUSH_BACKEND_KEY" not in each.env
        assert each.env["HARMLESS"] == "1"
        assert each.descriptors[STDOUT] == 1
        assert {each.descriptors[fd] for fd in (STDERR, READY, LOG)} == {"r"}


def test_one_that_ends_is_started_anew(supervised: Supervised) -> None:
    """After a while that doubles, as long as it does not last; the other is left alone."""
    supervised.processes[1].serve()
    delay_s = FIRST_DELAY_S
    for _ in range(8):
        supervised.processes[-1].serve() if len(supervised.processes) > 2 else None
        first = (
            supervised.processes[0] if len(supervised.processes) == 2 else supervised.processes[-1]
        )
        first.end(by=9)
        assert supervised.alive() == 1
        supervised.reactor.advance(delay_s - 0.01)
        assert supervised.alive() == 1
        supervised.reactor.advance(0.01)
        assert supervised.alive() == 2
        assert supervised.processes[-1].command[-1] == "1"
        delay_s = min(2 * delay_s, LAST_DELAY_S)
    assert delay_s == LAST_DELAY_S
    # One that has lasted counts from the beginning.
    supervised.processes[-1].serve()
    supervised.reactor.advance(LASTED_S)
    supervised.processes[-1].end(status=0)
    supervised.reactor.advance(FIRST_DELAY_S)
    assert supervised.alive() == 2


def test_one_that_never_served_has_not_lasted(supervised: Supervised) -> None:
    supervised.reactor.advance(LASTED_S)
    supervised.processes[0].end(status=1)
    supervised.reactor.advance(FIRST_DELAY_S)
    supervised.reactor.advance(LASTED_S)
    supervised.processes[-1].end(status=1)
    supervised.reactor.advance(FIRST_DELAY_S)
    assert supervised.alive() == 1
    supervised.reactor.advance(FIRST_DELAY_S)
    assert supervised.alive() == 2


def test_one_that_cannot_be_started_is_tried_again(supervised: Supervised) -> None:
    """The machine has no memory, or no process, left for it at the moment."""
    supervised.processes[0].end(by=9)
    supervised.reactor.trouble = OSError(errno.EAGAIN, "Resource temporarily unavailable")
    supervised.reactor.advance(FIRST_DELAY_S)
    supervised.reactor.trouble = None
    assert supervised.alive() == 1
    supervised.reactor.advance(2 * FIRST_DELAY_S)
    assert supervised.alive() == 2
    assert supervised.processes[-1].command[-1] == "1"


def test_a_stop_is_passed_on_and_waited_for(supervised: Supervised) -> None:
    stopped: list[Any] = []
    supervised.supervisor.stopService().addCallback(stopped.append)
    assert [each.signals for each in supervised.processes] == [["TERM"], ["TERM"]]
    supervised.processes[0].end(status=0)
    assert stopped == []
    supervised.supervisor.hurry()
    assert [each.signals for each in supervised.processes] == [["TERM"], ["TERM", "INT"]]
    supervised.processes[1].end(by=15)
    assert len(stopped) == 1
    assert supervised.reactor.getDelayedCalls() == []
    supervised.reactor.advance(LAST_DELAY_S)
    assert supervised.alive() == 0


def test_those_that_do_not_stop_are_killed(supervised: Supervised) -> None:
    """But not before they have had the time to move their clients away."""
    supervised.supervisor.stopService()
    supervised.processes[0].end(status=0)
    supervised.reactor.advance(20 + KILL_AFTER_S - 0.1)
    assert supervised.processes[1].signals == ["TERM"]
    supervised.reactor.advance(0.1)
    assert supervised.processes[1].signals == ["TERM", "KILL"]


def test_a_stop_while_one_is_about_to_be_started_anew(supervised: Supervised) -> None:
    supervised.processes[0].end(by=9)
    stopped: list[Any] = []
    supervised.supervisor.stopService().addCallback(stopped.append)
    supervised.processes[1].end(status=0)
    assert len(stopped) == 1
    supervised.reactor.advance(LAST_DELAY_S)
    assert len(supervised.processes) == 2


def test_settings_that_no_worker_can_start_with(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said once, with status 1."""
    said = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", said)
    at_exit: list[Any] = []
    monkeypatch.setattr(supervisor_module.atexit, "register", lambda *call: at_exit.append(call))
    for each in supervised.processes:
        each.end(status=REFUSED, words=b"noise\nredis_url: wrong\n")
    assert supervised.reactor.stopped == 1
    assert [arguments for _, *arguments in at_exit] == [[1]]
    assert said.getvalue() == "redis_url: wrong\n"
    supervised.reactor.advance(LAST_DELAY_S)
    assert len(supervised.processes) == 2


def test_one_that_has_served_may_be_refused_later(supervised: Supervised) -> None:
    """Its port was taken in between, say: it is tried again."""
    supervised.processes[0].serve()
    supervised.processes[0].end(status=REFUSED, words=b"listen: in use\n")
    assert supervised.reactor.stopped == 0
    supervised.reactor.advance(FIRST_DELAY_S)
    supervised.processes[-1].end(status=REFUSED, words=b"listen: in use\n")
    assert supervised.reactor.stopped == 0
    supervised.reactor.advance(2 * FIRST_DELAY_S)
    assert supervised.alive() == 2


def test_settings_that_workers_cannot_have() -> None:
    options = {"redis_url": "redis://h", "workers": "2", "internal_listen": "unix:x"}
    with pytest.raises(StartError, match="internal_listen"):
        Supervisor(load(options, {}), FakeReactor())
