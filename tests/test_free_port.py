"""Ports that tests hand out: nobody gets another's."""

import socket
import subprocess
import sys
from pathlib import Path

from .free_port import free_port

HOLD = "from tests.free_port import free_port; print(*(free_port() for _ in range(2000)), flush=True); input()"


def test_no_port_comes_twice() -> None:
    ports = [free_port() for _ in range(2000)]
    assert len(set(ports)) == 2000


def test_nobody_listens_on_it() -> None:
    """Nor on those behind it."""
    first = free_port(in_a_row=3)
    for port in range(first, first + 3):
        with socket.create_server(("127.0.0.1", port), backlog=1):
            pass


def test_another_run_of_the_tests_gets_others() -> None:
    """As long as this one lasts, although nobody listens."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        theirs = set(map(int, other.stdout.readline().split()))
        ours = {free_port() for _ in range(2000)}
        other.communicate("\n")
    assert len(theirs) == len(ours) == 2000
    assert not theirs & ours
