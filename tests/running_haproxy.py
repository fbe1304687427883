"""A real HAProxy as a process of its own, on loopback, that runs the file of ``deploy/haproxy``."""

import csv
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from . import parts
from .running_redis import free_port

DEPLOYED = Path(__file__).parent.parent / "deploy" / "haproxy" / "haproxy.cfg"
"""The file for operators."""
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0
_SERVERS = re.compile(r"(?:^ +server .*\n)+", re.MULTILINE)


class RunningHAProxy:
    """An HAProxy in front of some nodes, on a port that stays the same over restarts.

    It runs ``template`` as it is, but for its ``server`` lines: ``node1``, ``node2``… are ``backends``.

    Args:
        folder: where its configuration and its log are kept.
        backends: the ports of the nodes, on loopback.
        sticky: whether a cookie leads a client back to its node.
        template: the configuration.
        variables: more of the variables that the configuration explains, such as ``IDLE_TIMEOUT="2s"``.
    """

    def __init__(
        self,
        folder: Path,
        backends: Sequence[int],
        *,
        sticky: bool = True,
        template: Path = DEPLOYED,
        **variables: str,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = folder / f"haproxy-{self.port}.log"
        self.names = tuple(f"node{number}" for number, _ in enumerate(backends, 1))
        self.config_file = folder / f"haproxy-{self.port}.cfg"
        self.config_file.write_text(
            with_servers(template, dict(zip(self.names, backends, strict=True)))
        )
        self._variables = {
            "LISTEN": f"127.0.0.1:{self.port}",
            "STICKY": "yes" if sticky else "no",
            "MAXCONN": "2000",
            "RUN_AS": "",
            **variables,
        }
        self._sockets: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process and wait until it answers on its admin socket. Nodes need not be there yet."""
        assert self._process is None, "it runs"
        # Not in ``folder``: the path of a socket may have 100 characters.
        self._sockets = Path(tempfile.mkdtemp(prefix="haproxy-"))
        variables = {**self._variables, "ADMIN_SOCKET": str(self._admin_socket)}
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [str(parts.haproxy()), "-db", "-f", str(self.config_file)],
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            status = self._process.poll()
            if status is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"HAProxy did not start ({status}):\n{self.log()}")
            time.sleep(0.01)  # another process: there is nothing to wait on but its socket

    def stop(self) -> None:
        """Stop it at once (SIGTERM): all its connections are cut. Again is no harm."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does (SIGKILL). Again is no harm."""
        self._end(signal.SIGKILL)

    def command(self, text: str) -> str:
        """Give an order on the admin socket and return what it says."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(START_TIMEOUT_S)
            connection.connect(str(self._admin_socket))
            connection.sendall(text.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def states(self) -> Mapping[str, str]:
        """Return what it thinks of each node: ``UP``, ``DOWN``, ``DRAIN``, ``MAINT``, ``UP 1/2``…"""
        return {name: row["status"] for name, row in self._statistics().items()}

    def wait_for(self, states: Mapping[str, str], timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until it thinks so of the nodes named in ``states``."""
        deadline = time.monotonic() + timeout_s
        while not states.items() <= (found := self.states()).items():
            assert time.monotonic() < deadline, f"{dict(found)}, not {dict(states)}:\n{self.log()}"
            time.sleep(0.05)  # another process: there is nothing to wait on but what it says

    def wait_until_up(self) -> None:
        """Wait until it has asked every node and found it healthy."""
        # It takes nodes for healthy before it has asked them.
        deadline = time.monotonic() + START_TIMEOUT_S
        while {row["check_status"] for row in self._statistics().values()} != {"L7OK"}:
            assert time.monotonic() < deadline, f"{dict(self.states())}:\n{self.log()}"
            time.sleep(0.05)  # another process: there is nothing to wait on but what it says
        self.wait_for(dict.fromkeys(self.names, "UP"))

    def set_state(self, name: str, state: str) -> None:
        """Make a node ``ready``, ``drain`` or ``maint`` by hand."""
        said = self.command(f"set server nodes/{name} state {state}").strip()
        assert not said, said

    def log(self) -> str:
        """What it has written: a line a request, and what it thinks of nodes."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def _admin_socket(self) -> Path:
        assert self._sockets is not None
        return self._sockets / "admin"

    def _statistics(self) -> dict[str, dict[str, str]]:
        rows = csv.DictReader(self.command("show stat").removeprefix("# ").splitlines())
        named = {row["svname"]: row for row in rows if row["pxname"] == "nodes"}
        return {name: named[name] for name in self.names}

    def _answers(self) -> bool:
        try:
            return "Uptime" in self.command("show info")
        except OSError:
            return False

    def _end(self, with_signal: signal.Signals) -> None:
        process, self._process = self._process, None
        sockets, self._sockets = self._sockets, None
        if process is not None:
            process.send_signal(with_signal)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise AssertionError(
                    f"not gone {STOP_TIMEOUT_S} s after {with_signal.name}"
                ) from None
        if sockets is not None:
            shutil.rmtree(sockets, ignore_errors=True)


def with_servers(template: Path, ports: Mapping[str, int]) -> str:
    """Return the configuration ``template`` with ``ports`` of loopback in place of its servers."""
    servers = "".join(f"    server {name} 127.0.0.1:{port}\n" for name, port in ports.items())
    text, places = _SERVERS.subn(servers, template.read_text())
    assert places == 1, f"{template} has {places} blocks of server lines"
    return text
