"""Runs the plugins: a few processes of stock clients, each with many of them."""

import json
import subprocess
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests import parts
from tests.clients.setups import Client

from .cast import Plugin

CLIENTS = Path(parts.__file__).parent / "clients"
DRIVERS = Path(__file__).parent / "drivers"
MOST_IN_ONE = 100
"""Plugins in one process."""
END_TIMEOUT_S = 10.0

Report = Mapping[str, Any]


class Crowd:
    """Plugins that are connected from :meth:`open` to the end of ``with``, whatever happens to them.

    Args:
        url: what they connect to.
        hear: is told of every report of a driver, in a thread of that driver.
    """

    def __init__(self, url: str, hear: Callable[[Report], None]) -> None:
        self._url = url
        self._hear = hear
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        self._errors: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.close()
        for process in self._processes:
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for thread in self._threads:
            thread.join()
        for each in self._errors:
            each.close()

    def open(self, plugins: Sequence[Plugin]) -> None:
        """Let ``plugins`` connect."""
        by_client: defaultdict[Client, list[Plugin]] = defaultdict(list)
        for plugin in plugins:
            by_client[plugin.client].append(plugin)
        for client, members in by_client.items():
            for start in range(0, len(members), MOST_IN_ONE):
                self._run(_command(client), members[start : start + MOST_IN_ONE])

    def check(self) -> None:
        """Fail if a driver has ended."""
        for process, errors in zip(self._processes, self._errors, strict=True):
            if process.poll() is not None:
                raise AssertionError(f"a driver ended:\n{_end_of(errors)}")

    def _run(self, command: Sequence[str], plugins: Sequence[Plugin]) -> None:
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the crowd
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        thread = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._processes.append(process)
        self._errors.append(errors)
        self._threads.append(thread)
        thread.start()
        assert process.stdin is not None
        for plugin in plugins:
            wanted = {
                "d": plugin.device,
                "url": self._url,
                "ns": "/dropcodes",
                "path": "/websockets",
                "transports": plugin.transports,
                "eio": plugin.client.eio,
                "key": plugin.key,
                "acks": plugin.acks,
            }
            process.stdin.write(json.dumps(wanted).encode() + b"\n")
        process.stdin.flush()

    def _read(self, lines: IO[bytes]) -> None:
        with lines:
            for line in lines:
                self._hear(json.loads(line))


def _command(client: Client) -> list[str]:
    if client.is_js:
        package = parts.js_packages(CLIENTS) / client.package
        return [str(parts.node().node), str(DRIVERS / "crowd.js"), str(package)]
    interpreter = parts.python_environment(CLIENTS / f"{client.package}.txt")
    return [str(interpreter), str(DRIVERS / "crowd.py")]


def _end_of(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read()[-4000:].decode(errors="replace")
