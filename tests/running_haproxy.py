"""A real HAProxy as a process of its own, on loopback, that runs the file of ``deploy/haproxy``."""

import csv
import os
import re
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import parts
from .free_port import free_port
from .running_process import RunningProcess
from .until import PATIENCE_S, until

DEPLOYED = Path(__file__).parent.parent / "deploy" / "haproxy" / "haproxy.cfg"
"""The file for operators."""
ADMIN_TIMEOUT_S = 20.0
_SERVERS = re.compile(r"(?:^ +server .*\n)+", re.MULTILINE)


class RunningHAProxy(RunningProcess):
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
        self.names = tuple(f"node{number}" for number, _ in enumerate(backends, 1))
        config_file = folder / f"haproxy-{self.port}.cfg"
        config_file.write_text(with_servers(template, dict(zip(self.names, backends, strict=True))))
        self._admin = ("127.0.0.1", free_port())
        self._variables = {
            "LISTEN": f"127.0.0.1:{self.port}",
            "ADMIN_SOCKET": "ipv4@{}:{}".format(*self._admin),
            "STICKY": "yes" if sticky else "no",
            "MAXCONN": "2000",
            "RUN_AS": "",
            **variables,
        }
        command = [str(parts.haproxy()), "-db", "-f", str(config_file)]
        super().__init__("HAProxy", command, folder / f"haproxy-{self.port}.log")

    def environment(self) -> Mapping[str, str]:
        """See :class:`.running_process.RunningProcess`."""
        return {**os.environ, **self._variables}

    def answers(self) -> bool:
        """Whether it answers on its admin socket. Nodes need not be there yet."""
        try:
            return "Uptime" in self.command("show info")
        except OSError:
            return False

    def command(self, text: str) -> str:
        """Give an order on the admin socket and return what it says."""
        with socket.create_connection(self._admin, ADMIN_TIMEOUT_S) as connection:
            connection.sendall(text.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def states(self) -> Mapping[str, str]:
        """Return what it thinks of each node: ``UP``, ``DOWN``, ``DRAIN``, ``MAINT``, ``UP 1/2``…"""
        return {name: row["status"] for name, row in self._statistics().items()}

    def wait_for(self, states: Mapping[str, str], patience_s: float = PATIENCE_S) -> None:
        """Wait until it thinks so of the nodes named in ``states``."""
        until(
            lambda: states.items() <= self.states().items(),
            patience_s,
            lambda: f"{dict(self.states())}, not {dict(states)}:\n{self.log()}",
        )

    def wait_until_up(self) -> None:
        """Wait until it has asked every node and found it healthy."""

        def checked() -> bool:
            """It takes nodes for healthy before it has asked them."""
            return {row["check_status"] for row in self._statistics().values()} == {"L7OK"}

        until(checked, said=lambda: f"{dict(self.states())}:\n{self.log()}")
        self.wait_for(dict.fromkeys(self.names, "UP"))

    def set_state(self, name: str, state: str) -> None:
        """Make a node ``ready``, ``drain`` or ``maint`` by hand."""
        said = self.command(f"set server nodes/{name} state {state}").strip()
        assert not said, said

    def _statistics(self) -> dict[str, dict[str, str]]:
        rows = csv.DictReader(self.command("show stat").removeprefix("# ").splitlines())
        named = {row["svname"]: row for row in rows if row["pxname"] == "nodes"}
        return {name: named[name] for name in self.names}


def with_servers(template: Path, ports: Mapping[str, int]) -> str:
    """Return the configuration ``template`` with ``ports`` of loopback in place of its servers."""
    servers = "".join(f"    server {name} 127.0.0.1:{port}\n" for name, port in ports.items())
    text, places = _SERVERS.subn(servers, template.read_text())
    assert places == 1, f"{template} has {places} blocks of server lines"
    return text
