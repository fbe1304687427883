"""Who may join what, as whom, and as which device."""

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from reward_push.access.addresses import Proxies
from reward_push.access.guard import Guard
from reward_push.access.interfaces import KeyKind, Reason, Right, StoredKey, StoreUnavailable
from reward_push.access.key_text import new_key
from reward_push.access.keys import KeyRing
from reward_push.access.limits import GuardLimits
from reward_push.access.token_keys import of_secret
from reward_push.access.tokens import Tokens
from reward_push.admission.audience import Audience
from reward_push.admission.key_end import LOOK_S
from reward_push.engineio.errors import CloseReason
from reward_push.engineio.opening import Opening
from reward_push.engineio.revision import V3, V4, Revision
from reward_push.rate import Rate
from reward_push.rewards.interfaces import Device
from reward_push.rewards.member import Member

from ...token_maker import SECRET
from ...token_maker import token as made
from ..socketio.world import Peer, World

NOW_MS = 1_800_000_000_000


class Keys:
    """A key store that can be away."""

    def __init__(self) -> None:
        self.keys: dict[str, StoredKey] = {}
        self.away = False
        self.asked = 0

    def make(self, kind: KeyKind = KeyKind.PLUGIN, **fields: Any) -> str:
        """Make a key and return its text."""
        if kind is KeyKind.PLUGIN:
            fields.setdefault("streamer", "s")
        stored, text = new_key(kind, NOW_MS, **fields)
        self.keys[stored.key.key_id] = stored
        return text

    def get_key(self, key_id: str) -> Deferred[StoredKey | None]:
        self.asked += 1
        return fail(StoreUnavailable()) if self.away else succeed(self.keys.get(key_id))


class Devices:
    """The part of the message store that names devices."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, str | None]] = []
        self.away = False

    def open_device(
        self, key_id: str, streamer: str, name: str | None, now_ms: int
    ) -> Deferred[Device]:
        if self.away:
            return fail(StoreUnavailable())
        self.opened.append((streamer, name))
        return succeed(Device(len(self.opened), key_id, streamer, name))


class Recorder:
    """Delivery and replay, as far as the audience calls them."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.hears: Deferred[None] = succeed(None)

    def connected(self, socket: Any) -> None:
        self.calls.append(("connected", socket.namespace.name))

    def disconnected(self, socket: Any) -> None:
        self.calls.append(("disconnected", socket.namespace.name))

    async def expect(self, socket: Any) -> None:
        await self.hears

    def begin(self, socket: Any) -> None:
        self.calls.append(("replay", socket.namespace.name))

    def end(self, socket: Any) -> None:
        self.calls.append(("end", socket.namespace.name))

    def acked(self, socket: Any, ack_id: int, args: list[Any]) -> None:
        self.calls.append(("acked", str(ack_id)))


class Node:
    """Namespaces ``/``, ``/a`` and ``/b`` with their audience."""

    def __init__(self, limits: GuardLimits | None = None) -> None:
        self.world = World()
        self.keys: Any = Keys()
        self.devices: Any = Devices()
        self.recorder: Any = Recorder()
        self.tokens = Tokens(of_secret(SECRET), lambda: self.now_ms, leeway_s=0)
        self.ring = KeyRing(self.keys, lambda: self.now_ms, None, self.tokens)
        self.now_ms = NOW_MS
        self.guard = Guard(
            limits or GuardLimits(),
            Proxies([]),
            self.world.wheel.now,
            send_away=lambda session: None,
        )
        self.audience = Audience(
            self.ring,
            self.devices,
            self.recorder,
            self.recorder,
            self.recorder,
            self.guard,
            self.world.wheel,
            lambda: self.now_ms,
        )
        self.ring.evict = self.audience.revoked
        for name in ("/", "/a", "/b"):
            self.audience.attend(self.world.server.namespace(name))

    def advance(self, seconds: float) -> None:
        """Let time go by, on the wall and in the wheel."""
        self.now_ms += round(seconds * 1000)
        self.world.wheel.advance(seconds)

    def key_id(self, text: str) -> str:
        """The id in a key's text."""
        return text.split("_")[1]

    def revoke(self, text: str) -> None:
        """Remove a key from the store, and let the node hear of it."""
        del self.keys.keys[self.key_id(text)]
        self.ring.revoked(self.key_id(text))

    def peer(self, revision: Revision = V4, authorization: str | None = None, **query: str) -> Peer:
        """Connect a client."""
        return self.world.peer(revision, Opening(query, authorization, "192.0.2.1"))


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def strict() -> Node:
    """One with limits that are soon reached."""
    rate = Rate(1, 3)
    return Node(GuardLimits(connections_per_key=2, auth_failures_per_address=rate, ban_s=60.0))


