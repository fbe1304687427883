"""Events of emitters on their way to this node's clients."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.logger import globalLogPublisher

from reward_push.access.seldom import EVERY_S
from reward_push.cluster.emitted import PYTHON_CHANNEL
from reward_push.cluster.emitters import Emitters

from ..socketio.world import World


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged."""
    seen: list[str] = []

    def observe(event: Any) -> None:
        if event.get("what"):
            seen.append(f"{event['what']} ({event['unsaid']} more)")

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


def emitted(event: str, **fields: object) -> str:
    told = {"method": "emit", "event": event, "data": [1], "namespace": "/a", **fields}
    return json.dumps(told)


def test_everybody_in_the_rooms_gets_it() -> None:
    """A room that is none of ours is a streamer's name."""
    world = World()
    namespace = world.server.namespace("/a")
    peers = [world.peer() for _ in range(3)]
    for peer, room in zip(peers, ("streamer:one", "streamer:two", "group:eu"), strict=True):
        peer.say("0/a,")
        peer.client.sockets["/a"].join("all", room)
        peer.heard()
    assert len(namespace.sockets) == 3
    emitters = Emitters(world.server, ["/a"])
    for room in (None, "one", "group:eu", ["two", "group:eu"], "nobody"):
        emitters.received(PYTHON_CHANNEL, emitted(f"to {room}", room=room))
    everybody, one, eu = '2/a,["to None",1]', '2/a,["to one",1]', '2/a,["to group:eu",1]'
    both = """2/a,["to ['two', 'group:eu']",1]"""
    assert [peer.heard() for peer in peers] == [
        [everybody, one],
        [everybody, both],
        [everybody, eu, both],
    ]


def test_a_namespace_that_is_not_served_is_passed_over(lines: list[str]) -> None:
    emitters = Emitters(World().server, ["/a"])
    emitters.received(PYTHON_CHANNEL, emitted("e", namespace="/other"))
    assert lines == []


def test_whoever_publishes_nonsense_does_not_fill_the_log(lines: list[str]) -> None:
    """However it varies: one line a minute says how much it was."""
    world = World()
    emitters = Emitters(world.server, ["/a"])
    for number in range(5):
        emitters.received(f"socket.io#{number}", b"nonsense")
        emitters.received(PYTHON_CHANNEL, emitted("revoke"))
    [line] = lines
    assert "socket.io#0" in line
    assert line.endswith("(0 more)")
    world.wheel.advance(EVERY_S)
    emitters.received(PYTHON_CHANNEL, emitted("connect"))
    assert len(lines) == 2
    assert lines[1].endswith("(9 more)")
