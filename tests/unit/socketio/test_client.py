"""Joining, leaving and misbehaving, in both revisions."""

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from reward_push.engineio.backlog import HARD_FACTOR
from reward_push.engineio.errors import CloseReason
from reward_push.engineio.interfaces import ISessionHandler, ITimed
from reward_push.engineio.options import EngineOptions
from reward_push.engineio.outgoing import Outgoing, message
from reward_push.engineio.packet import Packet as EnginePacket
from reward_push.engineio.packet import PacketType as EnginePacketType
from reward_push.engineio.registry import Registry
from reward_push.engineio.revision import V3, V4, Revision
from reward_push.rate import Rate
from reward_push.socketio.broadcaster import SLICE
from reward_push.socketio.client import MAX_WAITING, Client
from reward_push.socketio.namespace import ConnectionRefused, TryLater
from reward_push.socketio.rooms import Rooms
from reward_push.socketio.socket import Socket

from ..fakes import Tracker
from .world import Peer, World


def joined_id(answer: str | bytes, prefix: str) -> str:
    """Return the socket id in a revision 5 CONNECT answer."""
    assert isinstance(answer, str)
    assert answer.startswith(prefix)
    body = json.loads(answer.removeprefix(prefix))
    assert list(body) == ["sid"]
    return str(body["sid"])


def refuse(*args: Any) -> Any:
    """Make an admit hook that refuses."""

    async def admit(socket: Socket, auth: Any) -> None:
        raise ConnectionRefused(*args)

    return admit


class Door:
    """An admit hook that decides when told."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[None]] = []

    async def __call__(self, socket: Socket, auth: Any) -> None:
        self.waiting.append(Deferred())
        await self.waiting[-1]


def test_it_provides_what_it_says() -> None:
    """Sessions and the wheel may rely on the interfaces."""
    world = World()
    client = world.peer().client
    verifyObject(ISessionHandler, client)
    verifyObject(ITimed, client)


# Revision 5.


def test_revision_5_nothing_is_joined_unasked() -> None:
    """The client has to ask for every namespace, the root included."""
    world = World()
    world.server.namespace("/")
    assert world.peer().heard() == []


def test_revision_5_the_answer_carries_a_public_id_of_each_socket() -> None:
    """Never the Engine.IO sid; another one for each namespace."""
    world = World()
    world.server.namespace("/")
    world.server.namespace("/a")
    peer = world.peer()
    peer.say("0", "0/a,")
    root, other = peer.heard()
    ids = {joined_id(root, "0"), joined_id(other, "0/a,"), peer.session.sid}
    assert len(ids) == 3


def test_revision_5_auth_reaches_the_hook() -> None:
    """As the object in CONNECT, or an empty one."""
    world = World()
    seen: list[Any] = []

    async def admit(socket: Socket, auth: Any) -> None:
        seen.append((socket.namespace.name, auth))

    for name in ("/", "/a"):
        world.server.namespace(name).admit = admit
    world.peer().say('0{"token":"1"}', "0/a")
    assert seen == [("/", {"token": "1"}), ("/a", {})]


def test_revision_5_an_unknown_namespace_is_refused_and_the_connection_stays() -> None:
    """Others can still join."""
    world = World()
    world.server.namespace("/a")
    peer = world.peer()
    peer.say("0/none,", "0/a,")
    answers = peer.heard()
    assert answers[0] == '4/none,{"message":"Invalid namespace"}'
    joined_id(answers[1], "0/a,")


@pytest.mark.parametrize(
    ("refusal", "answer"),
    [
        (("no",), '4/a,{"message":"no"}'),
        (("no", {"code": 1}), '4/a,{"message":"no","data":{"code":1}}'),
    ],
)
def test_revision_5_a_refusal_is_an_object(refusal: tuple[Any, ...], answer: str) -> None:
    """With data where the hook gave some."""
    world = World()
    world.server.namespace("/a").admit = refuse(*refusal)
    peer = world.peer()
    peer.say("0/a,")
    assert peer.heard() == [answer]
    assert not peer.gone


@pytest.mark.parametrize(
    "packets",
    [
        ["2" + '["x"]'],
        ["0/a,", '2/b,["x"]'],
        ["0/a,", "0/a,"],
        ["0/a,", '4/a,{"message":"no"}'],
        ["1"],
        ["3/a,1[]"],
        ["abc"],
        ["0/a,", "2/a,{}"],
    ],
)
def test_revision_5_protocol_violations_end_the_connection(packets: list[str]) -> None:
    """Packets for what is not joined, a second join, a client's refusal, nonsense."""
    world = World()
    world.server.namespace("/a")
    world.server.namespace("/b")
    peer = world.peer()
    peer.say(*packets)
    assert peer.gone
    assert not world.wheel.filed