def member(peer: Peer, namespace: str = "/a") -> Member | None:
    """Who a client is in a namespace; ``None`` when it has not joined."""
    socket = peer.client.sockets.get(namespace)
    return None if socket is None else socket.user


UNAUTHORIZED = '{"message":"unauthorized","data":{"code":"unauthorized"}}'
FORBIDDEN = '{"message":"forbidden","data":{"code":"forbidden"}}'


def test_who_is_let_in_and_who_is_not_is_counted(node: Node) -> None:
    """By namespace and code, never by key; a provisional place in ``/`` is none."""
    good = node.keys.make()
    node.peer(V3)
    node.peer(V3, f"ApiKey {good}").say("0/a,")
    for auth in ("", '{"apiKey":"rpk_wrong"}', f'{{"apiKey":"{good}","device":""}}'):
        node.peer().say(f"0/a,{auth}")
    node.peer().say(f'0/b,{{"apiKey":"{node.keys.make(namespaces=["/a"])}"}}')
    node.peer().say(f'0/none,{{"apiKey":"{good}"}}')
    node.devices.away = True
    node.peer().say(f'0/a,{{"apiKey":"{good}"}}')
    counts = node.audience.counts
    assert counts.joined == {"/": 1, "/a": 1}
    assert counts.refused == {
        ("/a", "unauthorized"): 2,
        ("/a", "invalid_request"): 1,
        ("/b", "forbidden"): 1,
        ("/a", "later"): 1,
    }
    assert node.world.server.unknown_namespaces == 1


# Where the key comes from.


@pytest.mark.parametrize("field", ["apiKey", "token"])
def test_a_key_in_auth(node: Node, field: str) -> None:
    peer = node.peer()
    peer.say(f'0/a,{{"{field}":"{node.keys.make(groups=["eu"])}"}}')
    joined = member(peer)
    assert joined is not None
    assert joined.device.streamer == "s"
    assert peer.client.sockets["/a"].rooms == ("all", "streamer:s", "group:eu")


@pytest.mark.parametrize("scheme", ["ApiKey", "Bearer", "apikey"])
def test_a_key_in_the_header(node: Node, scheme: str) -> None:
    peer = node.peer(V4, f"{scheme} {node.keys.make()}")
    peer.say("0/a,")
    assert member(peer) is not None


def test_a_key_in_the_query(node: Node) -> None:
    peer = node.peer(V4, None, apiKey=node.keys.make())
    peer.say("0/a,")
    assert member(peer) is not None


def test_auth_wins_over_the_header_and_the_header_over_the_query(node: Node) -> None:
    """A wrong key that wins is a wrong key."""
    good, wrong = node.keys.make(), "rpk_wrong"
    for peer, auth, joins in (
        (node.peer(V4, f"ApiKey {wrong}", apiKey=wrong), f'{{"apiKey":"{good}"}}', True),
        (node.peer(V4, f"ApiKey {good}"), f'{{"apiKey":"{wrong}"}}', False),
        (node.peer(V4, f"ApiKey {good}", apiKey=wrong), "", True),
        (node.peer(V4, f"ApiKey {wrong}", apiKey=good), "", False),
    ):
        peer.say(f"0/a,{auth}")
        assert (member(peer) is not None) is joins


def test_a_named_namespace_takes_the_key_that_the_root_was_joined_with(node: Node) -> None:
    """The C++ client's auth goes with the CONNECT to ``/`` only."""
    peer = node.peer()
    peer.say(f'0{{"apiKey":"{node.keys.make()}"}}', "0/a")
    assert member(peer) is not None


def test_revision_4_brings_its_key_with_the_namespace(node: Node) -> None:
    """Until then it sits in ``/`` without any right."""
    peer = node.peer(V3)
    assert peer.heard() == ["0"]
    assert member(peer, "/") is None
    assert peer.client.sockets["/"].rooms == ()
    peer.say(f"0/a?apiKey={node.keys.make()}")
    assert peer.heard() == ["0/a,"]
    assert member(peer) is not None
    assert [call for call in node.recorder.calls if call[1] == "/"] == []
    peer.say("1")
    assert ("disconnected", "/") not in node.recorder.calls


# Who gets in.


@pytest.mark.parametrize("auth", ["", '{"apiKey":""}', '{"apiKey":7}', '{"apiKey":"rpk_wrong"}'])
def test_no_key_or_a_wrong_one(node: Node, auth: str) -> None:
    """A definite no, so that a stock client stops."""
    for namespace in ("/", "/a"):
        peer = node.peer()
        peer.say("0" + ("" if namespace == "/" else namespace + ",") + auth)
        prefix = "4" if namespace == "/" else f"4{namespace},"
        assert peer.heard() == [prefix + UNAUTHORIZED]
        assert not peer.gone


