"""A real node as a process of its own: ``twistd -n reward-push`` on loopback."""

import http.client
import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

from .running_redis import free_port

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

    def __init__(self, port: int, key: str, timeout_s: float = CALL_TIMEOUT_S) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
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


class Service:
    """What a backend and plugins are given: a port of 127.0.0.1 and a key. One node, or several behind a balancer.

    Args:
        port: where it is.
        backend_key: a key with every right.
    """

    def __init__(self, port: int, backend_key: str) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.backend_key = backend_key
        self.backend = Backend(port, backend_key)
        self._streamers = itertools.count(1)

    def logs(self) -> list[str]:
        """What each of its nodes has logged since its first start."""
        raise NotImplementedError

    def log(self) -> str:
        """All that was logged."""
        return "".join(self.logs())

    def logged(self) -> list[int]:
        """How much each of its nodes has logged until now, for :meth:`check_log`."""
        return [len(each) for each in self.logs()]

    def check_log(self, since: Sequence[int] | None = None) -> None:
        """Fail if an error was logged that nobody handled; what was ``logged()`` before is not looked at."""
        logs = self.logs()
        for log, begin in zip(logs, since or [0] * len(logs), strict=True):
            marks = [mark for mark in _ERROR_MARKS if mark in log[begin:]]
            assert not marks, f"the log holds {marks}:\n{log[begin:][-20_000:]}"

    def restart_each(self, end: "Callable[[RunningNode], None]") -> None:
        """Let ``end`` end each of its nodes, and start it again before the next one's turn."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        raise NotImplementedError

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


class RunningNode(Service):
    """A node on a port and a store of its own, which stay the same over restarts.

    Args:
        folder: where its store and its log are kept.
        options: more options of ``reward-push``.
        name: of its log, where several nodes share a folder.
        backend_key: instead of one of its own.
        environment: more variables of the process.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        name: str = "node",
        backend_key: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(free_port(), backend_key or secrets.token_urlsafe(32))
        self.log_file = folder / f"{name}.log"
        self._command = [
            str(Path(sys.executable).with_name("twistd")),
            *("-n", "--pidfile=", "reward-push"),
            *("--listen", f"tcp:{self.port}:interface=127.0.0.1"),
            *("--store", str(folder / "store.sqlite3")),
            *options,
        ]
        self._folder = folder
        self._environment = environment or {}
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
        if error is None:
            self.check_log()

    def start(self) -> None:
        """Start the process and wait until it answers ``/healthcheck`` with 200."""
        self.launch()
        self.wait_started()

    def launch(self) -> None:
        """Start the process; :meth:`wait_started` is to follow."""
        assert self._process is None, "it runs"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("REWARD_PUSH_")}
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env={
                    **inherited,
                    **self._environment,
                    "REWARD_PUSH_BACKEND_KEY": self.backend_key,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_started(self) -> None:
        """Wait until it answers ``/healthcheck`` with 200."""
        assert self._process is not None
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

    def restart_each(self, end: "Callable[[RunningNode], None]") -> None:
        """See :class:`Service`."""
        end(self)
        self.start()

    @property
    def runs(self) -> bool:
        """Whether there is a process, paused or not."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it as a crash does (SIGKILL), paused or not."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to stop (SIGTERM) and wait until it has."""
        self._end(signal.SIGTERM)

    def terminate(self) -> None:
        """Ask it to stop (SIGTERM), and do not wait for it."""
        self._signal(signal.SIGTERM)

    def wait_gone(self) -> None:
        """Wait until it has stopped, after :meth:`terminate`; again is no harm."""
        self._reap("SIGTERM")

    def pause(self) -> None:
        """Freeze it (SIGSTOP): its connections stay, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def logs(self) -> list[str]:
        """See :class:`Service`."""
        return [self.log_file.read_text(errors="replace") if self.log_file.exists() else ""]

    def _healthy(self) -> bool:
        try:
            return self.backend.call("GET", "/healthcheck")[0] == 200
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return False

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "it does not run"
        self._process.send_signal(number)

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is not None:
            self._signal(with_signal)
            self._reap(with_signal.name)

    def _reap(self, asked_by: str) -> None:
        self.backend.close()
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(
                f"not gone {STOP_TIMEOUT_S} s after {asked_by}:\n{self.log()}"
            ) from None


def message(streamer: str, data: object, **fields: object) -> Json:
    """The body of ``POST /v1/messages`` for a drop code to ``streamer``; ``fields`` override."""
    base = {"namespace": "/dropcodes", "event": "dropcode"}
    return {**base, "to": {"streamer": streamer}, "data": data, **fields}
