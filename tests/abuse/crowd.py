"""The honest clients: connected all the time, pinging, and sent messages, of which they must get every one, once."""

import http.client
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from ..running_node import Backend, PluginKey, RunningNode, message
from ..swarm import Device, Heard, Swarm

PATIENCE_S = 60.0
"""A message that comes later is missing."""
_BURST, _RATE = 30, 18
"""How the crowd comes in, below the default rate of handshakes of an address: so many at once, then so many a second."""
_POLL = "/websockets/?EIO=4&transport=polling"
_EVENT = re.compile(r'42/dropcodes,(\d*)\["dropcode",(.*)\]', re.DOTALL)


class Poller(threading.Thread):
    """A plugin that polls, with connections that stay open as a browser's do."""

    def __init__(self, crowd: "Crowd", port: int, name: str, key: PluginKey) -> None:
        super().__init__(name=name, daemon=True)
        self.joined = threading.Event()
        self.failure: str | None = None
        self._crowd = crowd
        self._ended = False
        self._headers = {"Authorization": f"ApiKey {key.key}"}
        self._polls = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S + 30)
        self._posts = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self._target = _POLL

    def run(self) -> None:
        try:
            opened = self._ask(self._polls, "GET")
            self._target += "&sid=" + json.loads(opened[1:])["sid"]
            self._say(f'40/dropcodes,{{"device":"{self.name}"}}')
            while not self._ended:
                self._take(self._ask(self._polls, "GET"))
        except (OSError, http.client.HTTPException, AssertionError) as error:
            if not self._ended:
                self.failure = repr(error)

    def end(self) -> None:
        """Leave; the poll that is held is answered by that."""
        self._ended = True
        last = http.client.HTTPConnection("127.0.0.1", self._posts.port, timeout=PATIENCE_S)
        self._ask(last, "POST", "1")
        last.close()
        self.join(PATIENCE_S)
        self._polls.close()
        self._posts.close()

    def _take(self, packets: str) -> None:
        at_ns = time.time_ns()
        answers = []
        for packet in packets.split("\x1e"):
            if packet == "2":
                answers.append("3")
            elif packet.startswith("40/dropcodes,"):
                self.joined.set()
            elif match := _EVENT.fullmatch(packet):
                self._crowd.heard(self.name, json.loads(match[2])["id"], at_ns)
                if match[1]:
                    answers.append(f"43/dropcodes,{match[1]}[]")
        if answers and not self._ended:
            self._say("\x1e".join(answers))

    def _say(self, packets: str) -> None:
        self._ask(self._posts, "POST", packets)

    def _ask(
        self, connection: http.client.HTTPConnection, method: str, body: str | None = None
    ) -> str:
        connection.request(method, self._target, body, self._headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status == 200, f"{method}: {answer.status} {text}"
        return text


class Crowd:
    """Honest clients, and a backend that publishes to all of them without a break, from ``with`` to its end.

    Args:
        websockets, pollers: how many there are over each transport.
        every_s: how often a message is published.
    """

    def __init__(
        self, node: RunningNode, websockets: int, pollers: int, every_s: float = 0.2
    ) -> None:
        self._node = node
        self._every_s = every_s
        self._lock = threading.Lock()
        self._published: dict[str, int] = {}
        """Message → when its publishing began, in nanoseconds of the wall clock."""
        self._heard: dict[str, Counter[str]] = {}
        """Message → who has got it how often."""
        self._latencies: list[float] = []
        self._stopped = threading.Event()
        self._backend = Backend(node.port, node.backend_key)
        self._swarm = Swarm(node.port, self._hear)
        self._count = websockets
        self._pollers = [
            Poller(self, node.port, f"poller-{number}", node.plugin_key())
            for number in range(pollers)
        ]
        self._publisher = threading.Thread(target=self._publish_on, name="publisher", daemon=True)
        self._failures: list[str] = []

    def __len__(self) -> int:
        return self._count + len(self._pollers)

    def __enter__(self) -> Self:
        self._swarm.__enter__()
        for poller in self._pollers:
            poller.start()
        for number in range(self._count):
            key = self._node.plugin_key()
            late_s = max(0, number + len(self._pollers) - _BURST) / _RATE
            self._swarm.add(Device({"apiKey": key.key, "device": f"socket-{number}"}), late_s)
        self._swarm.wait_joined()
        for poller in self._pollers:
            assert poller.joined.wait(PATIENCE_S), poller.failure
        self._publisher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._publisher.join(PATIENCE_S)
        for poller in self._pollers:
            poller.end()
        self._swarm.__exit__(kind, error, trace)
        self._backend.close()

    def heard(self, device: str, message_id: str, at_ns: int) -> None:
        """``device`` has got a message."""
        with self._lock:
            self._heard.setdefault(message_id, Counter())[device] += 1
            began_ns = self._published.get(message_id)
            if began_ns is not None:
                self._latencies.append((at_ns - began_ns) / 1e6)

    def publish(self, data: object) -> None:
        """Publish a message to everybody in the crowd's namespace."""
        with self._lock:
            name = f"honest-{len(self._published)}"
            self._published[name] = time.time_ns()
        body: Mapping[str, object] = message("", data, to="all", id=name, ttl_ms=60_000)
        status, answer = self._backend.call("POST", "/v1/messages", body)
        assert status == 201, (status, answer)

    def check(self) -> None:
        """Everybody has got everything that was published until now, once, and nobody was ever disconnected."""
        with self._lock:
            published = list(self._published)
        deadline = time.monotonic() + PATIENCE_S
        while missing := [name for name in published if len(self._of(name)) < len(self)]:
            assert time.monotonic() < deadline, self._account(missing)
            time.sleep(0.02)  # other threads, and another process
        again = {name: of for name in published if (of := self._of(name)).total() > len(of)}
        assert not again, f"heard more than once: {again}"
        self.check_connected()

    def check_connected(self) -> None:
        """Nobody was ever disconnected, and nothing refused."""
        joins = [device.joins for device in self._swarm.devices if device.joins != 1]
        assert not joins, f"joined again: {joins}"
        failures = [poller.failure for poller in self._pollers if poller.failure]
        assert not failures + self._failures, failures + self._failures

    def take_latencies(self) -> list[float]:
        """Return, in milliseconds from the publishing to the reading, how long messages took since the last call."""
        with self._lock:
            taken, self._latencies = self._latencies, []
        return taken

    def _of(self, name: str) -> "Counter[str]":
        with self._lock:
            return Counter(self._heard.get(name, ()))

    def _account(self, missing: list[str]) -> str:
        self.check_connected()
        got = {name: len(self._of(name)) for name in missing}
        return f"of {len(self)} clients only so many got these: {got}"

    def _hear(self, heard: Heard) -> bool:
        if heard.event == "dropcode":
            self.heard(heard.device.name, heard.argument["id"], heard.at_ns)
        return True

    def _publish_on(self) -> None:
        number = 0
        try:
            while not self._stopped.wait(self._every_s):
                self.publish({"number": number})
                number += 1
        except (OSError, http.client.HTTPException, AssertionError) as error:
            self._failures.append(f"publishing: {error!r}")