def test_an_expired_key(node: Node) -> None:
    peer = node.peer()
    peer.say(f'0/a,{{"apiKey":"{node.keys.make(expires_at_ms=NOW_MS)}"}}')
    assert peer.heard() == ["4/a," + UNAUTHORIZED]


def test_a_key_for_other_namespaces_opens_the_root_alone(node: Node) -> None:
    peer = node.peer(V4, "ApiKey " + node.keys.make(namespaces=["/b"]))
    peer.say("0/a,", "0/b,", "0")
    assert peer.heard()[0] == "4/a," + FORBIDDEN
    assert set(peer.client.sockets) == {"/b", "/"}


def test_a_backend_key_is_no_plugin_s(node: Node) -> None:
    key = node.keys.make(KeyKind.BACKEND, rights=list(Right))
    peer = node.peer(V4, f"ApiKey {key}")
    peer.say("0/a,")
    assert peer.heard() == ["4/a," + FORBIDDEN]


def test_a_key_that_cannot_be_looked_up(node: Node) -> None:
    """The client comes back; a refusal would be final."""
    key = node.keys.make()
    node.keys.away = True
    peer = node.peer(V4, f"ApiKey {key}")
    peer.say("0/a,")
    assert peer.transport.ended == ["fail"]
    assert peer.heard() == []


# Gateways.


def test_a_gateway_s_clients_name_their_streamer(node: Node) -> None:
    """In auth or in the query; nobody else is asked."""
    gateway, plain = node.keys.make(streamer="*"), node.keys.make()
    for peer, auth, streamer in (
        (node.peer(V4, f"ApiKey {gateway}"), '{"streamer":"s-42"}', "s-42"),
        (node.peer(V4, f"ApiKey {gateway}", streamer="s-43"), "", "s-43"),
        (node.peer(V4, f"ApiKey {gateway}", streamer="s-43"), '{"streamer":"s-44"}', "s-44"),
        (node.peer(V4, f"ApiKey {plain}", streamer="no name!"), "", "s"),
    ):
        peer.say(f"0/a,{auth}")
        joined = member(peer)
        assert joined is not None
        assert joined.device.streamer == streamer


@pytest.mark.parametrize("auth", ["", '{"streamer":"*"}', '{"streamer":7}', '{"streamer":""}'])
def test_a_gateway_s_client_without_a_streamer(node: Node, auth: str) -> None:
    peer = node.peer(V4, "ApiKey " + node.keys.make(streamer="*"))
    peer.say(f"0/a,{auth}")
    [answer] = peer.heard()
    assert '"code":"invalid_request","field":"streamer"' in str(answer)


# Devices.


def test_a_device_is_named_in_auth_or_in_the_query(node: Node) -> None:
    key = node.keys.make()
    for peer, auth in (
        (node.peer(V4, f"ApiKey {key}"), '{"device":"tv"}'),
        (node.peer(V4, f"ApiKey {key}", device="obs"), ""),
        (node.peer(V4, f"ApiKey {key}", device="obs"), '{"device":"tv"}'),
    ):
        peer.say(f"0/a,{auth}")
    assert node.devices.opened == [("s", "tv"), ("s", "obs"), ("s", "tv")]


def test_who_names_none_is_one_new_device_a_connection(node: Node) -> None:
    """In all its namespaces. Another streamer or another key is another device."""
    key, other = node.keys.make(), node.keys.make(streamer="t")
    first, second = node.peer(V4, f"ApiKey {key}"), node.peer(V4, f"ApiKey {key}")
    first.say("0/a,", "0/b,", f'0{{"apiKey":"{other}"}}')
    second.say("0/a,")
    numbers = [member(first, name).device.number for name in ("/a", "/b", "/")]  # type: ignore[union-attr]
    assert numbers == [1, 1, 2]
    assert member(second).device.number == 3  # type: ignore[union-attr]


@pytest.mark.parametrize("auth", ['{"device":"no name!"}', '{"device":7}', '{"device":""}'])
def test_a_device_with_an_impossible_name(node: Node, auth: str) -> None:
    """Says so, by its field."""
    peer = node.peer(V4, "ApiKey " + node.keys.make())
    peer.say(f"0/a,{auth}")
    [answer] = peer.heard()
    assert '"field":"device"' in str(answer)
    assert "device: must be 1 to 64 of" in str(answer)


def test_a_device_that_cannot_be_found_comes_back(node: Node) -> None:
    node.devices.away = True
    peer = node.peer(V4, "ApiKey " + node.keys.make())
    peer.say("0/a,")
    assert peer.transport.ended == ["fail"]


