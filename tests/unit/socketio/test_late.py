"""Events that are rendered when they are written, sockets that are held, acks nobody waits for."""

import weakref
from typing import Any

import pytest

from reward_push.engineio.options import EngineOptions
from reward_push.socketio.broadcaster import SLICE
from reward_push.socketio.late import FRESH_MS, MOST_RENDERED, LateEvent, Renderings
from reward_push.socketio.namespace import Namespace
from reward_push.socketio.socket import Socket

from .world import Peer, World


class Clock:
    """Epoch milliseconds, turned by hand."""

    now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


def joined(world: World, *rooms: str) -> tuple[Peer, Socket, Namespace]:
    """Connect a client to ``/a`` and put it into rooms."""
    namespace = world.server.namespace("/a")
    peer = world.peer()
    peer.say("0/a,")
    peer.heard()
    socket = peer.client.sockets["/a"]
    socket.join(*rooms)
    return peer, socket, namespace


def left_of(end_ms: int) -> Any:
    """Render what is left until ``end_ms``."""
    return lambda now_ms: end_ms - now_ms


# Late events.


def test_it_is_rendered_once_for_all_who_ask_at_about_the_same_time(clock: Clock) -> None:
    """And anew for who asks later, or when the clock was set back."""
    rendered: list[int] = []
    event = LateEvent("/a", "x", rendered.append, clock)
    first = event.unit()
    clock.now_ms += FRESH_MS - 1
    assert event.unit() is first
    clock.now_ms += 1
    assert event.unit() is not first
    clock.now_ms -= 500
    event.unit()
    assert len(rendered) == 3


def test_only_the_latest_keep_their_rendering(clock: Clock) -> None:
    """Those rendered again are later than those that were not; a forgotten one is made when asked for."""
    rendered: list[int] = []
    renderings = Renderings()
    events = [
        LateEvent("/a", "x", lambda _, n=n: rendered.append(n), clock, renderings=renderings)
        for n in range(MOST_RENDERED + 1)
    ]
    oldest, again, *_ = units = [event.unit() for event in events[:-1]]
    assert [event.unit() for event in events[:-1]] == units
    events[-1].unit()
    assert events[0].unit() is not oldest
    assert events[2].unit() is units[2]
    assert events[1].unit() is not again
    assert rendered == [*range(MOST_RENDERED + 1), 0, 1]


def test_who_has_to_wait_shares_what_others_wait_for(clock: Clock) -> None:
    """However old it is: it is rendered anew before it is written. Where nobody waits, or it is over, as always."""
    event = LateEvent("/a", "x", left_of(1_000_500), clock, ends_at_ms=1_000_500)
    first = event.to_wait()
    assert first is not None
    assert first is event.unit()
    clock.now_ms += 100
    event.release()
    assert event.to_wait() is first
    assert event.unit() is not first
    del first
    event.release()
    clock.now_ms += 100
    again = event.to_wait()
    assert again is not None
    assert "300" in str(again.packets[0].data)
    clock.now_ms += 300
    assert event.to_wait() is None


def test_renderings_are_let_go_now_and_then(clock: Clock) -> None:
    """With their events, if nobody else has them; and at once where an event has ended."""
    world = World()
    events = [world.server.late("/a", "x", left_of(0), clock) for _ in range(3)]
    units = [event.unit() for event in events]
    assert [event.unit() for event in events] == units
    there = [weakref.ref(event) for event in events]
    units.pop()
    events.pop().end()
    assert there[2]() is None
    world.server.tidy()
    assert events[0].unit() is not units[0]
    units.clear()
    events.clear()
    world.server.tidy()
    assert [each() for each in there] == [None] * 3


def test_it_is_not_written_from_its_end_on(clock: Clock) -> None:
    """To the millisecond, however fresh the last rendering is."""
    event = LateEvent("/a", "x", left_of(1_000_005), clock, ends_at_ms=1_000_005)
    unit = event.unit()
    assert unit is not None
    clock.now_ms += 4
    assert (unit.over, unit.current()) == (False, unit)
    clock.now_ms += 1
    assert (unit.over, unit.current(), event.unit()) == (True, None, None)


def test_it_can_be_ended_early(clock: Clock) -> None:
    """Wherever it waits."""
    event = LateEvent("/a", "x", left_of(0), clock)
    unit = event.unit()
    event.end()
    assert unit is not None
    assert (unit.over, unit.current()) == (True, None)


def test_a_queued_event_tells_the_time_at_which_it_is_written(clock: Clock) -> None:
    """With the same ack id, to everybody."""
    world = World()
    peer, _, _ = joined(world, "r")
    event = world.server.late("/a", "x", left_of(1_030_000), clock, ends_at_ms=1_030_000, ack_id=0)
    peer.transport.writable = False
    assert world.server.emit_late(event, ["r", "none"]) == 1
    clock.now_ms += 20_000
    peer.transport.writable = True
    peer.session.transport_drained(peer.transport)
    assert peer.heard() == ['2/a,0["x",10000]']
    clock.now_ms += 10_000
    assert world.server.emit_late(event, ["r"]) == 0
    assert world.server.emit_late(event, ["none"]) == 0