def test_leaving_a_namespace_is_not_answered_and_leaves_the_others() -> None:
    """It may be joined again."""
    world = World()
    left: list[str] = []
    for name in ("/a", "/b"):
        namespace = world.server.namespace(name)
        namespace.disconnected = lambda socket, reason: left.append(reason)
    peer = world.peer()
    peer.say("0/a,", "0/b,")
    peer.heard()
    peer.say("1/a,")
    assert peer.heard() == []
    assert left == ["client namespace disconnect"]
    assert list(peer.client.sockets) == ["/b"]
    peer.say("0/a,")
    joined_id(peer.heard()[0], "0/a,")


def test_the_end_of_the_connection_reaches_every_socket() -> None:
    """With the Engine.IO reason."""
    world = World()
    left: list[Any] = []
    namespace = world.server.namespace("/a")
    namespace.disconnected = lambda socket, reason: left.append((socket.connected, reason))
    peer = world.peer()
    peer.say("0/a,")
    peer.session.transport_lost(peer.transport)
    assert left == [(False, "transport close")]
    assert not namespace.sockets


# The connect time-out.


@pytest.mark.parametrize("packets", [[], ["0/none,"], ["0/refused,"]])
def test_a_client_that_joins_nothing_in_time_is_closed(packets: list[str]) -> None:
    """Asking in vain does not count."""
    world = World(connect_timeout_s=45)
    world.server.namespace("/refused").admit = refuse("no")
    peer = world.peer()
    peer.say(*packets)
    world.wheel.advance(44.9)
    assert not peer.gone
    world.wheel.advance(0.1)
    assert peer.gone


def test_a_client_that_nobody_has_answered_may_come_again() -> None:
    """That it has not joined is not its fault: a close packet on polling would be final for some clients."""
    world = World(connect_timeout_s=45)
    door = Door()
    world.server.namespace("/a").admit = door
    peer = world.peer()
    peer.say("0/a,")
    world.wheel.advance(45)
    assert peer.transport.ended == ["fail"]
    door.waiting[0].callback(None)
    assert peer.heard() == []


def test_a_client_that_has_joined_is_left_alone() -> None:
    """Also after it has left again."""
    world = World(connect_timeout_s=45)
    world.server.namespace("/a")
    peer = world.peer()
    peer.say("0/a,", "1/a,")
    world.wheel.advance(100)
    assert not peer.gone


def test_a_provisional_socket_does_not_count_as_joined() -> None:
    """Until another namespace is joined for good."""
    world = World(connect_timeout_s=45)

    async def admit(socket: Socket, auth: Any) -> None:
        socket.provisional = True

    world.server.namespace("/").admit = admit
    world.server.namespace("/a")
    sitting, joining = world.peer(), world.peer()
    sitting.say("0")
    joining.say("0", "0/a,")
    world.wheel.advance(45)
    assert sitting.gone
    assert not joining.gone


# Hooks that take their time, or fail.