def test_nobody_is_let_in_before_the_node_hears_what_is_for_it(node: Node) -> None:
    node.recorder.hears = hears = Deferred()
    peer = node.peer(V4, "ApiKey " + node.keys.make())
    peer.say("0/a,")
    assert (peer.heard(), node.recorder.calls) == ([], [])
    hears.callback(None)
    assert str(peer.heard()[0]).startswith("0/a,")
    assert node.recorder.calls == [("connected", "/a"), ("replay", "/a")]


def test_who_leaves_while_the_node_begins_to_hear_is_forgotten(node: Node) -> None:
    node.recorder.hears = hears = Deferred()
    peer = node.peer(V4, "ApiKey " + node.keys.make())
    peer.say("0/a,")
    peer.client.session.close(CloseReason.FORCED_CLOSE)
    hears.callback(None)
    assert node.recorder.calls == [("end", "/a")]


def test_who_cannot_be_heard_of_comes_back(node: Node) -> None:
    node.recorder.hears = fail(StoreUnavailable())
    peer = node.peer(V4, "ApiKey " + node.keys.make())
    peer.say("0/a,")
    assert (peer.transport.ended, node.recorder.calls) == (["fail"], [])


def test_a_key_revoked_meanwhile_is_not_waited_for_any_more(node: Node) -> None:
    key = node.keys.make()
    node.recorder.hears = hears = Deferred()
    peer = node.peer(V4, f"ApiKey {key}")
    peer.say("0/a,")
    node.revoke(key)
    hears.callback(None)
    assert peer.heard() == [f"4/a,{UNAUTHORIZED}"]
    assert node.recorder.calls == [("end", "/a")]


def test_nothing_is_heard_for_who_is_not_let_in_by_a_fault_of_ours(
    node: Node, logged_failures: list[str]
) -> None:
    key = node.keys.make()
    node.recorder.hears = hears = Deferred()
    peer = node.peer(V4, f"ApiKey {key}")
    peer.say("0/a,")
    node.ring.forget(node.key_id(key))
    node.keys.get_key = lambda key_id: fail(RuntimeError("broken"))
    hears.callback(None)
    assert (peer.transport.ended, node.recorder.calls) == (["fail"], [("end", "/a")])
    assert logged_failures == ["broken"]


# What follows.


def test_who_has_joined_is_brought_up_to_date_and_followed(node: Node) -> None:
    peer = node.peer(V4, "ApiKey " + node.keys.make())
    peer.say("0/a,", "3/a,7[]", "1/a,")
    assert node.recorder.calls == [
        ("connected", "/a"),
        ("replay", "/a"),
        ("acked", "7"),
        ("disconnected", "/a"),
        ("end", "/a"),
    ]


def test_a_socket_ends_with_its_key(node: Node) -> None:
    """Its client comes back, and is told then. Only the wall clock counts; who has left is forgotten."""
    ends = NOW_MS + 60_000
    stays, leaves, free = (
        node.peer(V4, "ApiKey " + node.keys.make(expires_at_ms=at)) for at in (ends, ends, None)
    )
    for peer in (stays, leaves, free):
        peer.say("0/a,")
    leaves.say("1/a,")
    node.now_ms += 59_000
    node.world.wheel.advance(60)
    assert not stays.gone
    node.now_ms += 1_000
    node.world.wheel.advance(1)
    assert stays.transport.ended == ["fail"]
    assert (leaves.gone, free.gone) == (False, False)


def test_a_clock_that_is_set_forward_beyond_the_end_of_a_key_is_noticed(node: Node) -> None:
    """And one that is set back afterwards closes nobody."""
    key = node.keys.make(expires_at_ms=NOW_MS + 86_400_000)
    peer = node.peer(V4, f"ApiKey {key}")
    peer.say("0/a,")
    node.now_ms += 86_400_000
    node.world.wheel.advance(LOOK_S)
    assert peer.transport.ended == ["fail"]
    node.now_ms -= 86_400_000
    later = node.peer(V4, f"ApiKey {key}")
    later.say("0/a,")
    node.world.wheel.advance(10 * LOOK_S)
    assert not later.gone


# Revocation.


def test_a_revoked_key_s_connections_are_closed_and_no_others(node: Node) -> None:
    """At engine level, so that the clients come back and are told."""
    key, other = node.keys.make(), node.keys.make()
    mine = [node.peer(V4, f"ApiKey {key}") for _ in range(3)]
    theirs, gone = node.peer(V4, f"ApiKey {other}"), node.peer(V4, f"ApiKey {key}")
    for peer in (*mine, theirs, gone):
        peer.say("0/a,", "0/b,")
    gone.say("1/a,", "1/b,")
    node.revoke(key)
    assert [peer.transport.ended for peer in mine] == [["fail"]] * 3
    assert (theirs.gone, gone.gone) == (False, False)
    again = node.peer(V4, f"ApiKey {key}")
    again.say("0/a,")
    assert again.heard() == ["4/a," + UNAUTHORIZED]
    gone.say("0/a,")
    assert gone.heard()[-1] == "4/a," + UNAUTHORIZED
    assert list(node.audience.holders) == [node.key_id(other)]
    node.ring.revoked(node.key_id(key))
    node.audience.revoked("nobody's")
    theirs.say("1/a,", "1/b,")
    assert list(node.audience.holders) == []


