"""Who is online, and closing their connections."""

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from reward_push.cluster.channels import Channels
from reward_push.cluster.envelope import Answer, decode
from reward_push.cluster.peers import ANSWER_S, Peers
from reward_push.engineio.packet import Packet, PacketType
from reward_push.engineio.revision import V3, V4
from reward_push.node.presence import ClusterPresence, HerePresence, LonePresence
from reward_push.rewards.interfaces import Device
from reward_push.rewards.member import Member
from reward_push.rewards.presence import IPresence
from reward_push.rewards.rooms import streamer_room

from ..socketio.world import Peer, World

NOW_MS = 1_800_000_000_000


def joined(world: World, streamer: str, *namespaces: str, **fields: Any) -> Peer:
    """Connect a streamer's plugin."""
    peer = world.peer(fields.get("revision", V4))
    for name in namespaces:

        async def admit(socket: Any, auth: Any) -> None:
            socket.user = Member(Device(1, "k", streamer, fields.get("device")))
            socket.join(streamer_room(streamer))

        world.server.namespace(name).admit = admit
        peer.say(f"0{name},")
    return peer


def test_what_is_shown_of_a_socket() -> None:
    """Its public id, since when it is there, and the last round trip."""
    world = World()
    presence = HerePresence(world.server, world.wheel, lambda: NOW_MS, "n1")
    peer = joined(world, "s", "/a", device="tv")
    socket = peer.client.sockets["/a"]
    [shown] = presence.sockets_of("s")
    assert shown == (socket.id, "/a", "tv", "websocket", 4, NOW_MS, None, "n1")
    world.wheel.advance(1000)
    world.wheel.advance(0.25)
    peer.session.received(peer.transport, Packet(PacketType.PONG))
    [shown] = presence.sockets_of("s")
    assert (shown.since_ms, shown.rtt_ms) == (NOW_MS - 1_000_250, 250)
    assert presence.sockets_of("nobody") == []


def test_each_namespace_of_each_connection_is_a_socket() -> None:
    world = World()
    presence = HerePresence(world.server, world.wheel, lambda: NOW_MS, "n1")
    joined(world, "s", "/a", "/b")
    joined(world, "s", "/a", revision=V3)
    joined(world, "t", "/a")
    found = sorted((each.namespace, each.revision) for each in presence.sockets_of("s"))
    assert found == [("/a", 3), ("/a", 4), ("/b", 4)]


def test_connections_are_closed_so_that_they_come_back() -> None:
    """Each counts once, whatever it has joined; only those in the namespaces asked for."""
    world = World()
    presence = HerePresence(world.server, world.wheel, lambda: NOW_MS, "n1")
    both, one, other = (
        joined(world, "s", "/a", "/b"),
        joined(world, "s", "/b"),
        joined(world, "t", "/a"),
    )
    assert presence.disconnect("s", ["/a"]) == 1
    assert (both.transport.ended, one.transport.ended) == (["fail"], [])
    assert presence.disconnect("s", None) == 1
    assert one.transport.ended == ["fail"]
    assert presence.disconnect("s", None) == 0
    assert not other.gone


def test_a_node_without_others_knows_everybody() -> None:
    world = World()
    here = HerePresence(world.server, world.wheel, lambda: NOW_MS, "n1")
    alone = LonePresence(here)
    verifyObject(IPresence, alone)
    joined(world, "s", "/a")
    found: list[Any] = []
    alone.sockets_of("s").addCallback(found.append)
    assert found[0].sockets == here.sockets_of("s")
    alone.disconnect("s", None).addCallback(found.append)
    assert found[1] == 1


class Bus:
    """Carries what nodes say to each other; nodes in ``deaf`` hear nothing."""

    def __init__(self) -> None:
        self.peers: dict[str, Peers] = {}
        self.deaf: set[str] = set()

    def publish(self, channel: str, text: str) -> "Deferred[None]":
        news: Any = decode(text)
        for node_id, peers in self.peers.items():
            if node_id in self.deaf or channel not in ("rp:nodes", f"rp:node:{node_id}"):
                continue
            if isinstance(news, Answer):
                peers.answered(news)
            else:
                peers.asked(news)
        return succeed(None)


class Cluster:
    """Some nodes that know of each other."""

    def __init__(self, *node_ids: str) -> None:
        self.bus: Any = Bus()
        self.clock = Clock()
        self.worlds = {each: World() for each in node_ids}
        self.presence = {}
        for node_id, world in self.worlds.items():
            others = [each for each in node_ids if each != node_id]
            peers = Peers(
                node_id, Channels("rp:"), self.bus, lambda others=others: others, self.clock
            )
            self.bus.peers[node_id] = peers
            here = HerePresence(world.server, world.wheel, lambda: NOW_MS, node_id)
            self.presence[node_id] = ClusterPresence(here, peers)


def test_among_nodes_all_are_asked() -> None:
    cluster = Cluster("n1", "n2", "n3")
    verifyObject(IPresence, cluster.presence["n1"])
    joined(cluster.worlds["n1"], "s", "/a", device="tv")
    joined(cluster.worlds["n3"], "s", "/a", "/b")
    joined(cluster.worlds["n3"], "t", "/a")
    found: list[Any] = []
    cluster.presence["n2"].sockets_of("s").addCallback(found.append)
    [present] = found
    assert sorted((each.node, each.namespace, each.device) for each in present.sockets) == [
        ("n1", "/a", "tv"),
        ("n3", "/a", None),
        ("n3", "/b", None),
    ]
    assert present.silent == ()
    assert cluster.clock.getDelayedCalls() == []


def test_a_node_that_does_not_answer_is_named() -> None:
    cluster = Cluster("n1", "n2", "n3")
    joined(cluster.worlds["n2"], "s", "/a")
    cluster.bus.deaf = {"n3"}
    found: list[Any] = []
    cluster.presence["n1"].sockets_of("s").addCallback(found.append)
    assert found == []
    cluster.clock.advance(ANSWER_S)
    [present] = found
    assert ([each.node for each in present.sockets], present.silent) == (["n2"], ("n3",))


def test_a_streamer_is_disconnected_everywhere() -> None:
    cluster = Cluster("n1", "n2")
    peers = [joined(world, "s", "/a") for world in cluster.worlds.values()]
    other = joined(cluster.worlds["n2"], "s", "/b")
    closed: list[int] = []
    cluster.presence["n2"].disconnect("s", ["/a"]).addCallback(closed.append)
    assert closed == [2]
    assert [each.transport.ended for each in (*peers, other)] == [["fail"], ["fail"], []]