def test_packets_wait_while_a_hook_decides() -> None:
    """In order, whatever they are for; another namespace may wait in turn."""
    world = World()
    door = Door()
    heard: list[Any] = []
    for name in ("/a", "/b"):
        namespace = world.server.namespace(name)
        namespace.admit = door
        namespace.on("x")(lambda socket, *args: heard.append((socket.namespace.name, *args)))
    peer = world.peer()
    peer.say("0/a,", '2/a,["x",1]', "0/b,", '2/b,["x",2]', '2/a,["x",3]')
    assert (peer.heard(), heard) == ([], [])
    door.waiting[0].callback(None)
    assert heard == [("/a", 1)]
    peer.say('2/a,["x",4]')
    door.waiting[1].callback(None)
    assert heard == [("/a", 1), ("/b", 2), ("/a", 3), ("/a", 4)]


def test_only_so_many_packets_may_wait() -> None:
    """What a peer can grow is bounded."""
    world = World()
    world.server.namespace("/a").admit = Door()
    peer = world.peer()
    peer.say("0/a,", *['2/a,["x"]'] * MAX_WAITING)
    assert not peer.gone
    peer.say('2/a,["x"]')
    assert peer.gone


def limited(world: World, revision: Revision = V4) -> Peer:
    """Connect a client that may send three packets at once."""
    options = EngineOptions(ping_interval_s=1000, packet_rate=Rate(1, 3))
    world.registry = Registry(options, world.wheel, world.server.open_client)
    return world.peer(revision)


def pauses(peer: Peer, *messages: str | bytes) -> list[float]:
    """Send messages; return the pauses they lead to."""
    packets = [EnginePacket(EnginePacketType.MESSAGE, data) for data in messages]
    told = [peer.session.received(peer.transport, packet) for packet in packets]
    return [pause_s for pause_s in told if pause_s]


def test_answers_to_what_was_sent_do_not_count() -> None:
    """As many as there were questions, whatever they answer."""
    world = World()
    world.server.namespace("/a")
    peer = limited(world)
    peer.say("0/a,")
    socket = peer.client.sockets["/a"]
    for ack_id in range(10):
        peer.session.send(Outgoing(EnginePacket(EnginePacketType.NOOP), tracker=Tracker()))
        answer = socket.call("x")
        assert pauses(peer, f"3/a,{ack_id}[]", f"3/a,{ack_id}[]") == []
        assert answer.called
    assert pauses(peer, '2/a,["x"]', '2/a,["x"]') == []
    assert len(pauses(peer, "3/a,1[]")) == 1


def test_answers_that_had_to_wait_do_not_count_either() -> None:
    world = World()
    world.server.namespace("/a")
    door = Door()
    world.server.namespace("/b").admit = door
    peer = limited(world)
    peer.say("0/a,", "0/b,")
    for round_ in range(5):
        peer.session.send(Outgoing(EnginePacket(EnginePacketType.NOOP), tracker=Tracker()))
        assert pauses(peer, "3/a,1[]") == []
        door.waiting[round_].callback(None)
        peer.say("1/b,")
        world.wheel.advance(2)
        peer.say("0/b,")


def test_all_else_counts() -> None:
    """Nonsense that answers nothing, parts of packets, and what waits for a decision."""
    for messages in (
        ["3/a,7[]", "3/a,[]", "3/b,7[]"],
        ['51-/a,["x",{"_placeholder":true,"num":0}]', b"x", '2/a,["x"]'],
        ['2/a,["x"]', "1/a,", '2/a,["x"]'],
    ):
        world = World()
        world.server.namespace("/a")
        peer = limited(world, V3)
        peer.say("0/a,")
        world.wheel.advance(3)
        assert pauses(peer, *messages) == []
        assert len(pauses(peer, messages[-1])) == 1