def test_a_key_revoked_while_its_device_is_looked_up_lets_nobody_in(node: Node) -> None:
    """There is no socket to close yet."""
    key = node.keys.make()
    waiting: Deferred[Device] = Deferred()
    node.devices.open_device = lambda *_: waiting
    peer = node.peer(V4, f"ApiKey {key}")
    peer.say("0/a,")
    node.revoke(key)
    assert not peer.gone
    waiting.callback(Device(1, "k", "s", None))
    assert peer.heard() == ["4/a," + UNAUTHORIZED]


def test_a_key_that_others_displaced_from_memory_is_looked_up_once_more(node: Node) -> None:
    key = node.keys.make()
    waiting: Deferred[Device] = Deferred()
    node.devices.open_device = lambda *_: waiting
    peer = node.peer(V4, f"ApiKey {key}")
    peer.say("0/a,")
    node.ring.forget(node.key_id(key))
    waiting.callback(Device(1, "k", "s", None))
    assert member(peer) is not None
    away = node.peer(V4, f"ApiKey {key}")
    waiting = Deferred()
    away.say("0/b,")
    node.ring.forget(node.key_id(key))
    node.keys.away = True
    waiting.callback(Device(1, "k", "s", None))
    assert away.transport.ended == ["fail"]


# How many, and how often.


def test_a_key_has_so_many_connections(strict: Node) -> None:
    """One over it is closed so that it comes again, whatever of it is in namespaces already."""
    key = strict.keys.make()
    first, second, third = (strict.peer(V4, f"ApiKey {key}") for _ in range(3))
    first.say("0/a,", "0/b,", "0")
    second.say("0/a,")
    third.say("0/a,")
    assert [peer.transport.ended for peer in (first, second, third)] == [[], [], ["fail"]]
    assert strict.guard.turned_away[Reason.KEY_FULL] == 1
    other = strict.peer(V4, "ApiKey " + strict.keys.make())
    other.say("0/a,")
    assert member(other) is not None


def test_a_connection_counts_for_a_key_until_its_last_socket_has_left(strict: Node) -> None:
    key = strict.keys.make()
    first, second = (strict.peer(V4, f"ApiKey {key}") for _ in range(2))
    first.say("0/a,", "0/b,")
    second.say("0/a,", "1/a,", "0/a,", "0/b,", "1/a,")
    for _ in range(3):
        refused = strict.peer(V4, f"ApiKey {key}")
        refused.say("0/a,")
        assert refused.gone
    second.say("1/b,")
    third = strict.peer(V4, f"ApiKey {key}")
    third.say("0/a,")
    assert member(third) is not None
    first.session.evict(CloseReason.FORCED_CLOSE)
    second.say("0/b,")
    assert member(second, "/b") is not None


def test_a_connection_with_two_keys_counts_for_both(strict: Node) -> None:
    one, other = strict.keys.make(), strict.keys.make(streamer="t")
    for _ in range(2):
        peer = strict.peer(V4, f"ApiKey {one}")
        peer.say("0/a,", f'0/b,{{"apiKey":"{other}"}}')
        assert member(peer, "/b") is not None
    for key in (one, other):
        peer = strict.peer(V4, f"ApiKey {key}")
        peer.say("0/a,")
        assert peer.gone


def test_a_gateway_s_key_has_any_number_of_connections(strict: Node) -> None:
    key = strict.keys.make(streamer="*")
    for number in range(10):
        peer = strict.peer(V4, f"ApiKey {key}", streamer=f"s-{number}")
        peer.say("0/a,")
        assert member(peer) is not None


def test_who_was_refused_for_another_reason_holds_no_place_of_the_key(strict: Node) -> None:
    key = strict.keys.make()
    for _ in range(5):
        peer = strict.peer(V4, f"ApiKey {key}")
        peer.say('0/a,{"device":"no name!"}')
    assert not strict.guard.turned_away[Reason.KEY_FULL]
    peer = strict.peer(V4, f"ApiKey {key}")
    peer.say("0/a,")
    assert member(peer) is not None


