"""Who is online, and closing their connections."""

from typing import Any

from zope.interface.verify import verifyObject

from reward_push.engineio.packet import Packet, PacketType
from reward_push.engineio.revision import V3, V4
from reward_push.presence import Presence
from reward_push.rewards.interfaces import Device, IPresence
from reward_push.rewards.member import Member
from reward_push.rewards.rooms import streamer_room

from .socketio.world import Peer, World

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
    presence = Presence(world.server, world.wheel, lambda: NOW_MS)
    verifyObject(IPresence, presence)
    peer = joined(world, "s", "/a", device="tv")
    socket = peer.client.sockets["/a"]
    [shown] = presence.sockets_of("s")
    assert shown == (socket.id, "/a", "tv", "websocket", 4, NOW_MS, None)
    world.wheel.advance(1000)
    world.wheel.advance(0.25)
    peer.session.received(peer.transport, Packet(PacketType.PONG))
    [shown] = presence.sockets_of("s")
    assert (shown.since_ms, shown.rtt_ms) == (NOW_MS - 1_000_250, 250)
    assert presence.sockets_of("nobody") == []


def test_each_namespace_of_each_connection_is_a_socket() -> None:
    world = World()
    presence = Presence(world.server, world.wheel, lambda: NOW_MS)
    joined(world, "s", "/a", "/b")
    joined(world, "s", "/a", revision=V3)
    joined(world, "t", "/a")
    found = sorted((each.namespace, each.revision) for each in presence.sockets_of("s"))
    assert found == [("/a", 3), ("/a", 4), ("/b", 4)]


def test_connections_are_closed_so_that_they_come_back() -> None:
    """Each counts once, whatever it has joined; only those in the namespaces asked for."""
    world = World()
    presence = Presence(world.server, world.wheel, lambda: NOW_MS)
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