def test_a_client_that_goes_while_a_hook_decides_is_forgotten() -> None:
    """The late answer changes nothing."""
    world = World()
    door = Door()
    namespace = world.server.namespace("/a")
    namespace.admit = door
    peer = world.peer()
    peer.say("0/a,")
    peer.session.transport_lost(peer.transport)
    door.waiting[0].callback(None)
    assert not namespace.sockets
    assert peer.heard() == []


def test_rooms_joined_in_the_hook_count_from_the_admission_on() -> None:
    """No event may come before the answer to CONNECT."""
    world = World()
    door = Door()
    namespace = world.server.namespace("/a")

    async def admit(socket: Socket, auth: Any) -> None:
        socket.join("room")
        await door(socket, auth)

    namespace.admit = admit
    peer = world.peer()
    peer.say("0/a,")
    assert namespace.emit("x", rooms=["room"]) == 0
    door.waiting[0].callback(None)
    assert namespace.emit("x", rooms=["room"]) == 1
    answers = peer.heard()
    joined_id(answers[0], "0/a,")
    assert answers[1:] == ['2/a,["x"]']


def test_a_hook_that_cannot_tell_has_the_client_come_back() -> None:
    """Engine-level end, never a refusal: a stock client would give up."""
    world = World()

    async def admit(socket: Socket, auth: Any) -> None:
        raise TryLater

    world.server.namespace("/a").admit = admit
    peer = world.peer()
    client = peer.client
    assert not client.ended
    peer.say("0/a,")
    assert peer.transport.ended == ["fail"]
    assert client.ended
    assert peer.heard() == []


def test_a_hook_that_fails_has_the_client_come_back(logged_failures: list[str]) -> None:
    """A fault of the application is logged, and is no refusal either."""
    world = World()

    async def admit(socket: Socket, auth: Any) -> None:
        raise RuntimeError("broken hook")

    world.server.namespace("/a").admit = admit
    peer = world.peer()
    peer.say("0/a,")
    assert peer.transport.ended == ["fail"]
    assert logged_failures == ["broken hook"]


@pytest.mark.parametrize("hook", ["connected", "disconnected"])
def test_other_hooks_that_fail_are_logged(hook: str, logged_failures: list[str]) -> None:
    """The connection goes on."""
    world = World()

    def fail(*_: Any) -> None:
        raise RuntimeError(hook)

    namespace = world.server.namespace("/a")
    setattr(namespace, hook, fail)
    peer = world.peer()
    peer.say("0/a,", "1/a,")
    assert not peer.gone
    assert not namespace.sockets
    assert logged_failures == [hook]


# Revision 4.


def test_revision_4_the_root_is_joined_unasked() -> None:
    """Without a payload; the client knows its id."""
    world = World()
    seen: list[Any] = []

    async def admit(socket: Socket, auth: Any) -> None:
        seen.append((socket.unasked, auth))

    world.server.namespace("/").admit = admit
    assert world.peer(V3).heard() == ["0"]
    assert seen == [(True, {})]


@pytest.mark.parametrize(
    ("packet", "auth"),
    [
        ("0/a,", {}),
        ("0/a", {}),
        ("0/a?token=a b,", {"token": "a b"}),
        ("0/a?token=a%20b&x=&y,", {"token": "a b", "x": "", "y": ""}),
        ("0/a?token=key%2Dalpha", {"token": "key-alpha"}),
    ],
)
def test_revision_4_the_namespace_s_query_is_its_auth(packet: str, auth: dict[str, str]) -> None:
    """Raw or encoded, as clients differ; the answer has neither query nor payload."""
    world = World()
    world.server.namespace("/")
    seen: list[Any] = []

    async def admit(socket: Socket, auth: Any) -> None:
        seen.append((socket.unasked, auth))

    world.server.namespace("/a").admit = admit
    peer = world.peer(V3)
    peer.heard()
    peer.say(packet)
    assert peer.heard() == ["0/a,"]
    assert seen == [(False, auth)]


