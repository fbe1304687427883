"""Events and acknowledgements, both ways, and rooms."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from reward_push.engineio.opening import Opening
from reward_push.engineio.outgoing import Outgoing
from reward_push.socketio.acks import AckTimeout, Disconnected
from reward_push.socketio.broadcaster import SLICE
from reward_push.socketio.namespace import Namespace
from reward_push.socketio.socket import Socket

from .world import Peer, World


def joined(world: World, name: str = "/a", opening: Any = None) -> tuple[Peer, Socket, Namespace]:
    """Connect a client to a namespace."""
    namespace = world.server.namespace(name)
    peer = world.peer(opening=opening)
    peer.say(f"0{name},")
    peer.heard()
    return peer, peer.client.sockets[name], namespace


# From the client.


def test_events_reach_their_handler() -> None:
    """With all arguments, binary ones too; events without a handler are dropped."""
    world = World()
    peer, socket, namespace = joined(world)
    heard: list[Any] = []

    @namespace.on("say")
    def say(sender: Socket, *args: Any) -> None:
        heard.append((sender, args))

    peer.say('2/a,["say","hi",2]', '2/a,["unknown"]', '2/a,7["unknown"]')
    peer.say('51-/a,["say",{"_placeholder":true,"num":0}]', b"\x01")
    assert heard == [(socket, ("hi", 2)), (socket, (b"\x01",))]
    assert peer.heard() == []


@pytest.mark.parametrize(
    ("result", "ack"),
    [
        (None, "[]"),
        (0, "[0]"),
        ("€", '["\\u20ac"]'),
        ((), "[]"),
        ((1, [2]), "[1,[2]]"),
        ([1, 2], "[[1,2]]"),
    ],
)
def test_a_handler_s_result_is_the_acknowledgement(result: Any, ack: str) -> None:
    """Nothing, one argument, or a tuple of several. Ack id 0 is an id."""
    world = World()
    peer, _, namespace = joined(world)
    namespace.on("ask")(lambda socket: result)
    peer.say('2/a,0["ask"]')
    assert peer.heard() == ["3/a,0" + ack]


def test_binary_results_travel_as_attachments() -> None:
    """Header and buffers together."""
    world = World()
    peer, _, namespace = joined(world)
    namespace.on("ask")(lambda socket: b"\x01")
    peer.say('2/a,5["ask"]')
    assert peer.heard() == ['61-/a,5[{"_placeholder":true,"num":0}]', b"\x01"]


def test_handlers_may_be_asynchronous() -> None:
    """A coroutine or a Deferred acknowledges when it is done."""
    world = World()
    peer, _, namespace = joined(world)
    later: Deferred[str] = Deferred()

    @namespace.on("ask")
    async def ask(socket: Socket) -> str:
        return await later

    namespace.on("now")(lambda socket: succeed("now"))
    peer.say('2/a,1["ask"]', '2/a,2["now"]')
    assert peer.heard() == ['3/a,2["now"]']
    later.callback("done")
    assert peer.heard() == ['3/a,1["done"]']


def test_a_handler_that_fails_is_logged_and_acknowledges_nothing(
    logged_failures: list[str],
) -> None:
    """Sync or async, or with a result that JSON cannot carry."""
    world = World()
    peer, _, namespace = joined(world)

    @namespace.on("sync")
    def sync(socket: Socket) -> None:
        raise RuntimeError("sync")

    @namespace.on("async")
    async def asynchronous(socket: Socket) -> None:
        raise RuntimeError("async")

    namespace.on("nan")(lambda socket: float("nan"))
    peer.say('2/a,1["sync"]', '2/a,2["async"]', '2/a,3["nan"]')
    assert peer.heard() == []
    assert not peer.gone
    assert logged_failures[:2] == ["sync", "async"]
    assert len(logged_failures) == 3


# To the client.


def test_emit_writes_an_event() -> None:
    """To this socket, in its namespace."""
    world = World()
    peer, socket, _ = joined(world)
    socket.emit("x", 1, {"b": b"\x02"})
    assert peer.heard() == ['51-/a,["x",1,{"b":{"_placeholder":true,"num":0}}]', b"\x02"]


def test_call_returns_what_the_client_acknowledges() -> None:
    """Once; a second answer and unknown ones are ignored."""
    world = World()
    peer, socket, _ = joined(world)
    peer.say("3/a,0[1]")
    answers = [socket.call("x"), socket.call("y")]
    got: list[Any] = []
    for answer in answers:
        answer.addCallback(got.append)
    assert peer.heard() == ['2/a,0["x"]', '2/a,1["y"]']
    peer.say('3/a,1["one",2]', '3/a,1["again"]', "3/a,99[]", "3/a,[]")
    peer.say('61-/a,0[{"_placeholder":true,"num":0}]', b"\x01")
    assert got == [("one", 2), (b"\x01",)]
    world.wheel.advance(60)
    assert not peer.gone


def test_a_call_has_an_end() -> None:
    """By its time-out, or by the socket's end."""
    world = World()
    peer, socket, _ = joined(world)
    late, lost = socket.call("x", timeout_s=5), socket.call("y", timeout_s=500)
    ends: list[Any] = []
    for call in (late, lost):
        call.addErrback(lambda failure: ends.append(failure.type))
    world.wheel.advance(5)
    assert ends == [AckTimeout]
    peer.say("3/a,0[]")
    peer.session.transport_lost(peer.transport)
    assert ends == [AckTimeout, Disconnected]
    assert not world.wheel.filed


