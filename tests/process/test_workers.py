"""Several workers, as an operator meets them: one port, one log, one process to stop."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..free_port import free_port
from ..protocol.wire import Client, open_websocket, request
from ..running_redis import RunningRedis
from ..until import until

TIMEOUT_S = 60.0
KEY = "a-backend-key-of-ours"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    with RunningRedis(tmp_path_factory.mktemp("redis")) as running:
        yield running


class Workers:
    """``twistd -n reward-push --workers N``, and its log."""

    def __init__(
        self,
        folder: Path,
        redis: RunningRedis,
        *options: str,
        workers: int = 2,
        listen: str = "",
        drain: str = "0",
    ) -> None:
        self.folder = folder
        self.count = workers
        self.port = free_port()
        self.internal_port = free_port(in_a_row=workers)
        self.log_file = folder / "log"
        environ = {k: v for k, v in os.environ.items() if not k.startswith("REWARD_PUSH_")}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("twistd")),
                    *("-n", "--pidfile=pid", "reward-push", "--workers", str(workers)),
                    *("--listen", listen or f"tcp:{self.port}:interface=127.0.0.1"),
                    *("--internal-listen", f"tcp:{self.internal_port}:interface=127.0.0.1"),
                    *("--node-id", "w", "--redis-prefix", f"{folder.name[:20]}:"),
                    *("--log-format", "json", "--max-connections-per-ip", "0"),
                    *("--connect-rate-per-ip", "0", "--drain", drain, *options),
                ],
                cwd=folder,
                env={
                    **environ,
                    "REWARD_PUSH_REDIS_URL": redis.url,
                    "REWARD_PUSH_BACKEND_KEY": KEY,
                },
                stdout=log,
                stderr=subprocess.PIPE,
                text=True,
            )

    def log(self) -> list[Any]:
        """All lines of its log."""
        written, _, _ = self.log_file.read_text().rpartition("\n")  # the last may not be whole yet
        return [json.loads(line) for line in written.splitlines()]

    def call(self, path: str, worker: int = 1) -> Any:
        """Call the API at a worker's own port."""
        url = f"http://127.0.0.1:{self.internal_port + worker - 1}{path}"
        asked = urllib.request.Request(url, headers={"Authorization": f"ApiKey {KEY}"})
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:
            return answer.read()

    def ready(self) -> None:
        """Wait until all are, and know each other."""

        def knows_all(worker: int) -> bool:
            try:
                self.call("/readyz", worker)
                return len(json.loads(self.call("/v1/nodes", worker))["items"]) == self.count
            except OSError:
                return False

        self.until(lambda: all(knows_all(each + 1) for each in range(self.count)))

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that they do."""

        def holds() -> bool:
            assert self.process.poll() is None, self.log_file.read_text()
            return bool(condition())

        until(holds, said=self.log_file.read_text)

    def pids(self) -> list[int]:
        """The workers alive, in their order."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        found = []
        for pid in map(int, children.split()):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if words != [b""]:  # one that has just ended
                found.append((int(words[-2]), pid))
        return [pid for _, pid in sorted(found)]

    def served_by(self) -> str:
        """Which worker answers a new connection."""
        return request(self.port, "GET", "/healthcheck").headers["x-node-id"]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the status and what it said on its standard error."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """Wait for its end."""
        _, said = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, said


@pytest.fixture
def start(tmp_path: Path, redis: RunningRedis) -> Iterator[Callable[..., Workers]]:
    """Start workers, to be ended after the test."""
    started: list[Workers] = []

    def starting(*options: str, **more: Any) -> Workers:
        folder = tmp_path / f"{os.getpid()}-{tmp_path.name[-12:]}-{len(started)}"
        folder.mkdir()
        started.append(Workers(folder, redis, *options, **more))
        return started[-1]

    yield starting
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_one_port_several_nodes(start: Callable[..., Workers]) -> None:
    """All of them get connections; each is a node of its own; a session is found by whichever is asked."""
    workers = start(workers=3)
    workers.ready()
    served = Counter(workers.served_by() for _ in range(300))
    assert set(served) == {"w-1", "w-2", "w-3"}
    assert min(served.values()) >= 50, served
    for _ in range(5):
        client = Client(workers.port)
        for number in range(10):
            client.say("40" if number == 0 else "2" if client.eio == 3 else "3")
    websocket = open_websocket(workers.port, headers=[("Authorization", f"ApiKey {KEY}")])
    websocket.say("40")
    assert websocket.text().startswith("44")  # a backend key is none for plugins
    nodes = json.loads(workers.call("/v1/nodes", 2))["items"]
    assert [each["node"] for each in nodes] == ["w-1", "w-2", "w-3"]
    for worker in (1, 2, 3):
        assert f'node="w-{worker}"' in workers.call("/metrics", worker).decode()


def test_one_log_one_pid_file_no_secrets(start: Callable[..., Workers]) -> None:
    """The log is JSON from the first line to the last, with the number of who says it."""
    workers = start()
    workers.ready()
    assert int((workers.folder / "pid").read_text()) == workers.process.pid
    pids = workers.pids()
    for pid in pids:
        for file in ("cmdline", "environ"):
            seen = Path(f"/proc/{pid}/{file}").read_bytes()
            assert KEY.encode() not in seen
            assert b"redis://" not in seen
    workers.end()
    assert all(map(gone, pids))
    assert not (workers.folder / "pid").exists()
    lines = workers.log()
    assert {line.get("worker") for line in lines} == {None, 1, 2}
    starts = [line for line in lines if "EdgeSite starting on" in line["message"]]
    assert sorted(line["worker"] for line in starts) == [1, 1, 2, 2]
    assert all({"time", "level", "namespace", "message"} <= line.keys() for line in lines)
    assert [line for line in lines if "failure" in line or line["level"] == "error"] == []
    assert KEY not in workers.log_file.read_text()


def test_a_worker_that_dies_is_started_anew(start: Callable[..., Workers]) -> None:
    """The others serve meanwhile; the new one is the same node to everybody."""
    workers = start()
    workers.ready()
    first, second = workers.pids()

    def all_by_the_other() -> bool:
        # Whoever was about to be accepted by it is reset, and nobody else.
        try:
            return {workers.served_by() for _ in range(20)} == {"w-2"}
        except ConnectionError:
            return False

    # A parent that stands still starts nobody: there is time to look.
    workers.process.send_signal(signal.SIGSTOP)
    try:
        os.kill(first, signal.SIGKILL)
        workers.until(lambda: gone(first))
        workers.until(all_by_the_other)
    finally:
        workers.process.send_signal(signal.SIGCONT)
    workers.until(lambda: len(workers.pids()) == 2)
    workers.ready()
    assert first not in workers.pids()
    assert second in workers.pids()
    workers.until(lambda: workers.served_by() == "w-1")
    said = [line["message"] for line in workers.log() if line["level"] == "error"]
    assert said == ["worker 1 has ended (signal 9): it is started anew in 1 s"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_reaches_all_and_waits(start: Callable[..., Workers], number: int) -> None:
    """Clients are sent away, and nothing is left running."""
    workers = start()
    workers.ready()
    websockets = [open_websocket(workers.port) for _ in range(10)]
    pids = workers.pids()
    workers.end(number)
    assert all(map(gone, pids))
    for websocket in websockets:
        assert websocket.close_code() == 1001


def test_a_second_signal_means_at_once(start: Callable[..., Workers]) -> None:
    """Clients would be moved away over an hour; the port stays open until then."""
    workers = start(drain="3600")
    workers.ready()
    websockets = [open_websocket(workers.port) for _ in range(10)]
    workers.process.send_signal(signal.SIGTERM)
    workers.until(lambda: request(workers.port, "GET", "/healthcheck").status == 503)
    pids = workers.pids()
    assert len(pids) == 2
    workers.end()
    assert all(map(gone, pids))
    for websocket in websockets:
        assert websocket.close_code() == 1001


def test_workers_do_not_outlive_their_parent(start: Callable[..., Workers]) -> None:
    """However it has come to its end."""
    workers = start()
    workers.ready()
    pids = workers.pids()
    workers.process.kill()
    workers.process.communicate()
    until(lambda: all(map(gone, pids)))


def test_any_free_port_is_one(start: Callable[..., Workers]) -> None:
    """``tcp:0`` is the same port for all."""
    workers = start(listen="tcp:0:interface=127.0.0.1")
    workers.ready()
    said = [line["message"] for line in workers.log() if "EdgeSite starting on" in line["message"]]
    ports = Counter(re.findall(r"starting on (\d+)", " ".join(said)))
    [port] = [int(port) for port, times in ports.items() if times == 2]
    answered = {request(port, "GET", "/healthcheck").headers["x-node-id"] for _ in range(50)}
    assert answered == {"w-1", "w-2"}


def refused(workers: Workers) -> str:
    """Return the one line with which they do not start."""
    status, said = workers.ended()
    assert status == 1, (status, said, workers.log_file.read_text())
    assert said.count("\n") == 1, said
    assert "Traceback" not in workers.log_file.read_text()
    return said.strip()


def test_ports_that_cannot_be_shared(start: Callable[..., Workers]) -> None:
    assert "workers cannot share a unix: endpoint" in refused(start(listen="unix:socket"))


def test_a_port_that_is_taken(start: Callable[..., Workers]) -> None:
    """By anybody, other workers included, who would share it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(start(listen=f"tcp:{port}:interface=127.0.0.1"))
    assert f"listen = 'tcp:{port}:interface=127.0.0.1': Couldn't listen on 127.0.0.1:{port}" in said
    first = start()
    first.ready()
    said = refused(start(listen=f"tcp:{first.port}:interface=127.0.0.1"))
    assert f": Couldn't listen on 127.0.0.1:{first.port}" in said
    assert first.served_by() in ("w-1", "w-2")


def test_what_a_worker_cannot_have_stops_all(start: Callable[..., Workers]) -> None:
    """At the first start, with its reason; nothing is left running."""
    port = free_port(in_a_row=2)
    with socket.create_server(("127.0.0.1", port + 1)):
        said = refused(start("--cluster-listen", f"tcp:{port}:interface=127.0.0.1"))
    assert (
        f"cluster_listen = 'tcp:{port + 1}:interface=127.0.0.1': Couldn't listen on 127.0.0.1:{port + 1}"
        in said
    )


def test_without_redis_there_are_none(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "reward-push"]
    done = subprocess.run(
        [*command, "--workers", "2"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 1
    assert "workers" in done.stderr
    assert "needs redis_url" in done.stderr
    assert done.stderr.count("\n") == 1