def test_revision_4_a_long_query_is_cut() -> None:
    """Fields beyond the bound do not count."""
    world = World()
    world.server.namespace("/")
    seen: list[Any] = []

    async def admit(socket: Socket, auth: Any) -> None:
        seen.append(len(auth))

    world.server.namespace("/a").admit = admit
    world.peer(V3).say("0/a?" + "&".join(f"k{n}=1" for n in range(100)))
    assert seen == [32]


def test_revision_4_a_namespace_asked_for_before_the_root_is_granted_waits() -> None:
    """Clients ask as soon as the connection opens."""
    world = World()
    door = Door()
    world.server.namespace("/").admit = door
    world.server.namespace("/a")
    peer = world.peer(V3)
    peer.say("0/a,")
    assert peer.heard() == []
    door.waiting[0].callback(None)
    assert peer.heard() == ["0", "0/a,"]


def test_revision_4_refusals_are_strings() -> None:
    """Also at the root, and for an unknown namespace."""
    world = World()
    world.server.namespace("/").admit = refuse("unauthorized", {"code": "unauthorized"})
    peer = world.peer(V3)
    peer.say("0/none,")
    assert peer.heard() == ['4"unauthorized"', '4/none,"Invalid namespace"']
    assert not peer.gone


def test_revision_4_is_forgiving() -> None:
    """A repeated join is answered again, packets for what is not joined are ignored."""
    world = World()
    world.server.namespace("/")
    world.server.namespace("/a")
    peer = world.peer(V3)
    peer.say("0", "0/,", "0/a", "0/a,", '2/b,["x"]', "1/b,")
    assert peer.heard() == ["0", "0", "0", "0/a,", "0/a,"]
    assert not peer.gone


def test_revision_4_leaving_the_root_leaves_the_root_only() -> None:
    """Other namespaces stay."""
    world = World()
    world.server.namespace("/")
    world.server.namespace("/a")
    peer = world.peer(V3)
    peer.say("0/a,", "1")
    assert list(peer.client.sockets) == ["/a"]


# What the server does.


def test_a_kick_sends_disconnect_and_keeps_the_connection() -> None:
    """A second one changes nothing."""
    world = World()
    left: list[str] = []
    namespace = world.server.namespace("/a")
    namespace.disconnected = lambda socket, reason: left.append(reason)
    peer = world.peer()
    peer.say("0/a,")
    peer.heard()
    socket = peer.client.sockets["/a"]
    socket.disconnect()
    socket.disconnect()
    assert peer.heard() == ["1/a,"]
    assert left == ["server namespace disconnect"]
    assert not peer.gone


def test_kick_and_close_says_so_to_every_namespace_first() -> None:
    """Then the connection ends for good."""
    world = World()
    world.server.namespace("/a")
    world.server.namespace("/b")
    peer = world.peer()
    peer.say("0/a,", "0/b,")
    peer.heard()
    peer.client.sockets["/a"].disconnect(close=True)
    assert peer.heard() == ["1/a,", "1/b,"]
    assert peer.transport.ended == ["close"]


@pytest.mark.parametrize("close", [False, True])
def test_a_kick_may_be_the_packet_that_is_too_much(close: bool) -> None:
    """For a client that reads nothing: the whole connection ends, and each socket leaves once."""
    world = World()
    world.registry.options = EngineOptions(max_queue_bytes=10)
    left: list[tuple[str, str]] = []
    for name in ("/a", "/b"):
        namespace = world.server.namespace(name)
        namespace.disconnected = lambda socket, reason: left.append((socket.namespace.name, reason))
    peer = world.peer()
    peer.say("0/a,", "0/b,")
    peer.transport.writable = False
    socket = peer.client.sockets["/a"]
    socket.emit("x" * (10 * HARD_FACTOR - len('2/a,[""]')))
    assert left == []
    socket.disconnect(close=close)
    assert left == [("/a", "slow client"), ("/b", "slow client")]
    assert peer.transport.ended == ["fail"]


