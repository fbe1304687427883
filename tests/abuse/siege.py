"""A node under attack, and what is watched meanwhile: the honest clients, memory, objects, files and counters."""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from bench.figures import rss_mib

from ..protocol.wire import UPGRADE
from ..running_node import RunningNode
from ..scrape import Scrape, scrape
from .counted_node import CountedNode
from .crowd import Crowd
from .sockets import address, addresses, dial, knock, read_reply, reset

PATIENCE_S = 60.0
WEBSOCKET = "/websockets/?EIO=4&transport=websocket"
_SAMPLE_S = 0.05
MOST_MIB = 160.0
"""What no attack may bring the node to."""
KEPT_SHARE = 0.10
"""What an attack may leave behind: a tenth of what there was."""
SESSION_MIB = 5 / 1024
"""What a session may take at most that has joined nothing."""
SPARE_MIB = 6.0
"""What a node that has just begun takes anyway, once it is used."""
KNOWN = "reward_push.rewards.trackers.LiveMessage"
"""What is kept of messages for late acknowledgements: up to 10,000 of them."""
_BUSY = 10
"""Objects of one type that may be there more than at first: the honest clients are served all the time."""
_BY_CONNECTION = (
    *("engineio.session.", "engineio.heartbeat.", "engineio.meter.", "engineio.outbox."),
    *("engineio.opening.", "socketio.client.", "socketio.socket.", "audience.", "rewards.member."),
    *("key_end.", "replay.", "transports.polling.", "transports.websocket."),
)
"""Where everything stands for a connection: of these there must not be one too many."""


def until(
    node: RunningNode, condition: Callable[[Scrape], bool], patience_s: float = PATIENCE_S
) -> None:
    """Scrape until it holds."""
    deadline = time.monotonic() + patience_s
    while not condition(page := scrape(node.url, node.backend_key)):
        assert time.monotonic() < deadline, page.text
        time.sleep(0.1)  # another process: there is nothing to wait on but its page


class Watch:
    """Looks at the node from the beginning of an attack to its end."""

    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._before = self._page()
        self._began_s = time.monotonic()
        self.before_mib = self.most_mib = self.after_mib = rss_mib(node.pid)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def counted(self, name: str, **labels: str) -> float:
        """Return how much a counter, or what a gauge shows, has grown since the beginning."""
        return self._page().value(name, **labels) - self._before.value(name, **labels)

    def until(self, condition: Callable[[Scrape], bool], patience_s: float = PATIENCE_S) -> None:
        """Scrape until it holds."""
        until(self._node, condition, patience_s)

    @property
    def bound_mib(self) -> float:
        """What the attack may leave the node at."""
        return self.before_mib * (1 + KEPT_SHARE)

    def end(self) -> None:
        """The attack is over: wait until memory has come back, but not for ever."""
        seconds = time.monotonic() - self._began_s
        self._stopped.set()
        self._thread.join()
        deadline = time.monotonic() + PATIENCE_S
        while (now := rss_mib(self._node.pid)) > self.bound_mib and time.monotonic() < deadline:
            time.sleep(0.1)  # another process: there is nothing to wait on but its memory
        self.after_mib = now
        self.seconds = seconds

    def report(self) -> str:
        """Return what the attack did to the node's memory."""
        return (
            f"RSS {self.before_mib:.1f} MiB before, {self.most_mib:.1f} at most (bound {MOST_MIB:.0f}),"
            f" {self.after_mib:.1f} after (bound {self.bound_mib:.1f}); {self.seconds:.0f} s"
        )

    def _page(self) -> Scrape:
        return scrape(self._node.url, self._node.backend_key)

    def _sample(self) -> None:
        while not self._stopped.wait(_SAMPLE_S):
            self.most_mib = max(self.most_mib, rss_mib(self._node.pid))


class Siege:
    """A node and its crowd.

    Attributes:
        files: what the node has open when only the crowd is there.
        objects: what it has of each type then; nothing, if it does not tell.
    """

    def __init__(self, node: RunningNode, crowd: Crowd) -> None:
        self.node = node
        self.port = node.port
        self.crowd = crowd
        self.watch: Watch
        self._gateway = node.plugin_key(streamer="*").key
        self.quiet()
        self.files = self.open_files()
        self.objects: Mapping[str, int] = {}
        if isinstance(node, CountedNode):
            self.objects = node.objects()

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

    def fill(self, count: int) -> str:
        """Let as many come and go as will be there at a time later; return what it did to the node's memory.

        CPython keeps the room of small objects in arenas of a MiB each, and gives one back only when nothing at
        all is left in it. So what the most sessions took that ever were is kept for the next ones. SQLite has a
        cache of 2 MiB, which large messages fill. With this done, whatever an attack leaves behind is its own.
        """
        before_mib = rss_mib(self.node.pid)
        for _ in range(200):
            self.node.publish("nobody", "x" * 16_000, ttl_ms=1_000)
        sources = addresses(count // 40 + 1)
        sockets = []
        for _ in range(count):
            sockets.append(dial(self.port, next(sources)))
            sockets[-1].sendall(knock(WEBSOCKET, UPGRADE))
        inside = len(self.crowd) + count
        until(self.node, lambda page: page.value("connections") == inside, 60.0)
        most_mib = rss_mib(self.node.pid)
        for each in sockets:
            reset(each)
        self.quiet()
        after_mib = rss_mib(self.node.pid)
        bound_mib = before_mib + SPARE_MIB + count * SESSION_MIB
        report = (
            f"{count:,} sessions at a time: RSS {before_mib:.1f} MiB before, {most_mib:.1f} with them,"
            f" {after_mib:.1f} after (bound {bound_mib:.1f})"
        )
        assert max(most_mib, after_mib) < bound_mib, report
        return report

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

    def wait_objects(self) -> "Counter[str]":
        """Wait until there is nothing more than at the beginning, but for what the crowd needs; return what there is."""
        assert isinstance(self.node, CountedNode)
        deadline = time.monotonic() + PATIENCE_S
        while left := self._left_behind(now := self.node.objects()):
            assert time.monotonic() < deadline, f"(now, at the beginning): {left}"
        return now

    def _left_behind(self, now: Mapping[str, int]) -> Mapping[str, tuple[int, int]]:
        return {
            name: (count, before)
            for name, count in now.items()
            if count > (before := self.objects.get(name, 0)) + self._spare(name)
        }

    def _spare(self, name: str) -> int:
        if name == KNOWN:
            return 10_000
        exact = name.removeprefix("reward_push.").startswith(_BY_CONNECTION)
        return 0 if exact else _BUSY + 2 * len(self.crowd)

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
