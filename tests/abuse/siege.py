"""A node under attack, and what is watched meanwhile: the honest clients, memory, files and counters."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.figures import rss_mib

from ..running_node import RunningNode
from ..scrape import Scrape, scrape
from .crowd import Crowd
from .size import pick
from .sockets import address, dial, read_reply, reset

PATIENCE_S = 30.0
_SAMPLE_S = 0.05


def until(
    node: RunningNode, condition: Callable[[Scrape], bool], patience_s: float = PATIENCE_S
) -> None:
    """Scrape until it holds."""
    deadline = time.monotonic() + patience_s
    while not condition(page := scrape(node.url, node.backend_key)):
        assert time.monotonic() < deadline, page.text
        time.sleep(0.1)  # another process: there is nothing to wait on but its page


KEPT_MIB = float(pick(8, 32))


class Watch:
    """Looks at the node from the beginning of an attack to its end.

    Attributes:
        kept_mib: memory that the attack may leave behind, beside a tenth: what the allocator keeps.
    """

    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._before = self._page()
        self.before_mib = self.most_mib = self.after_mib = rss_mib(node.pid)
        self.kept_mib = KEPT_MIB
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def counted(self, name: str, **labels: str) -> float:
        """Return how much a counter, or what a gauge shows, has grown since the beginning."""
        return self._page().value(name, **labels) - self._before.value(name, **labels)

    def until(self, condition: Callable[[Scrape], bool], patience_s: float = PATIENCE_S) -> None:
        """Scrape until it holds."""
        until(self._node, condition, patience_s)

    def warmed(self) -> None:
        """Count what is left behind from now on: the allocator keeps much of what an attack took the first time."""
        self.before_mib = rss_mib(self._node.pid)

    def end(self) -> None:
        """Look for the last time."""
        self._stopped.set()
        self._thread.join()
        self.after_mib = rss_mib(self._node.pid)

    def _page(self) -> Scrape:
        return scrape(self._node.url, self._node.backend_key)

    def _sample(self) -> None:
        while not self._stopped.wait(_SAMPLE_S):
            self.most_mib = max(self.most_mib, rss_mib(self._node.pid))


class Siege:
    """A node and its crowd.

    Attributes:
        files: what the node has open when only the crowd is there.
    """

    def __init__(self, node: RunningNode, crowd: Crowd) -> None:
        self.node = node
        self.port = node.port
        self.crowd = crowd
        self.watch: Watch
        self._gateway = node.plugin_key(streamer="*").key
        self.quiet()
        self.files = self.open_files()

    @contextmanager
    def attack(self) -> Iterator[Watch]:
        """An attack is within: the crowd misses nothing, and nothing but the crowd is left behind."""
        self.watch = watch = Watch(self.node)
        try:
            yield watch
            self.crowd.check()
            self.quiet()
        finally:
            watch.end()

    def quiet(self) -> None:
        """Wait until the crowd is alone: no other session, joined or half-open, and nothing that waits for anybody."""
        until(
            self.node,
            lambda page: (
                page.value("connections") == len(self.crowd) and not page.value("half_open")
            ),
            120.0,
        )

    def open_files(self) -> int:
        """Return how many file descriptors the node has."""
        return len(os.listdir(f"/proc/{self.node.pid}/fd"))

    def wait_files(self, spare: int) -> None:
        """Wait until it has no more than at the beginning, but for ``spare``."""
        deadline = time.monotonic() + PATIENCE_S
        while (now := self.open_files()) > self.files + spare:
            assert time.monotonic() < deadline, f"{now} files are open, {self.files} were"
            time.sleep(0.1)  # another process: there is nothing to wait on but its folder

    def opened_sid(self, request: bytes) -> str:
        """Open a session over polling with ``request``; return its sid."""
        connection = dial(self.port, address())
        connection.sendall(request)
        body = read_reply(connection).body
        reset(connection)
        return str(json.loads(body[1:])["sid"])

    def gateway(self, streamer: str) -> str:
        """Return the CONNECT of a client of a gateway, whose key has no limit of connections."""
        return f'{{"apiKey":"{self._gateway}","streamer":"{streamer}"}}'
