"""Small nodes as processes: started, paused, killed, and listened to."""

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .small_node import Ports

PATIENCE_S = 60.0


class RunningSmallNode:
    """One of them. ``options`` are those of :class:`.small_node.SmallNode`."""

    def __init__(self, node_id: str, redis_port: int, **options: Any) -> None:
        self.node_id = node_id
        # A ping would be the answer to a poll that is held for something else.
        engine = {"max_packet_bytes": 1024, "max_payload_bytes": 65536, "ping_interval_s": 300.0}
        options["engine"] = {**engine, **options.get("engine", {})}
        self._options = {"node_id": node_id, "redis_port": redis_port, "secret": "s", **options}
        self._lines: queue.Queue[Any] = queue.Queue()
        self.ports: Ports

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.cluster.small_node", json.dumps(self._options)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.ports = Ports(**self._next())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.poll() is None:
            self.resume()
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process.stdout.close()

    @property
    def port(self) -> int:
        """Where its clients connect."""
        return self.ports.clients

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Freeze it."""
        self._process.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self._process.pid}/stat")
        deadline = time.monotonic() + PATIENCE_S
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < deadline
            time.sleep(0.001)  # another process: there is nothing else to wait on

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def reason_of(self, sid: str) -> str:
        """Wait until a session is over; return why."""
        while (event := self._next()).get("closed") != sid:
            pass
        return str(event["reason"])

    def _next(self) -> Any:
        line = self._lines.get(timeout=PATIENCE_S)
        assert line is not None, f"{self.node_id} has ended"
        return line

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)