def test_each_slice_of_a_large_broadcast_is_rendered_anew(clock: Clock) -> None:
    """And nothing is written by those that come after the end."""
    world = World()
    peers = [joined(world, "r")[0] for _ in range(2 * SLICE + 1)]
    event = world.server.late("/a", "x", left_of(1_001_000), clock, ends_at_ms=1_001_000)
    world.server.emit_late(event, ["r"])
    for _ in range(3):
        world.turn()
        clock.now_ms += 500
    heard = [frame for peer in peers for frame in peer.heard()]
    assert heard.count('2/a,["x",1000]') == SLICE
    assert heard.count('2/a,["x",500]') == SLICE
    assert len(heard) == 2 * SLICE
    assert not world.later


# Held sockets.


def test_what_is_sent_to_a_held_socket_waits_for_its_release(clock: Clock) -> None:
    """In order, without what is skipped, and as it is by then."""
    world = World()
    peer, socket, namespace = joined(world, "r")
    late = world.server.late("/a", "late", left_of(1_030_000), clock, ends_at_ms=1_030_000)
    over = world.server.late("/a", "over", left_of(1_001_000), clock, ends_at_ms=1_001_000)
    socket.hold()
    namespace.emit("a", rooms=["r"])
    namespace.emit("x" * 100, rooms=["r"])
    world.server.emit_late(late, ["r"])
    world.server.emit_late(over, ["r"])
    assert peer.heard() == []
    clock.now_ms += 10_000
    socket.release(lambda unit: unit.size > 100)
    socket.release()
    namespace.emit("b", rooms=["r"])
    assert peer.heard() == ['2/a,["a"]', '2/a,["late",20000]', '2/a,["b"]']


def test_some_of_what_waits_can_be_let_through(clock: Clock) -> None:
    """In order, as it is by then; the rest stays in its order. A socket that is not held has nothing waiting."""
    world = World()
    peer, socket, namespace = joined(world, "r")
    over = world.server.late("/a", "over", left_of(1_001_000), clock, ends_at_ms=1_001_000)
    socket.let_through(lambda _: True)
    socket.hold()
    for name in ("1", "long1", "long2", "2"):
        namespace.emit(name, rooms=["r"])
    world.server.emit_late(over, ["r"])
    clock.now_ms += 10_000
    short = min(unit.size for unit in socket._held or ())
    socket.let_through(lambda unit: unit.size > short)
    assert peer.heard() == ['2/a,["long1"]', '2/a,["long2"]']
    namespace.emit("3", rooms=["r"])
    socket.release()
    assert peer.heard() == ['2/a,["1"]', '2/a,["2"]', '2/a,["3"]']


def test_a_held_socket_that_leaves_is_not_released() -> None:
    """Nothing is sent to it any more."""
    world = World()
    peer, socket, namespace = joined(world, "r")
    socket.hold()
    namespace.emit("a", rooms=["r"])
    peer.say("1/a,")
    socket.emit("b")
    socket.release()
    assert peer.heard() == []


def test_a_held_socket_for_which_too_much_waits_is_sent_away() -> None:
    """Its client comes back. Without a limit it just waits."""
    for limit, gone in ((1000, True), (0, False)):
        world = World()
        world.registry.options = EngineOptions(max_queue_bytes=limit)
        peer, socket, _ = joined(world)
        socket.hold()
        for _ in range(12):
            socket.emit("x" * 100)
        assert (peer.transport.ended == ["fail"]) is gone
        socket.release()


def test_what_was_let_through_does_not_wait_any_more() -> None:
    """However much comes in all while a socket is held, only what still waits counts."""
    world = World()
    world.registry.options = EngineOptions(max_queue_bytes=1000)
    peer, socket, _ = joined(world)
    socket.hold()
    for _ in range(12):
        socket.emit("x" * 100)
        socket.let_through(lambda _: True)
    assert peer.transport.ended == []
    assert len(peer.heard()) == 12


# Acks.


def test_an_ack_nobody_waits_for_goes_to_the_namespace() -> None:
    """One that somebody waits for, or without an id, does not."""
    world = World()
    peer, socket, namespace = joined(world)
    acks: list[Any] = []
    namespace.acked = lambda *args: acks.append(args)
    peer.say("3/a,7[1]")
    answer: list[Any] = []
    socket.call("x").addCallback(answer.append)
    peer.say("3/a,0[2]", "3/a,0[3]", "3/a,[]")
    assert answer == [(2,)]
    assert acks == [(socket, 7, [1]), (socket, 0, [3])]
