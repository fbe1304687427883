"""How many sessions there are, counted in slices."""

from collections import deque

import pytest

from reward_push.engineio.options import EngineOptions
from reward_push.engineio.outgoing import message
from reward_push.engineio.registry import Registry
from reward_push.engineio.revision import V3, V4
from reward_push.node.census import SLICE, Census

from ..fakes import FakeTransport, FakeWheel, Recorder


class Bench:
    def __init__(self):
        self.registry = Registry(EngineOptions(), FakeWheel(), Recorder)
        self.later = deque()
        self.census = Census(self.registry, self.later.append)

    def session(self, transport="websocket", revision=V4, waiting=0):
        session = self.registry.open(revision)
        wire = FakeTransport(transport)
        session.transport_opened(wire)
        if waiting:
            wire.writable = False
            for _ in range(waiting):
                session.send(message("x" * 10))
        return session

    def take(self):
        done = []
        self.census.take().addCallback(done.append)
        return done


@pytest.fixture
def bench():
    return Bench()


def test_sessions_are_counted_by_what_they_use(bench):
    for transport, revision in (("polling", V4), ("polling", V4), ("websocket", V3)):
        bench.session(transport, revision)
    bench.registry.open(V4)  # Not open yet.
    assert bench.take() == [None]
    assert bench.census.last.connections == {("polling", 4): 2, ("websocket", 3): 1}


def test_what_waits_is_added_up(bench):
    bench.session()
    size = bench.session(waiting=1).waiting_size
    bench.session(waiting=3)
    bench.take()
    last = bench.census.last
    assert (last.queue_bytes, last.queue_largest_bytes, last.queue_clients) == (
        4 * size,
        3 * size,
        2,
    )


def test_many_are_counted_in_slices_and_askers_share_the_walk(bench):
    for _ in range(2 * SLICE + 1):
        bench.session()
    first, second = bench.take(), bench.take()
    assert (first, second, len(bench.later)) == ([], [], 1)
    bench.later.popleft()()
    assert (first, second) == ([], [])
    bench.later.popleft()()
    assert (first, second) == ([None], [None])
    assert bench.census.last.connections == {("websocket", 4): 2 * SLICE + 1}
    assert not bench.later


def test_until_a_walk_is_over_the_last_one_stands(bench):
    session = bench.session()
    bench.take()
    for _ in range(SLICE):
        bench.session()
    bench.take()
    assert bench.census.last.connections == {("websocket", 4): 1}
    session.transport_lost(session.transport)
    bench.later.popleft()()
    # It was there when it was looked at.
    assert bench.census.last.connections == {("websocket", 4): SLICE + 1}


def test_each_walk_begins_anew(bench):
    session = bench.session(waiting=1)
    bench.take()
    session.transport_lost(session.transport)
    bench.take()
    assert bench.census.last.connections == {}
    assert bench.census.last.queue_bytes == 0