def test_a_socket_that_has_left_sends_nothing() -> None:
    """A broadcast under way may still hold it."""
    world = World()
    peer, socket, _ = joined(world)
    peer.say("1/a,")
    socket.emit("x")
    assert peer.heard() == []


def test_the_opening_request_is_at_hand() -> None:
    """As the transport handed it over."""
    opening = Opening({"k": "v"}, "ApiKey secret", "192.0.2.1")
    _, socket, _ = joined(World(), opening=opening)
    assert socket.opening is opening
    assert "secret" not in repr(opening)
    assert "v" not in repr(opening).replace("v=", "")


# Rooms and broadcasts.


def test_an_emit_reaches_each_member_of_any_of_the_rooms_once() -> None:
    """And nobody else."""
    world = World()
    peers = []
    for rooms in (["r"], ["s"], ["r", "s"], []):
        peer, socket, namespace = joined(world)
        socket.join(*rooms)
        peers.append(peer)
    assert namespace.emit("x", rooms=["r", "s", "none"]) == 3
    assert [len(peer.heard()) for peer in peers] == [1, 1, 1, 0]
    assert namespace.emit("x", rooms=["none"]) == 0
    assert namespace.emit("x") == 4
    assert [len(peer.heard()) for peer in peers] == [1, 1, 1, 1]


def test_rooms_end_with_their_last_member() -> None:
    """By leaving, by leaving the namespace, by the end of the connection."""
    world = World()
    for end in ("leave", "namespace", "connection"):
        peer, socket, namespace = joined(world)
        socket.join("r")
        socket.join("r", "s")
        socket.leave("s")
        assert socket.rooms == ("r",)
        assert len(namespace.rooms) == 1
        if end == "leave":
            socket.leave("r", "never joined")
        elif end == "namespace":
            peer.say("1/a,")
        else:
            peer.session.transport_lost(peer.transport)
        assert len(namespace.rooms) == 0


def test_a_broadcast_with_acks_shares_one_id() -> None:
    """So that it is encoded once; answers nobody waits for are ignored."""
    world = World()
    peers = [joined(world)[0] for _ in range(2)]
    assert world.server.namespace("/a").emit("x", rooms=[], ack=True) == 0
    world.server.namespace("/a").emit("x", ack=True)
    assert [peer.heard() for peer in peers] == [['2/a,0["x"]']] * 2
    peers[0].say("3/a,0[]")
    assert not peers[0].gone


def test_a_large_broadcast_is_sliced_and_keeps_its_order() -> None:
    """The loop turns in between; what comes later waits behind; who leaves meanwhile is left out."""
    world = World()
    members = [joined(world) for _ in range(SLICE + 10)]
    namespace = members[0][2]
    _, one, _ = members[-1]
    one.join("one")
    assert namespace.emit("first") == SLICE + 10
    assert sum(len(peer.heard()) for peer, _, _ in members) == 0
    assert namespace.emit("second", rooms=["one"]) == 1
    members[-2][0].say("1/a,")
    world.turn()
    heard = [peer.heard() for peer, _, _ in members]
    assert sum(map(len, heard)) == SLICE
    assert heard[-1] == []
    world.turn()
    heard = [peer.heard() for peer, _, _ in members]
    assert sum(map(len, heard)) == 9 + 1
    assert heard[-1] == ['2/a,["first"]', '2/a,["second"]']
    assert heard[-2] == []
    assert not world.later
    namespace.emit("third", rooms=["one"])
    assert members[-1][0].heard() == ['2/a,["third"]']


def test_it_can_be_waited_for_that_all_until_now_is_written() -> None:
    """At once, unless a large broadcast is under way. What is sent then comes after all that was sent before."""
    world = World()
    members = [joined(world) for _ in range(SLICE + 1)]
    _, _, namespace = members[0]
    fired: list[str] = []
    world.server.written().addCallback(lambda _: fired.append("at once"))
    assert fired == ["at once"]
    namespace.emit("first")
    written = world.server.written()
    written.addCallback(lambda _: fired.append("written"))
    written.addCallback(lambda _: namespace.emit("third"))
    namespace.emit("second")
    world.turn()
    assert fired == ["at once"]
    while world.later:
        world.turn()
    assert fired == ["at once", "written"]
    for each, _, _ in members:
        assert each.heard() == ['2/a,["first"]', '2/a,["second"]', '2/a,["third"]']


@pytest.mark.parametrize("others", [2, SLICE])
def test_one_that_cannot_be_written_to_keeps_nothing_from_the_others(
    others: int, logged_failures: list[str]
) -> None:
    """Nor from those whose turn comes later, nor what is sent later."""
    world = World()
    _, faulty, namespace = joined(world)
    members = [joined(world)[0] for _ in range(others)]

    def fault(unit: Outgoing) -> None:
        raise RuntimeError("a fault of ours")

    faulty.send = fault
    namespace.emit("first")
    namespace.emit("second")
    while world.later:
        world.turn()
    assert logged_failures == ["a fault of ours"] * 2
    for peer in members:
        assert peer.heard() == ['2/a,["first"]', '2/a,["second"]']
