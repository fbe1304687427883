"""Random histories of publishing, connecting, losing, acknowledging, crashing and clocks being set.

Whatever happens: no message is written early or after its end, none again to a device whose receipt is
committed, each live one reaches everybody it is for who is or comes online, in order; receipts only go
forward; of a ``once`` message there is one winner; whoever had a message learns of its end.

``REWARD_PUSH_SOAK=<number>`` runs that many new histories instead of the usual few, which are always the
same ones.
"""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.logger import LogEvent, globalLogPublisher

from reward_push.access.interfaces import KeyKind, StoreUnavailable
from reward_push.access.key_text import new_key
from reward_push.engineio.revision import V3, V4
from reward_push.rewards.errors import ErrorCode, Refused
from reward_push.rewards.outcome import Accepted

from .book import Book, Fate
from .node import NAMESPACE, START_MS, Node, Times, prepare
from .plugin import Plugin

SOAK = int(os.environ.get("REWARD_PUSH_SOAK", "0"))
EXAMPLES, STEPS = 60, 40

SETTLE_TURNS, SETTLE_TURN_MS = 5, 300
"""Longer than any sleep of the schedule, any proof and any retry."""

TO = st.sampled_from(
    [
        {"streamer": "s1"},
        {"streamer": "s1"},
        {"streamers": ["s1", "s2"]},
        {"group": "eu"},
        "all",
    ]
)
BODIES = st.fixed_dictionaries(
    {"to": TO},
    optional={
        "delay_ms": st.sampled_from([1, 10, 25, 40, 200, 1500, 90_000]),
        "ttl_ms": st.sampled_from([15, 300, 3_000, 60_000, 60_000, 600_000]),
        "replace": st.sampled_from(["x", "y"]),
        "once": st.just(True),
    },
)
PLUGINS = [
    ("s1", "one", "websocket", V4),
    ("s1", "two", "polling", V4),
    ("s1", None, "websocket", V3),
    ("s2", "one", "polling", V3),
]
WHO = st.sampled_from(range(len(PLUGINS)))
PAUSES_MS = st.sampled_from([1, 5, 9, 20, 50, 260, 700, 2_000, 20_000])


