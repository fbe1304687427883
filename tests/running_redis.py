"""A real Redis as a process of its own, on loopback."""

import os
import secrets
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from . import parts
from .certificates import Certificate
from .redis_client import RedisClient, ReplyError

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0
_FIRST_PORT, _FIRST_OUTGOING_PORT = 10_000, 32_768


class RunningRedis:
    """A Redis server on a port of its own, which stays the same over restarts.

    It keeps nothing on disk unless ``options`` say so (``"--appendonly", "yes"``): then it comes back empty.

    Args:
        folder: where its log and its files are kept.
        options: more options of ``redis-server``.
        password: what it wants from its default user.
        tls: its certificate; then it speaks nothing but TLS, to ``localhost`` and 127.0.0.1.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        password: str | None = None,
        tls: Certificate | None = None,
    ) -> None:
        self.port = free_port()
        self.log_file = folder / f"redis-{self.port}.log"
        self._password = password
        self._tls = tls
        login = "" if password is None else f":{quote(password, safe='')}@"
        if tls is None:
            server = parts.redis_server()
            listening = ["--port", str(self.port)]
            self.url = f"redis://{login}127.0.0.1:{self.port}"
        else:
            server = parts.redis_server_with_tls()
            listening = ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            listening += ["--tls-cert-file", str(tls.certificate), "--tls-key-file", str(tls.key)]
            listening += ["--tls-ca-cert-file", str(tls.root)]
            self.url = f"rediss://{login}localhost:{self.port}?ca={quote(str(tls.root))}"
        self._command = [
            str(server.binary),
            *(*listening, "--bind", "127.0.0.1"),
            *("--dir", str(folder), "--dbfilename", f"{self.port}.rdb", "--save", ""),
            *(() if password is None else ("--requirepass", password, "--masterauth", password)),
            *options,
        ]
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
        self.kill()

    def start(self) -> None:
        """Start the process and wait until it answers."""
        assert self._process is None, "it runs"
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            status = self._process.poll()
            if status is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"Redis did not start ({status}):\n{self.log()}")
            time.sleep(0.01)  # another process: there is nothing to wait on but its port

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Stop it in order (SIGTERM)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does (SIGKILL), paused or not; again is no harm."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it again: empty, unless its options make it keep its data."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> RedisClient:
        """Open a connection that blocks, logged in."""
        client = RedisClient(self.port, None if self._tls is None else self._tls.trusting())
        if self._password is not None:
            try:
                client.call("AUTH", self._password)
            except BaseException:
                client.close()
                raise
        return client

    def call(self, *words: str | bytes | int) -> Any:
        """Send one command on a connection of its own and return its reply."""
        with self.client() as client:
            return client.call(*words)

    def log(self) -> str:
        """What it has written."""
        return self.log_file.read_text(errors="replace")

    def _answers(self) -> bool:
        try:
            return bool(self.call("PING") == "PONG")
        except ReplyError as error:
            return "LOADING" not in str(error)
        except OSError:
            return False

    def _end(self, with_signal: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(with_signal)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            raise AssertionError(f"not gone {STOP_TIMEOUT_S} s after {with_signal.name}") from None


def free_port() -> int:
    """A port of loopback that nobody listens on.

    It is below those that outgoing connections get: a server finds it free when it is restarted.
    """
    while True:
        port = _FIRST_PORT + secrets.randbelow(_FIRST_OUTGOING_PORT - _FIRST_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