def test_too_many_wrong_keys_close_the_door_to_right_ones(strict: Node) -> None:
    """All that an address shows is refused alike then, without a look at it."""
    key = strict.keys.make()
    guesser = strict.peer()
    for number in range(4):
        guesser.say(f'0/a,{{"apiKey":"rpk_wrong{number}"}}')
    assert guesser.heard() == [f"4/a,{UNAUTHORIZED}"] * 4
    assert not guesser.gone
    for peer, auth in (
        (guesser, f'{{"apiKey":"{key}"}}'),
        (strict.peer(), '{"apiKey":"rpk_wrong"}'),
        (strict.peer(V4, f"ApiKey {key}"), ""),
    ):
        peer.say(f"0/a,{auth}")
        assert peer.transport.ended == ["fail"]
        assert peer.heard() == []
    strict.world.wheel.advance(60)
    peer = strict.peer(V4, f"ApiKey {key}")
    peer.say("0/a,")
    assert member(peer) is not None


def test_a_good_key_in_the_wrong_place_is_no_wrong_key(strict: Node) -> None:
    backend = strict.keys.make(KeyKind.BACKEND, rights=[Right.READ])
    limited = strict.keys.make(namespaces=["/b"])
    for _ in range(10):
        peer = strict.peer()
        peer.say("0/a,", f'0/a,{{"apiKey":"{backend}"}}', f'0/a,{{"apiKey":"{limited}"}}')
        assert not peer.gone
    assert strict.guard.wrong_keys == 0


@pytest.mark.parametrize("revision", [V3, V4])
def test_a_session_is_half_open_until_it_has_joined_with_a_key(
    strict: Node, revision: Revision
) -> None:
    peer = strict.peer(revision)
    strict.guard.entered(peer.session)
    if revision is V3:
        assert peer.client.sockets["/"].provisional
        peer.say(f"0/a?apiKey={strict.keys.make(namespaces=['/b'])}")
    else:
        peer.say("0/a,")
    assert strict.guard.half_open == 1
    key = strict.keys.make()
    peer.say(f"0/a?apiKey={key}" if revision is V3 else f'0/a,{{"apiKey":"{key}"}}')
    assert member(peer) is not None
    assert strict.guard.half_open == 0


def test_checking_keys_closes_those_of_revoked_ones_and_no_tokens(node: Node) -> None:
    """No store has tokens: that says nothing about them."""
    good, gone = node.keys.make(), node.keys.make()
    peers = [node.peer() for _ in range(3)]
    for peer, text in zip(peers, (good, gone, token()), strict=True):
        peer.say(f'0/a,{{"apiKey":"{text}"}}')
    del node.keys.keys[gone[4:16]]
    checked: list[Any] = []
    Deferred.fromCoroutine(node.audience.check_keys()).addBoth(checked.append)
    assert checked == [None]
    assert [peer.gone for peer in peers] == [False, True, False]


def test_of_a_connection_only_the_keys_in_use_are_kept(node: Node) -> None:
    """However many it has come and gone with."""
    peer = node.peer()
    for number in range(3):
        peer.say(f'0/a,{{"apiKey":"{node.keys.make(streamer=f"s{number}")}"}}')
        assert len(peer.client.user.keys) == 1
        peer.say("1/a,")
        assert peer.client.user.keys == {}


def test_a_wrong_key_keeps_a_revision_4_client_out_unless_the_namespace_brings_a_good_one(
    strict: Node,
) -> None:
    """The namespace's own query is this revision's ``auth``, which wins over header and URL."""
    good = strict.keys.make()
    peer = strict.peer(V3, "ApiKey rpk_wrong")
    assert peer.heard() == ['4"unauthorized"']
    peer.say("0/a,")
    assert peer.heard() == ['4/a,"unauthorized"']
    peer.say(f"0/a?apiKey={good}")
    assert peer.heard() == ["0/a,"]
    assert "/" not in peer.client.sockets


# Signed tokens.


def token(streamer: str = "s", life_s: float = 600, **claims: Any) -> str:
    """A good token."""
    return made({"sub": streamer, "exp": NOW_MS / 1000 + life_s, **claims})


def refresh(peer: Peer, text: object, namespace: str = "/a") -> Any:
    """Bring a fresh token; return what is acknowledged."""
    peer.heard()
    peer.say(f"2{namespace},7[{json.dumps('refresh')},{json.dumps(text)}]")
    [answer] = peer.heard()
    assert str(answer).startswith(f"3{namespace},7[")
    [said] = json.loads(str(answer).partition(",7")[2])
    return said