class Histories(RuleBasedStateMachine):
    """One node and its next lives, four plugins, one backend."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="reward-push-model-"))
        self.times = Times()
        made = {
            streamer: new_key(KeyKind.PLUGIN, START_MS, streamer=streamer, groups=groups)
            for streamer, groups in (("s1", ("eu",)), ("s2", ()))
        }
        self.plugins = [
            Plugin(
                made[streamer][1],
                made[streamer][0].key.key_id,
                streamer,
                made[streamer][0].key.groups,
                device,
                transport,
                revision,
            )
            for streamer, device, transport, revision in PLUGINS
        ]
        self.book = Book(self.times, self.plugins)
        self.bodies: list[dict[str, Any]] = []
        self.unanswered = 0
        self.lives = itertools.count(1)
        first = self.folder / "0"
        first.mkdir()
        prepare(first, [stored for stored, _ in made.values()])
        globalLogPublisher.addObserver(self.logged)
        self.start(first)

    def logged(self, event: LogEvent) -> None:
        """Nothing may go wrong inside, but for the store being away."""
        failure = event.get("log_failure")
        if failure is not None and not failure.check(StoreUnavailable):
            self.book.fail(f"logged: {failure.getTraceback()}")

    def start(self, folder: Path) -> None:
        """Let a node begin its life."""
        book = self.book
        self.node = Node(
            folder,
            self.times,
            {
                "accept": book.accepting,
                "claim": book.claiming,
                "open_device": book.opening,
                "note": book.noting,
                "take": book.taking,
                "deliver": book.delivering,
            },
        )
        book.started()

    def teardown(self) -> None:
        """See to it that everything comes to its end, over one more crash."""
        try:
            if not self.book.wrong:
                self.everybody_comes()
                self.crash()
                self.everybody_comes()
                self.nothing_is_wrong()
        finally:
            globalLogPublisher.removeObserver(self.logged)
            self.node.store.crash(self.folder / "end")
            shutil.rmtree(self.folder)

    def everybody_comes(self) -> None:
        for plugin in self.plugins:
            if plugin.connection is None:
                plugin.connect(self.node, self.book.written)
        self.settle()

    # The backend.

    @rule(body=BODIES)
    def publish(self, body: dict[str, Any]) -> None:
        self.post([self.complete(body)])

    @rule(bodies=st.lists(BODIES, min_size=2, max_size=4))
    def publish_batch(self, bodies: list[dict[str, Any]]) -> None:
        self.post([self.complete(body) for body in bodies])

    @precondition(lambda self: self.bodies)
    @rule(data=st.data())
    def publish_again(self, data: st.DataObject) -> None:
        self.post([data.draw(st.sampled_from(self.bodies))])

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        whole = {
            "id": f"m{len(self.bodies)}",
            "namespace": NAMESPACE,
            "event": "dropcode",
            "data": len(self.bodies),
            **body,
        }
        self.bodies.append(whole)
        return whole

    def post(self, bodies: list[dict[str, Any]]) -> None:
        def answered(outcomes: list[Any]) -> None:
            for body, outcome in zip(bodies, outcomes, strict=True):
                if isinstance(outcome, Accepted):
                    fate = self.book.fates[body["id"]]
                    # A repetition is told the first answer, which may be long outdated.
                    fate.state = fate.state or outcome.record.state
                elif outcome.code is not ErrorCode.TOO_LATE:
                    self.book.fail(f"{body} was refused: {outcome}")

        posted = self.node.publisher.publish(bodies)
        posted.addCallbacks(answered, lambda failure: failure.trap(StoreUnavailable))
        posted.addErrback(self.unexpected)

    @precondition(lambda self: self.book.fates)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        fate = self.draw_fate(data)

        def cancelled(_: Any) -> None:
            fate.cancelled = fate.over = True

        fate.cancelling = True
        asked = self.node.publisher.cancel(fate.id)
        asked.addCallbacks(cancelled, lambda failure: failure.trap(StoreUnavailable, Refused))
        asked.addErrback(self.unexpected)

    def unexpected(self, failure: Any) -> None:
        self.book.fail(f"unexpected: {failure.getTraceback()}")

    def draw_fate(self, data: st.DataObject) -> Fate:
        return self.book.fates[data.draw(st.sampled_from(sorted(self.book.fates)))]

    # Plugins.

    @rule(who=WHO)
    def connect(self, who: int) -> None:
        plugin = self.plugins[who]
        if plugin.connection is None:
            plugin.connect(self.node, self.book.written)

    @rule(who=WHO)
    def read(self, who: int) -> None:
        plugin = self.plugins[who]
        plugin.beat()
        self.take(plugin)

    def take(self, plugin: Plugin) -> None:
        if plugin.connection is not None:
            plugin.read(self.book.heard)

    @rule(who=WHO, noticed=st.booleans())
    def lose(self, who: int, noticed: bool) -> None:
        plugin = self.plugins[who]
        if plugin.connection is not None:
            connection = plugin.lose()
            if noticed:
                connection.session.transport_lost(connection.transport)
            else:
                plugin.ghosts.append(connection)

    @rule(who=WHO)
    def notice_lost(self, who: int) -> None:
        for ghost in self.plugins[who].ghosts:
            ghost.session.transport_lost(ghost.transport)
        self.plugins[who].ghosts.clear()

    @rule(who=WHO)
    def stall(self, who: int) -> None:
        connection = self.plugins[who].connection
        if connection is not None and connection.transport.name == "websocket":
            connection.transport.writable = False

    @rule(who=WHO)
    def drain(self, who: int) -> None:
        connection = self.plugins[who].connection
        if (
            connection is not None
            and connection.transport.name == "websocket"
            and not connection.transport.writable
            and not connection.has_ended
        ):
            connection.transport.writable = True
            connection.session.transport_drained(connection.transport)

    @precondition(lambda self: self.book.fates)
    @rule(who=WHO, data=st.data())
    def acknowledge(self, who: int, data: st.DataObject) -> None:
        """Perhaps late: over a newer connection than the one that the message came on."""
        plugin = self.plugins[who]
        connection = plugin.connection
        if not plugin.ack_ids or connection is None or not plugin.online:
            return
        fate = self.book.fates[data.draw(st.sampled_from(sorted(plugin.ack_ids)))]
        plugin.ever_acked.add(fate.id)
        in_time = not fate.over and (
            fate.endless or self.times.now_ms() < (fate.message.expires_at_ms or 0)
        )
        if in_time and fate.id in connection.read and not self.node.store.is_away:
            plugin.acked.add(fate.id)
        plugin.say(f"3{NAMESPACE},{plugin.ack_ids[fate.id]}[]")

    # Time, the store, the node.

    @rule(milliseconds=PAUSES_MS)
    def wait(self, milliseconds: int) -> None:
        self.times.advance(milliseconds, self.node.store.settle)

    @rule(milliseconds=st.sampled_from([1, 10, 20, 60, 400]))
    def wait_for_a_busy_disk(self, milliseconds: int) -> None:
        self.times.advance(milliseconds, lambda: None)

    @rule()
    def commit(self) -> None:
        self.node.store.commit()

    @rule()
    def answer(self) -> None:
        self.node.store.answer()

    @rule()
    def lose_disk(self) -> None:
        if not self.node.store.is_away:
            self.node.store.go_away()

    @rule()
    def find_disk(self) -> None:
        if self.node.store.is_away:
            self.node.store.come_back()

    @rule(seconds=st.sampled_from([-300, -40, -1, 1, 40, 300]))
    def set_wall_clock(self, seconds: int) -> None:
        self.book.set_wall_clock(seconds * 1000)

    @rule()
    def crash(self) -> None:
        self.book.crashed()
        self.everybody_is_lost()
        image = self.folder / str(next(self.lives))
        self.node.store.crash(image)
        self.times.restart()
        self.times.advance(500, lambda: None)
        self.start(image)
        self.look()

    @rule()
    def stop(self) -> None:
        if self.node.store.is_away:
            self.node.store.come_back()
        self.node.stop()
        self.everybody_is_lost()
        self.times.advance(500, lambda: None)
        self.start(self.node.store.folder)
        self.look()

    def everybody_is_lost(self) -> None:
        for plugin in self.plugins:
            plugin.ghosts.clear()
            if plugin.connection is not None:
                plugin.lose()

    @rule()
    def settle(self) -> None:
        """Let everything that can happen happen, then compare."""
        if self.node.store.is_away:
            self.node.store.come_back()
        since_ms = self.times.now_ms()
        for turn in range(SETTLE_TURNS):
            if turn == SETTLE_TURNS - 1:
                self.ask_for_all(self.book.glance)
            self.times.advance(SETTLE_TURN_MS, self.node.store.settle)
            for plugin in self.plugins:
                plugin.beat()
            while self.somebody_reads():
                self.node.store.settle()
        self.node.store.settle()
        self.look(since_ms)
        self.book.check_slots()
        self.book.check_endless()

    def somebody_reads(self) -> bool:
        """Let everybody read; return whether there was anything."""
        before = [self.payloads_read(plugin) for plugin in self.plugins]
        for who, plugin in enumerate(self.plugins):
            self.drain(who)
            self.take(plugin)
        return before != [self.payloads_read(plugin) for plugin in self.plugins]

    @staticmethod
    def payloads_read(plugin: Plugin) -> int:
        return plugin.connection.payloads_read if plugin.connection else 0

    def look(self, since_ms: int = 0) -> None:
        """Compare every message with what is known of it."""
        self.ask_for_all(lambda fate, found: self.book.check(fate, found, since_ms))

    def ask_for_all(self, take: Callable[[Fate, Any], object]) -> None:
        for fate in self.book.fates.values():
            found = self.node.store.get(fate.id)
            found.addCallback(lambda answer, fate=fate: take(fate, answer))
            found.addErrback(self.unexpected)
        self.node.store.settle()

    @invariant()
    def nothing_is_wrong(self) -> None:
        assert not self.book.wrong, "\n".join(self.book.wrong)


TestHistories = pytest.mark.filterwarnings("ignore")(Histories.TestCase)
TestHistories.settings = settings(
    max_examples=SOAK or EXAMPLES,
    stateful_step_count=STEPS,
    derandomize=not SOAK,
    database=None,
    deadline=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
