"""UNIX sockets that were left behind, with real ones."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as installed
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol

from reward_push.transports.listening import listening
from reward_push.transports.unix_lock import clear

REACTOR: Any = installed


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    # A socket's name must not be long.
    before = os.getcwd()
    os.chdir(tmp_path)
    yield "node.sock"
    os.chdir(before)


def leave_behind(path: str, pid: int) -> None:
    """Leave what a process leaves that listened, and was killed."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
        left.listen()
    os.symlink(str(pid), path + ".lock")


async def listens(path: str) -> None:
    """Listen as a node does, see that somebody does, and stop."""
    service = listening(f"unix:{path}", Factory.forProtocol(Protocol), REACTOR)
    service.privilegedStartService()
    service.startService()
    try:
        assert os.readlink(path + ".lock") == str(os.getpid())
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
    finally:
        await service.stopService()
    assert not os.path.lexists(path + ".lock")


@pytest.mark.parametrize("whose", ["own", "gone"])
@pytest.mark.parametrize("is_there", [True, False])
@pytest_twisted.ensureDeferred
async def test_what_a_killed_process_has_left_is_cleared_away(
    path: str, whose: str, is_there: bool
) -> None:
    """Also that of a process with the number of this one, as in a container."""
    if whose == "own":
        pid = os.getpid()
    else:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        pid = gone.pid
    leave_behind(path, pid)
    if not is_there:
        os.unlink(path)
    await listens(path)


def test_a_socket_that_is_listened_to_is_left_alone(path: str) -> None:
    """Whatever its lock says: this process may listen there itself, or one of another container."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        os.symlink(str(os.getpid()), path + ".lock")
        service = listening(f"unix:{path}", Factory(), REACTOR)
        with pytest.raises(CannotListenError):
            service.privilegedStartService()
        assert os.readlink(path + ".lock") == str(os.getpid())
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)


def test_a_full_queue_is_one_of_somebody_who_listens(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(path)
        busy.listen(0)
        first.setblocking(False)
        first.connect(path)
        os.symlink(str(os.getpid()), path + ".lock")
        with pytest.raises(CannotListenError):
            listening(f"unix:{path}", Factory(), REACTOR).privilegedStartService()
        assert os.path.lexists(path)


def test_the_lock_of_another_process_is_believed(path: str) -> None:
    leave_behind(path, os.getppid())
    with pytest.raises(CannotListenError):
        listening(f"unix:{path}", Factory(), REACTOR).privilegedStartService()
    assert os.readlink(path + ".lock") == str(os.getppid())


def test_what_is_no_socket_is_not_removed(path: str) -> None:
    Path(path).write_text("mine")
    os.symlink(str(os.getpid()), path + ".lock")
    clear(path)
    assert Path(path).read_text() == "mine"
    assert not os.path.lexists(path + ".lock")


@pytest_twisted.ensureDeferred
async def test_without_a_lock_there_is_nothing_to_be_cleared(path: str) -> None:
    service = listening(f"unix:{path}:lockfile=0", Factory(), REACTOR)
    service.privilegedStartService()
    service.startService()
    assert not os.path.lexists(path + ".lock")
    await service.stopService()
