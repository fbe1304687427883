"""A real Redis as a process of its own, on loopback."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import parts
from .certificates import Certificate
from .free_port import free_port
from .redis_client import RedisClient, ReplyError
from .running_process import RunningProcess


class RedisProcess(RunningProcess):
    """Whatever speaks Redis' protocol on a port of its own, which stays the same over restarts.

    Args:
        title: what it is.
        command: the program and its arguments.
        folder: where its log and its files are kept.
        port: where it listens, on loopback.
        password: what it wants from its default user.
        tls: its certificate; then it speaks nothing but TLS.
    """

    def __init__(
        self,
        title: str,
        command: Sequence[str],
        folder: Path,
        port: int,
        password: str | None,
        tls: Certificate | None = None,
    ) -> None:
        super().__init__(title, command, folder / f"{title.lower()}-{port}.log")
        self.port = port
        self._password = password
        self._tls = tls

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

    def answers(self) -> bool:
        """See :class:`.running_process.RunningProcess`."""
        try:
            return bool(self.call("PING") == "PONG")
        except ReplyError as error:
            return "LOADING" not in str(error)
        except OSError:
            return False


class RunningRedis(RedisProcess):
    """A Redis server.

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
        port = free_port()
        login = "" if password is None else f":{quote(password, safe='')}@"
        if tls is None:
            server = parts.redis_server()
            listening = ["--port", str(port)]
            self.url = f"redis://{login}127.0.0.1:{port}"
        else:
            server = parts.redis_server_with_tls()
            listening = ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
            listening += ["--tls-cert-file", str(tls.certificate), "--tls-key-file", str(tls.key)]
            listening += ["--tls-ca-cert-file", str(tls.root)]
            self.url = f"rediss://{login}localhost:{port}?ca={quote(str(tls.root))}"
        command = [
            str(server.binary),
            *(*listening, "--bind", "127.0.0.1"),
            *("--dir", str(folder), "--dbfilename", f"{port}.rdb", "--save", ""),
            *(() if password is None else ("--requirepass", password, "--masterauth", password)),
            *options,
        ]
        super().__init__("Redis", command, folder, port, password, tls)
