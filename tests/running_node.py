"""A real node as a process of its own: ``twistd -n reward-push`` on loopback, with a SQLite file."""

import http.client
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0
CALL_TIMEOUT_S = 30.0
LONGEST_IDLE_S = 30.0
"""A backend's connection that was idle for longer is not used again: the node may be closing it."""
ONE_ADDRESS = (
    *("--connect-rate-per-ip", "0"),
    *("--max-connections-per-ip", "0"),
    *("--auth-failures-per-ip", "0"),
)
"""Options for tests whose many clients have one address between them: the limits per address are off."""
_ERROR_MARKS = ("Traceback", "Unhandled")

Json = Mapping[str, Any]


@attrs.frozen
class PluginKey:
    """A plugin key that the node made, and the streamer it belongs to."""

    key: str
    streamer: str


class Backend:
    """A backend's connection to a node's HTTP API, kept open between calls. Threads may share it."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CALL_TIMEOUT_S)
        self._headers = {"Authorization": f"ApiKey {key}", "Content-Type": "application/json"}
        self._lock = threading.Lock()
        self._used_at = time.monotonic()

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send a request and return the status and the decoded JSON."""
        content = None if body is None else json.dumps(body).encode()
        with self._lock:
            if time.monotonic() - self._used_at > LONGEST_IDLE_S:
                self._connection.close()
            self._used_at = time.monotonic()
            try:
                self._connection.request(method, path, content, self._headers)
                response = self._connection.getresponse()
                return response.status, json.loads(response.read())
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        with self._lock:
            self._connection.close()


class RunningNode:
    """A node on a port and a store of its own, which stay the same over restarts.

    Args:
        folder: where its store and its log are kept.
        options: more options of ``reward-push``.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = folder / "node.log"
        self._command = [
            str(Path(sys.executable).with_name("twistd")),
            *("-n", "--pidfile=", "reward-push"),
            *("--listen", f"tcp:{self.port}:interface=127.0.0.1"),
            *("--store", str(folder / "store.sqlite3")),
            *options,
        ]
        self._folder = folder
        self.backend_key = secrets.token_urlsafe(32)
        self._process: subprocess.Popen[bytes] | None = None
        self._streamers = itertools.count(1)
        self.backend = Backend(self.port, self.backend_key)

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
        if error is None:
            self.check_log()

    def start(self) -> None:
        """Start the process and wait until it answers ``/healthcheck`` with 200."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("REWARD_PUSH_")}
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env={**inherited, "REWARD_PUSH_BACKEND_KEY": self.backend_key},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._healthy():
            status = self._process.poll()
            if status is not None:
                raise AssertionError(f"the node ended with {status} at its start:\n{self.log()}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"no /healthcheck in {START_TIMEOUT_S} s:\n{self.log()}")
            time.sleep(0.05)  # another process: there is nothing to wait on but its port

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End it as a crash does (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to stop (SIGTERM) and wait until it has."""
        self._end(signal.SIGTERM)

    def plugin_key(self, **fields: object) -> PluginKey:
        """Create a plugin key, for a streamer of its own unless ``streamer`` is given."""
        streamer = str(fields.pop("streamer", f"s-{next(self._streamers)}"))
        body = {"kind": "plugin", "streamer": streamer, **fields}
        status, answer = self.backend.call("POST", "/v1/keys", body)
        assert status == 201, (status, answer)
        return PluginKey(str(answer["key"]), streamer)

    def publish(self, streamer: str, data: object, **fields: object) -> Json:
        """Post one message to a streamer; return it as the node understood it."""
        status, answer = self.backend.call(
            "POST", "/v1/messages", message(streamer, data, **fields)
        )
        assert status == 201, (status, answer)
        return dict(answer)

    def publish_batch(self, messages: Sequence[Json]) -> None:
        """Post several messages at once (made with :func:`message`)."""
        body = {"messages": list(messages)}
        status, answer = self.backend.call("POST", "/v1/messages/batch", body)
        assert status == 200, (status, answer)
        refused = [result for result in answer["results"] if result["status"] != 201]
        assert not refused, refused

    def log(self) -> str:
        """All it has logged since its first start."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def check_log(self, since: int = 0) -> None:
        """Fail if it logged an error that nobody handled; ``since``: characters not to look at."""
        logged = self.log()[since:]
        marks = [mark for mark in _ERROR_MARKS if mark in logged]
        assert not marks, f"the node's log holds {marks}:\n{logged[-20_000:]}"

    def _healthy(self) -> bool:
        try:
            return self.backend.call("GET", "/healthcheck")[0] == 200
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return False

    def _end(self, with_signal: signal.Signals) -> None:
        self.backend.close()
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(with_signal)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(
                f"not gone {STOP_TIMEOUT_S} s after {with_signal.name}:\n{self.log()}"
            ) from None


def message(streamer: str, data: object, **fields: object) -> Json:
    """The body of ``POST /v1/messages`` for a drop code to ``streamer``; ``fields`` override."""
    base = {"namespace": "/dropcodes", "event": "dropcode"}
    return {**base, "to": {"streamer": streamer}, "data": data, **fields}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
