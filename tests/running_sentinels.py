"""Real Sentinels over a real master and its replica."""

from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from . import parts
from .free_port import free_port
from .redis_client import ReplyError
from .running_redis import RedisProcess, RunningRedis

SERVICE = "main"
DOWN_AFTER_MS = 1_500
"""How long a master must be silent to count as down: longer than a busy machine makes it."""
HURRY = ("INFO-PERIOD", 1_000, "PUBLISH-PERIOD", 500, "TILT-PERIOD", 1_000)
"""Also: a Sentinel that stood still trusts itself again after a second, and not after thirty."""


class RunningSentinel(RedisProcess):
    """One Sentinel."""

    def __init__(
        self,
        folder: Path,
        master: RunningRedis,
        *,
        quorum: int,
        master_password: str | None = None,
        password: str | None = None,
    ) -> None:
        port = free_port()
        lines = [
            f"port {port}",
            "bind 127.0.0.1",
            f"dir {folder}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} {quorum}",
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {SERVICE} 3000",
        ]
        if master_password is not None:
            lines.append(f"sentinel auth-pass {SERVICE} {master_password}")
        if password is not None:
            lines += [f"requirepass {password}", f"sentinel sentinel-pass {password}"]
        # A Sentinel keeps what it knows in its configuration.
        configuration = folder / f"sentinel-{port}.conf"
        configuration.write_text("\n".join([*lines, ""]))
        command = [str(parts.redis_server().binary), str(configuration), "--sentinel"]
        super().__init__("Sentinel", command, folder, port, password)

    def wait_started(self) -> None:
        """See :class:`.running_process.RunningProcess`. What it does every few seconds it does at once."""
        super().wait_started()
        with suppress(ReplyError):  # Redis before 7 cannot be told to hurry.
            self.call("SENTINEL", "DEBUG", *HURRY)

    def master(self) -> tuple[str, int]:
        """Where it says that the master is."""
        host, port = self.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return host, int(port)

    def state(self) -> dict[str, Any]:
        """What it knows of the master."""
        flat = self.call("SENTINEL", "MASTER", SERVICE)
        return dict(zip(flat[::2], flat[1::2], strict=True))


class RunningSentinels:
    """A master, a replica, and three Sentinels that agree by two.

    Args:
        folder: where logs and files are kept.
        password: of the default user of both servers.
        sentinel_password: of the Sentinels.
    """

    def __init__(
        self, folder: Path, password: str | None = None, sentinel_password: str | None = None
    ) -> None:
        self.first = RunningRedis(folder, password=password)
        self.second = RunningRedis(
            folder, "--replicaof", "127.0.0.1", str(self.first.port), password=password
        )
        self.sentinels = [
            RunningSentinel(
                folder,
                self.first,
                quorum=2,
                master_password=password,
                password=sentinel_password,
            )
            for _ in range(3)
        ]
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        login = "" if password is None else f":{quote(password, safe='')}@"
        query = ""
        if sentinel_password is not None:
            query = f"?sentinel_password={quote(sentinel_password, safe='')}"
        self.url = f"redis+sentinel://{login}{hosts}/{SERVICE}{query}"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            everybody = (self.first, self.second, *self.sentinels)
            for each in everybody:
                stack.callback(each.kill)
                each.launch()
            for each in everybody:
                each.wait_started()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def acquainted(self) -> bool:
        """Whether every Sentinel knows the other two and the replica: then a failover is possible."""
        states = [each.state() for each in self.sentinels]
        return (
            all(
                state["num-other-sentinels"] == "2" and state["num-slaves"] == "1"
                for state in states
            )
            and self._replicates()
        )

    def named(self) -> set[int]:
        """The ports that the Sentinels name as the master's."""
        return {each.master()[1] for each in self.sentinels}

    def _replicates(self) -> bool:
        return "master_link_status:up" in self.second.call("INFO", "replication")
