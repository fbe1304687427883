"""Moving clients away: evenly, what waits for them first, and nobody stays."""

from typing import Any

from twisted.internet.task import Clock

from reward_push.engineio.packet import Packet, PacketType
from reward_push.engineio.revision import V4
from reward_push.node.mover import STEP_S, Mover

from ..fakes import FakeTransport
from ..socketio.world import World


class Node:
    """Clients in a world, moved by a mover."""

    def __init__(self, count: int) -> None:
        self.world = World()
        self.peers = [self.world.peer() for _ in range(count)]
        self.clock = Clock()
        self.mover = Mover(lambda: self.world.registry, self.clock)

    def move(self, within_s: float) -> list[Any]:
        moved: list[Any] = []
        self.mover.move(within_s).addBoth(moved.append)
        return moved

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.clock.advance(STEP_S)

    @property
    def gone(self) -> int:
        return sum(peer.gone for peer in self.peers)


def test_clients_go_evenly_and_the_end_is_told() -> None:
    node = Node(100)
    moved = node.move(10)
    counts = []
    for _ in range(10):
        node.advance(1)
        counts.append(node.gone)
    assert all(abs(count - 10 * (second + 1)) <= 2 for second, count in enumerate(counts))
    node.advance(STEP_S)
    assert (node.gone, moved) == (100, [None])
    assert node.clock.getDelayedCalls() == []


def test_a_node_without_clients_is_done_at_once() -> None:
    node = Node(0)
    assert node.move(10) == [None]
    assert node.clock.getDelayedCalls() == []


def test_no_time_sends_everybody_away_at_once() -> None:
    node = Node(5)
    assert node.move(0) == [None]
    assert node.gone == 5


def test_who_has_something_waiting_gets_it_first() -> None:
    node = Node(1)
    [peer] = node.peers
    namespace = node.world.server.namespace("/")
    peer.say("0")
    peer.heard()
    peer.transport.writable = False
    namespace.emit("code", 1)
    moved = node.move(2)
    node.advance(1.8)
    assert (peer.gone, moved) == (False, [])
    peer.transport.writable = True
    peer.session.transport_drained(peer.transport)
    assert peer.heard() == ['2["code",1]']
    assert peer.gone
    node.advance(STEP_S)
    assert moved == [None]


def test_at_the_end_of_the_time_nobody_is_waited_for() -> None:
    node = Node(1)
    [peer] = node.peers
    peer.say("0")
    peer.transport.writable = False
    node.world.server.namespace("/").emit("code", 1)
    moved = node.move(1)
    node.advance(1 + STEP_S)
    assert (peer.gone, moved) == (True, [None])


def test_asked_again_the_shorter_time_counts() -> None:
    node = Node(50)
    first = node.move(60)
    node.advance(1)
    second = node.move(0)
    assert (node.gone, first, second) == (50, [None], [None])
    assert node.clock.getDelayedCalls() == []


def test_who_is_changing_its_transport_goes_last() -> None:
    """Cut between the two, a stock client would not notice for a while."""
    node = Node(3)
    polling, candidate = upgrading(node)
    moved = node.move(1)
    node.advance(0.9)
    assert (node.gone, polling.ended, candidate.ended) == (3, [], [])
    node.advance(0.2)
    assert (polling.ended, candidate.ended, moved) == (["fail"], ["close"], [None])


def test_who_has_changed_its_transport_goes_as_everybody_else() -> None:
    node = Node(0)
    _, candidate = upgrading(node)
    [session] = node.world.registry
    session.received(candidate, Packet(PacketType.PING, "probe"))
    node.move(10)
    node.advance(5)
    session.received(candidate, Packet(PacketType.UPGRADE))
    node.advance(4.9)
    assert candidate.ended == ["fail"]


def upgrading(node: Node) -> tuple[FakeTransport, FakeTransport]:
    """A client that polls and has opened a WebSocket, too."""
    session = node.world.registry.open(V4)
    polling, candidate = FakeTransport("polling"), FakeTransport("websocket")
    session.transport_opened(polling)
    session.transport_opened(candidate)
    polling.writable = True
    return polling, candidate