def test_a_token_stands_where_a_key_does(node: Node) -> None:
    text = token(groups=["eu"], namespaces=["/a"], device="tv")
    for peer, auth in (
        (node.peer(), f'{{"token":"{text}"}}'),
        (node.peer(), f'{{"apiKey":"{text}"}}'),
        (node.peer(V4, f"Bearer {text}"), ""),
        (node.peer(V4, f"ApiKey {text}"), ""),
        (node.peer(V4, None, apiKey=text), ""),
    ):
        peer.say(f"0/a,{auth}")
        joined = member(peer)
        assert joined is not None
        assert (joined.device.streamer, joined.device.name) == ("s", "tv")
        assert peer.client.sockets["/a"].rooms == ("all", "streamer:s", "group:eu")
        assert joined.device.key_id == "jwt:s"
        peer.say(f"0/b,{auth}")
        assert peer.heard()[-1] == "4/b," + FORBIDDEN
    assert node.keys.asked == 0
    assert node.audience.keys_in_use() == []


@pytest.mark.parametrize(
    "text",
    [token(life_s=-1), made({"sub": "s"}), made({"sub": "s", "exp": 9e9}, "x" * 32), "a.b.c"],
)
def test_a_wrong_token_is_as_wrong_as_a_wrong_key(node: Node, text: str) -> None:
    peer = node.peer(V4, f"Bearer {text}")
    peer.say("0/a,")
    assert peer.heard() == ["4/a," + UNAUTHORIZED]


def test_a_node_without_tokens_takes_none(node: Node) -> None:
    node.tokens.replace_keys(of_secret("y" * 32))
    peer = node.peer(V4, f"Bearer {token()}")
    peer.say("0/a,")
    assert peer.heard() == ["4/a," + UNAUTHORIZED]
    assert KeyRing(node.keys, lambda: NOW_MS).token(token()) is None


def test_a_token_s_device_wins_over_the_client_s_word(node: Node) -> None:
    for claims, auth in (({"device": "tv"}, '{"device":"obs"}'), ({}, '{"device":"obs"}')):
        peer = node.peer(V4, f"Bearer {token(**claims)}")
        peer.say(f"0/a,{auth}")
    assert node.devices.opened == [("s", "tv"), ("s", "obs")]


def test_the_client_is_asked_for_a_fresh_token_a_minute_before_the_end(node: Node) -> None:
    """Once, on each of its sockets; then the connection ends, as it does with any key."""
    peer = node.peer(V4, f"Bearer {token(life_s=600)}")
    peer.say("0/a,", "0/b,")
    peer.heard()
    node.advance(539)
    assert peer.heard() == []
    node.advance(2)
    assert sorted(map(str, peer.heard())) == [
        '2/a,["refresh",{"ttl_ms":59000}]',
        '2/b,["refresh",{"ttl_ms":59000}]',
    ]
    node.advance(58)
    assert (peer.heard(), peer.gone) == ([], False)
    node.advance(2)
    assert peer.transport.ended == ["fail"]


def test_the_client_of_a_short_token_is_asked_at_half_of_its_time(node: Node) -> None:
    peer = node.peer(V4, f"Bearer {token(life_s=60)}")
    peer.say("0/a,")
    peer.heard()
    node.advance(29)
    assert peer.heard() == []
    node.advance(2)
    assert peer.heard() == ['2/a,["refresh",{"ttl_ms":29000}]']


def test_the_holder_of_a_key_with_a_date_is_not_asked(node: Node) -> None:
    key = node.keys.make(expires_at_ms=NOW_MS + 600_000)
    peer = node.peer(V4, f"Bearer {key}")
    peer.say("0/a,")
    peer.heard()
    node.advance(599)
    assert peer.heard() == []
    assert refresh(peer, token())["error"]["code"] == "forbidden"
    node.advance(2)
    assert peer.transport.ended == ["fail"]


def test_a_fresh_token_keeps_the_connection(node: Node) -> None:
    """All its sockets that came in by one for the same streamer. It is asked again in time."""
    other = node.keys.make(streamer="t", expires_at_ms=NOW_MS + 10_000_000)
    peer = node.peer(V4, f"Bearer {token(life_s=300)}")
    peer.say("0/a,", "0/b,", f'0{{"apiKey":"{other}"}}')
    node.advance(250)
    assert refresh(peer, token(life_s=700)) == {"ok": True, "ttl_ms": 450_000}
    node.advance(389)
    assert (peer.heard(), peer.gone) == ([], False)
    node.advance(2)
    assert sorted(map(str, peer.heard())) == [
        '2/a,["refresh",{"ttl_ms":59000}]',
        '2/b,["refresh",{"ttl_ms":59000}]',
    ]
    assert refresh(peer, token(life_s=900), "/b")["ok"] is True
    node.advance(258)
    assert not peer.gone
    node.advance(2)
    assert peer.transport.ended == ["fail"]


