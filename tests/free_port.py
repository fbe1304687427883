"""Ports of loopback for servers that tests start: no two get the same, whichever run of the tests they belong to."""

import fcntl
import functools
import os
import random
import socket
import tempfile
import threading
from pathlib import Path

_FIRST, _FIRST_OUTGOING = 10_000, 32_768
_ATTEMPTS = 10_000
_CHOICE = random.SystemRandom()
_LOCK = threading.Lock()
_seen: set[int] = set()
"""The ports that were looked at: handed out, or somebody else's."""


def free_port(in_a_row: int = 1) -> int:
    """A port that nobody listens on, and that is handed out to nobody else while this process runs.

    Whoever got one may start to listen much later, or stop and start again. It is below the ports that outgoing
    connections get, so that none of those is in the way.

    Args:
        in_a_row: how many there are to be from the one that is returned on.
    """
    with _LOCK:
        for _ in range(_ATTEMPTS):
            first = _CHOICE.randrange(_FIRST, _FIRST_OUTGOING - in_a_row)
            if all(_is_had(port) for port in range(first, first + in_a_row)):
                return first
    raise AssertionError("there is no free port")


def _is_had(port: int) -> bool:
    """Take ``port`` for ourselves; ``False``: it cannot be had."""
    if port in _seen:
        return False
    _seen.add(port)
    return _claimed(port) and _listens_nobody(port)


def _claimed(port: int) -> bool:
    """Claim ``port`` against other processes, until the end of this one."""
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@functools.cache
def _claims() -> int:
    """A file whose bytes stand for ports: who has locked one has the port. It is never closed, and stays empty."""
    path = Path(tempfile.gettempdir()) / f"reward-push-tests-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _listens_nobody(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