def test_eviction_sends_nothing() -> None:
    """A stock client then comes back by itself."""
    world = World()
    world.server.namespace("/a")
    peer = world.peer(V4)
    peer.say("0/a,")
    peer.heard()
    peer.client.evict(CloseReason.SHUTTING_DOWN)
    assert peer.heard() == []
    assert peer.transport.ended == ["fail"]


def test_a_client_that_is_sent_away_by_the_answer_to_its_connect_has_left() -> None:
    """It reads nothing, and that was one packet too many: the namespace is told of its end, too."""
    world = World()
    world.registry.options = EngineOptions(max_queue_bytes=10)
    namespace = world.server.namespace("/a")
    told: list[str] = []
    namespace.connected = lambda socket: told.append(f"connected {socket.connected}")
    namespace.disconnected = lambda socket, reason: told.append(reason)
    peer = world.peer()
    client = peer.client
    peer.transport.writable = False
    peer.session.send(message("x" * 130))
    assert not peer.gone
    peer.say("0/a,")
    assert peer.gone
    assert told == ["connected True", "slow client"]
    assert (namespace.sockets, len(namespace.rooms), client.sockets) == ({}, 0, {})


def test_a_client_that_is_sent_away_as_it_joins_leaves_once() -> None:
    """By the application, which learns of the connection and ends it."""
    world = World()
    namespace = world.server.namespace("/a")
    told: list[str] = []
    namespace.connected = lambda socket: socket.client.evict()
    namespace.disconnected = lambda socket, reason: told.append(reason)
    peer = world.peer()
    client = peer.client
    peer.say("0/a,")
    assert peer.gone
    assert told == ["forced close"]
    assert (namespace.sockets, len(namespace.rooms), client.sockets) == ({}, 0, {})


def test_namespaces_are_made_once() -> None:
    """Asking again returns the same."""
    server = World().server
    assert server.namespace("/a") is server.namespace("/a")


def test_repr_names_the_socket_without_secrets() -> None:
    """The public id and the namespace."""
    world = World()
    world.server.namespace("/a")
    peer: Peer = world.peer()
    peer.say("0/a,")
    socket = peer.client.sockets["/a"]
    assert repr(socket) == f"<Socket {socket.id} /a>"


def test_without_a_connect_timeout_a_client_may_sit_for_ever() -> None:
    """0 switches any limit off."""
    world = World(connect_timeout_s=0)
    peer = world.peer()
    assert not any(isinstance(item, Client) for item in world.wheel.filed)
    world.wheel.advance(900)
    assert not peer.gone


def test_a_client_that_has_joined_by_its_deadline_stays() -> None:
    """Should the deadline be told all the same."""
    world = World()
    world.server.namespace("/a")
    peer = world.peer()
    peer.say("0/a,")
    peer.client.expire(world.wheel.now())
    assert not peer.gone


def test_nobody_is_not_told_anything() -> None:
    """A broadcast to no socket does not wait in line, also behind a large one."""
    world = World()
    broadcaster = world.server.broadcaster
    assert broadcaster.send(message("x"), []) == 0
    namespace = world.server.namespace("/a")
    for _ in range(SLICE + 1):
        world.peer().say("0/a,")
    namespace.emit("first")
    assert broadcaster.send(message("x"), []) == 0
    assert len(world.later) == 1


def test_rooms_are_left_one_by_one() -> None:
    """Leaving one that nobody is in changes nothing."""
    rooms: Rooms[str] = Rooms()
    rooms.leave("r", "one")
    assert len(rooms) == 0
    rooms.join("r", "one")
    rooms.join("r", "two")
    rooms.leave("r", "one")
    assert rooms.members(["r"]) == ["two"]


def test_whether_a_connection_is_over() -> None:
    """For those who have waited for something meanwhile."""
    peer = World().peer()
    client = peer.client
    assert not client.ended
    peer.session.evict(CloseReason.FORCED_CLOSE)
    assert client.ended