def test_a_refreshed_token_takes_the_place_of_the_one_the_connection_was_opened_with(
    node: Node,
) -> None:
    """Which is over by then. ``auth`` wins all the same."""
    peer = node.peer(V4, f"Bearer {token(life_s=600)}")
    peer.say("0/a,")
    node.advance(590)
    refresh(peer, token(life_s=2_000))
    node.advance(100)
    peer.say("0/b,")
    assert peer.heard()[-1].startswith("0/b,")
    peer.say('0{"token":"a.b.c"}')
    assert peer.heard() == ["4" + UNAUTHORIZED]


def test_a_token_may_be_refreshed_by_one_that_ends_sooner(node: Node) -> None:
    peer = node.peer(V4, f"Bearer {token(life_s=600)}")
    peer.say("0/a,")
    assert refresh(peer, token(life_s=10)) == {"ok": True, "ttl_ms": 10_000}
    node.advance(6)
    assert peer.heard() == ['2/a,["refresh",{"ttl_ms":4000}]']
    node.advance(5)
    assert peer.transport.ended == ["fail"]


FIRST = {"groups": ["eu", "vip"], "device": "tv"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (7, "invalid_request"),
        (None, "invalid_request"),
        ({"token": "a.b.c"}, "invalid_request"),
        ("", "unauthorized"),
        ("a.b.c", "unauthorized"),
        (token("s", -1, **FIRST), "unauthorized"),
        (token("other", **FIRST), "forbidden"),
        (token("s", device="tv"), "forbidden"),
        (token("s", groups=["eu", "vip", "x"], device="tv"), "forbidden"),
        (token("s", **{**FIRST, "device": "obs"}), "forbidden"),
        (token("s", **FIRST, namespaces=["/b"]), "forbidden"),
        (token("s", **FIRST, namespaces=["/a"]), "forbidden"),
    ],
)
def test_a_token_that_does_not_go_on_with_the_one_before(
    node: Node, text: object, code: str
) -> None:
    """Nothing changes by it. What a fresh token grants has to hold for all sockets."""
    peer = node.peer(V4, f"Bearer {token('s', **FIRST)}")
    peer.say("0/a,", "0/b,")
    said = refresh(peer, text)
    assert (said["ok"], said["error"]["code"]) == (False, code)
    assert not peer.gone
    node.advance(601)
    assert peer.transport.ended == ["fail"]


def test_wrong_tokens_in_a_refresh_are_wrong_keys_of_the_address() -> None:
    """After so many nothing is looked at for a while, right ones neither; the connection goes on."""
    node = Node(GuardLimits(auth_failures_per_address=Rate(1, 3), ban_s=60.0))
    peer = node.peer(V4, f"Bearer {token('s', 900, **FIRST)}")
    peer.say("0/a,", "0/b,")
    good = token("s", 2_000, **FIRST)
    codes = [refresh(peer, text)["error"]["code"] for text in ("a.b.c", 7, "a.b.c", "", "a.b.c")]
    assert codes == ["unauthorized", "invalid_request", *["unauthorized"] * 3]
    assert (node.guard.wrong_keys, node.guard.bans) == (4, 1)
    node.advance(10)
    assert refresh(peer, good) == {
        "ok": False,
        "error": {
            "code": "rate_limited",
            "message": "too many wrong keys: try again in 50 s",
        },
    }
    assert node.guard.wrong_keys == 4
    assert not peer.gone
    node.advance(51)
    assert refresh(peer, good)["ok"] is True


def test_a_token_goes_on_with_the_one_before_in_any_order_and_without_a_device(node: Node) -> None:
    peer = node.peer(V4, f"Bearer {token('s', **FIRST)}")
    peer.say("0/a,", "0/b,")
    fresh = token("s", groups=["vip", "eu", "vip"], namespaces=["/b", "/a"])
    assert refresh(peer, fresh)["ok"] is True


@pytest.mark.parametrize("args", ["", ',"x","y"'])
def test_a_refresh_with_too_few_or_many_arguments(node: Node, args: str) -> None:
    peer = node.peer(V4, f"Bearer {token()}")
    peer.say("0/a,")
    peer.heard()
    peer.say(f'2/a,1["refresh"{args}]')
    [answer] = peer.heard()
    assert '"code":"invalid_request"' in str(answer)


def test_a_refresh_from_who_has_no_right_yet(node: Node) -> None:
    peer = node.peer(V3)
    peer.heard()
    peer.say(f'21["refresh","{token()}"]')
    [answer] = peer.heard()
    assert '"code":"forbidden"' in str(answer)


def test_a_refresh_nobody_wants_to_hear_of(node: Node) -> None:
    peer = node.peer(V4, f"Bearer {token()}")
    peer.say("0/a,")
    peer.heard()
    peer.say(f'2/a,["refresh","{token(life_s=5_000)}"]')
    assert peer.heard() == []
    node.advance(700)
    assert not peer.gone
