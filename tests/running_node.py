"""A real node as a process of its own: ``twistd -n reward-push`` on loopback."""

import http.client
import itertools
import json
import os
import secrets
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

from .free_port import free_port
from .running_process import RunningProcess
from .until import PATIENCE_S, until

CALL_TIMEOUT_S = 60.0
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


class Service(ABC):
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

    @abstractmethod
    def logs(self) -> list[str]:
        """What each of its nodes has logged since its first start."""

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

    @abstractmethod
    def restart_each(self, end: "Callable[[RunningNode], None]") -> None:
        """Let ``end`` end each of its nodes, and start it again before the next one's turn."""

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

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


class RunningNode(RunningProcess, Service):
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
        Service.__init__(self, free_port(), backend_key or secrets.token_urlsafe(32))
        command = [
            str(Path(sys.executable).with_name("twistd")),
            *("-n", "--pidfile=", "reward-push"),
            *("--listen", f"tcp:{self.port}:interface=127.0.0.1"),
            *("--store", str(folder / "store.sqlite3")),
            *options,
        ]
        RunningProcess.__init__(self, name, command, folder / f"{name}.log")
        self._environment = environment or {}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.kill()
            return
        self.stop()
        self.check_log()

    def environment(self) -> Mapping[str, str]:
        """See :class:`.running_process.RunningProcess`."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("REWARD_PUSH_")}
        return {**inherited, **self._environment, "REWARD_PUSH_BACKEND_KEY": self.backend_key}

    def answers(self) -> bool:
        """Whether ``/healthcheck`` says 200."""
        try:
            return self.backend.call("GET", "/healthcheck")[0] == 200
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return False

    def wait_gone(self) -> int | None:
        """See :class:`.running_process.RunningProcess`."""
        self.backend.close()
        return super().wait_gone()

    def get(self, path: str) -> tuple[int, Any]:
        """Ask this node for ``path``."""
        return self.backend.call("GET", path)

    def wait_ready(self) -> None:
        """Wait until its ``/readyz`` says 200."""
        self.wait_for("/readyz", lambda status, _: status == 200)

    def wait_for(self, path: str, condition: Any, patience_s: float = PATIENCE_S) -> Any:
        """Ask for ``path`` until ``condition(status, body)`` holds; return the body."""

        def asked() -> tuple[int, Any] | None:
            answer = self.get(path)
            return answer if condition(*answer) else None

        found = until(asked, patience_s, lambda: f"{path} of {self.title}: {self.get(path)}")
        assert found is not None
        return found[1]

    def restart_each(self, end: "Callable[[RunningNode], None]") -> None:
        """See :class:`Service`."""
        end(self)
        self.start()

    def logs(self) -> list[str]:
        """See :class:`Service`."""
        return [self.log()]


def message(streamer: str, data: object, **fields: object) -> Json:
    """The body of ``POST /v1/messages`` for a drop code to ``streamer``; ``fields`` override."""
    base = {"namespace": "/dropcodes", "event": "dropcode"}
    return {**base, "to": {"streamer": streamer}, "data": data, **fields}
