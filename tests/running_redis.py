"""A real Redis as a process of its own, on loopback, with nothing kept on disk unless it is asked to."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from . import parts

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0


class RunningRedis:
    """A Redis on a port and a folder of its own, which stay the same over restarts.

    Args:
        folder: where its data and its log are kept.
        options: more options of ``redis-server``; the last of a kind counts.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.log_file = folder / "redis.log"
        self.data = folder / "redis"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, as a node is told."""
        return f"redis://127.0.0.1:{self.port}"

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

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process is not None
        return self._process.pid

    def command(self) -> list[str]:
        """What is started."""
        return [
            str(parts.redis_server()),
            *("--port", str(self.port)),
            *("--bind", "127.0.0.1"),
            *("--dir", str(self.data)),
            *("--save", ""),
            *("--appendonly", "no"),
            *self._options,
        ]

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.data.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ.get("PATH", "")},
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.answers():
            status = self._process.poll()
            if status is not None:
                raise AssertionError(f"redis-server ended with {status}:\n{self.log()}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"no answer in {START_TIMEOUT_S} s:\n{self.log()}")
            time.sleep(0.02)  # another process: there is nothing to wait on but its port

    def answers(self) -> bool:
        """Whether it can be talked to: it has loaded what it keeps, or wants a password first."""
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(100).startswith((b"+PONG", b"-NOAUTH"))
        return False

    def stop(self) -> None:
        """Ask it to stop (SIGTERM) and wait until it has. Idempotent."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does (SIGKILL). Idempotent."""
        self._end(signal.SIGKILL)

    def restart_empty(self) -> None:
        """Have it come back without anything it knew."""
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)
        self.start()

    def pause(self) -> None:
        """Have it do nothing, though its connections stay, until :meth:`resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        os.kill(self.pid, signal.SIGCONT)

    def log(self) -> str:
        """All it has logged since its first start."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def _end(self, with_signal: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(with_signal)
        process.send_signal(signal.SIGCONT)  # It may be paused.
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(
                f"not gone {STOP_TIMEOUT_S} s after {with_signal.name}:\n{self.log()}"
            ) from None


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
