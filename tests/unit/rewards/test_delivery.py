"""Delivery and replay over a real Socket.IO server with fake transports, and a store that is told what to say."""

import gc
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from reward_push.access.interfaces import StoreUnavailable
from reward_push.admission.replay import FIRST_PAGE, PAGE, PAGE_BYTES, Replay
from reward_push.engineio.interfaces import ITracker
from reward_push.engineio.packet import Packet, PacketType
from reward_push.rewards.acknowledgements import RETRY_S, Acknowledgements
from reward_push.rewards.delivery import Delivery
from reward_push.rewards.interfaces import (
    Device,
    Ended,
    IDelivery,
    Latecomer,
    Level,
    Missed,
    OwedRevoke,
    Reason,
    TakenBack,
)
from reward_push.rewards.known import MAX_KNOWN, MAX_KNOWN_BYTES
from reward_push.rewards.member import Member
from reward_push.rewards.message import (
    TO_ALL,
    Audience,
    AudienceKind,
    Message,
    MessageRecord,
    State,
)
from reward_push.rewards.news import LocalNews
from reward_push.rewards.receipts import ReceiptBuffer
from reward_push.rewards.rooms import EVERYBODY, streamer_room
from reward_push.rewards.told import Told
from reward_push.rewards.trackers import LiveMessage, Revocation
from reward_push.rewards.waiting import Waiting
from reward_push.socketio.broadcaster import SLICE

from ..socketio.world import Peer, World

NOW_MS = 1_800_000_000_000


class Store:
    """Says what it is told to, and notes what it is asked."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, int, Level]] = []
        self.told_of: list[tuple[str, list[int]]] = []
        self.pages: list[Any] = []
        self.revokes: Any = []
        self.taken: Any = None
        self.asked: list[Any] = []

    def note(self, receipts: Any) -> Deferred[None]:
        self.noted += [
            (message_id, receipt.device, receipt.level)
            for message_id, each in receipts.items()
            for receipt in each
        ]
        return succeed(None)

    def told(self, message_id: str, devices: list[int]) -> Deferred[None]:
        self.told_of.append((message_id, list(devices)))
        return fail(StoreUnavailable()) if self.revokes is None else succeed(None)

    def take(self, message_id: str, device: int, now_ms: int) -> Deferred[Any]:
        self.asked.append((message_id, device))
        return self.taken

    def owed(self, device: int, namespace: str) -> Deferred[Any]:
        return self.revokes if isinstance(self.revokes, Deferred) else succeed(self.revokes)

    def had(self, message_id: str, devices: Any) -> Deferred[list[int]]:
        self.asked.append((message_id, sorted(devices)))
        return self.taken

    def missed(self, *args: Any) -> Deferred[Any]:
        self.asked.append(args)
        page = self.pages.pop(0) if self.pages else Missed((), None)
        return page if isinstance(page, Deferred) else succeed(page)


class Node:
    """Delivery and replay as a node wires them."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.world = World()
        self.store: Any = Store()
        self.clock = Clock()
        self.receipts = ReceiptBuffer(self.store, self.clock)
        self.delivery = Delivery(self.world.server, self.store, self.receipts, lambda: self.now_ms)
        self.receipts.on_late = self.delivery.tell_late
        self.scheduled: set[str] = set()
        self.caught_up: list[Deferred[None]] = []
        self.hears: Deferred[None] = succeed(None)
        self.left: list[Any] = []
        self.replay = Replay(
            self.store,
            self.receipts,
            self.delivery,
            self.scheduled.__contains__,
            lambda: self.now_ms,
            hears=lambda _: self.hears,
            left=self.left.append,
            caught_up=lambda: self.caught_up.pop() if self.caught_up else succeed(None),
        )
        self.namespace = self.world.server.namespace("/a")
        waiting = Waiting(self.delivery, self.clock, lambda: self.now_ms)
        self.namespace.acked = Acknowledgements(
            self.delivery,
            self.receipts,
            self.store,
            LocalNews(waiting, self.delivery),
            self.clock,
            lambda: self.now_ms,
        ).acked

    def plugin(
        self, number: int, name: str | None = "tv", streamer: str = "s", *, replay: bool = False
    ) -> Peer:
        """Connect a plugin; it has read its answer to CONNECT."""
        peer = self.world.peer()

        def connected(socket: Any) -> None:
            socket.user = Member(Device(number, "k", streamer, name))
            socket.join(EVERYBODY, streamer_room(streamer))
            self.delivery.connected(socket)
            if replay:
                self.replay.begin(socket)

        self.namespace.connected = connected
        self.namespace.disconnected = lambda socket, reason: self._disconnected(socket)
        peer.say("0/a,")
        return peer

    def _disconnected(self, socket: Any) -> None:
        self.delivery.disconnected(socket)
        self.replay.end(socket)

    def noted(self) -> list[tuple[str, int, Level]]:
        """What the store has been told of receipts since the last call."""
        self.receipts.flush()
        noted, self.store.noted = self.store.noted, []
        return noted


def message(message_id: str = "m", *, ttl_ms: int | None = 10_000, **fields: Any) -> Message:
    fields.setdefault("to", Audience(AudienceKind.STREAMER, ("s",)))
    return Message(
        message_id,
        "/a",
        "code",
        data={"code": "K7Q"},
        created_at_ms=NOW_MS,
        deliver_at_ms=NOW_MS,
        expires_at_ms=None if ttl_ms is None else NOW_MS + ttl_ms,
        **fields,
    )


def ended(of: Message, reason: Reason, *devices: int) -> Ended:
    record = MessageRecord(of, b"", State.CANCELLED, ended_at_ms=NOW_MS)
    return Ended(record, reason, devices)


def taken_back(of: Message, reason: Reason, *devices: int) -> TakenBack:
    return ended(of, reason, *devices).taken_back()


def events(peer: Peer) -> list[tuple[int | None, list[Any]]]:
    """The events that have come: ack id and array."""
    found = []
    for frame in peer.heard():
        assert isinstance(frame, str)
        if frame.startswith("2/a,"):
            number, bracket, rest = frame[4:].partition("[")
            found.append((int(number) if number else None, json.loads(bracket + rest)))
    return found


def pong(peer: Peer) -> None:
    peer.session.received(peer.transport, Packet(PacketType.PONG))


@pytest.fixture
def node() -> Node:
    return Node()


def test_they_provide_what_they_say(node: Node) -> None:
    verifyObject(IDelivery, node.delivery)
    verifyObject(ITracker, Revocation("m", "/a", Told(node.store)))
    live = LiveMessage(message(), 1, node.receipts, node.delivery.counts, lambda: NOW_MS)
    verifyObject(ITracker, live)


# Messages.


def test_the_envelope_tells_what_is_left(node: Node) -> None:
    """Absent without an end; as of the moment of writing."""
    peer = node.plugin(1)
    node.now_ms += 1500
    assert node.delivery.deliver(message()) == 1
    node.delivery.deliver(message("n", ttl_ms=None))
    [(_, [name, first]), (_, [_, second])] = events(peer)
    assert name == "code"
    assert first == {
        "id": "m",
        "data": {"code": "K7Q"},
        "sent_at": "2027-01-15T08:00:01.500Z",
        "ttl_ms": 8500,
    }
    assert second == {"id": "n", "data": {"code": "K7Q"}, "sent_at": "2027-01-15T08:00:01.500Z"}


def test_a_queued_message_is_rendered_when_it_is_written_or_not_at_all(node: Node) -> None:
    """Neither late nor with time it has not."""
    peer = node.plugin(1)
    events(peer)
    peer.transport.writable = False
    node.delivery.deliver(message("long"))
    node.delivery.deliver(message("short", ttl_ms=1000))
    assert node.noted() == []
    node.now_ms += 1000
    peer.transport.writable = True
    peer.session.transport_drained(peer.transport)
    [(_, [_, envelope])] = events(peer)
    assert (envelope["id"], envelope["ttl_ms"]) == ("long", 9000)
    assert node.noted() == [("long", 1, Level.SENT)]


def test_receipts_from_sent_to_acked(node: Node) -> None:
    """A pong proves delivery; an acknowledgement proves what came before it as well."""
    peer = node.plugin(1)
    node.delivery.deliver(message("a"))
    assert node.noted() == [("a", 1, Level.SENT)]
    node.world.wheel.advance(1)
    pong(peer)
    assert node.noted() == [("a", 1, Level.DELIVERED)]
    node.delivery.deliver(message("b"))
    node.delivery.deliver(message("c"))
    acks = [ack for ack, _ in events(peer)]
    peer.say(f"3/a,{acks[-1]}[]")
    assert sorted(node.noted()) == [("b", 1, Level.DELIVERED), ("c", 1, Level.ACKED)]
    counts = node.delivery.counts
    assert (counts.sent, counts.delivered, counts.acked) == (3, 3, 1)


def test_nonsense_acks_are_ignored(node: Node) -> None:
    """Unknown ids, messages for others, messages of another namespace, sockets without rights."""
    mine, other = node.plugin(1), node.plugin(2, streamer="other")
    node.delivery.deliver(message())
    [(ack, _)] = events(mine)
    node.noted()
    other.say(f"3/a,{ack}[]", "3/a,999[]")
    elsewhere = node.world.server.namespace("/b")
    elsewhere.acked = node.namespace.acked
    mine.say("0/b,", f"3/b,{ack}[]")
    mine.client.sockets["/b"].user = mine.client.sockets["/a"].user
    mine.say(f"3/b,{ack}[]")
    assert node.noted() == []


def test_a_client_that_leaves_takes_its_receipts_with_it(node: Node) -> None:
    """Its namespace is left before the proof comes."""
    peer = node.plugin(1)
    node.delivery.deliver(message())
    node.noted()
    peer.say("1/a,")
    node.world.wheel.advance(1)
    pong(peer)
    assert node.noted() == []


def test_a_message_reaches_each_member_of_its_audience_once(node: Node) -> None:
    peers = [node.plugin(1), node.plugin(2), node.plugin(3, streamer="t")]
    both = Audience(AudienceKind.STREAMERS, ("s", "t"))
    assert node.delivery.deliver(message("both", to=both)) == 3
    assert node.delivery.deliver(message("all", to=TO_ALL)) == 3
    assert [len(events(peer)) for peer in peers] == [2, 2, 2]


@pytest.mark.parametrize("ttl_ms", [None, 10_000])
def test_the_memory_for_messages_is_bounded(node: Node, ttl_ms: int | None) -> None:
    """Acknowledgements of the oldest are not understood any more, until they are written again."""
    peer = node.plugin(1)
    elsewhere = Audience(AudienceKind.STREAMER, ("nobody",))
    node.delivery.deliver(message("first", ttl_ms=ttl_ms))
    node.delivery.deliver(message("used", ttl_ms=10_000))
    for number in range(MAX_KNOWN - 1):
        node.delivery.deliver(message(str(number), ttl_ms=ttl_ms, to=elsewhere))
        if number == MAX_KNOWN // 2:
            node.delivery.resend(message("used"), next(iter(node.namespace.sockets)))
    acks = [ack for ack, _ in events(peer)]
    assert acks == [0, 1, 1]
    node.noted()
    peer.say("3/a,0[]", "3/a,1[]")
    assert ("used", 1, Level.ACKED) in (noted := node.noted())
    assert ("first", 1, Level.ACKED) not in noted
    node.delivery.revoke(taken_back(message("first"), Reason.CANCELLED))


def sleeping(node: Node, number: int = 1) -> Peer:
    """Connect a plugin that takes nothing."""
    peer = node.plugin(number)
    events(peer)
    peer.transport.writable = False
    return peer


def wake(peer: Peer) -> list[tuple[int | None, list[Any]]]:
    """Let a plugin take what waits for it; return the events."""
    peer.transport.writable = True
    peer.session.transport_drained(peer.transport)
    return events(peer)


def test_what_messages_say_is_not_kept(node: Node) -> None:
    """Neither of live ones nor of those that have ended; what is kept of them takes what it is said to."""
    node.plugin(1)
    many = Audience(AudienceKind.STREAMERS, tuple(f"{n:064d}" for n in range(500)))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1_000):
            each = message(f"{number}", to=TO_ALL)
            node.delivery.deliver(attrs.evolve(each, data=f"{number:016000d}"))
            if number % 2:
                node.delivery.revoke(taken_back(each, Reason.EXPIRED, 1))
        for peer in list(node.namespace.sockets):
            peer.client.session.transport.sent.clear()
        node.world.server.tidy()
        node.noted()
        gc.collect()
        of_small = tracemalloc.get_traced_memory()[0] - before
        for number in range(100):
            node.delivery.deliver(message(f"many-{number}", to=evolve_names(many, number)))
        node.world.server.tidy()
        gc.collect()
        of_large = tracemalloc.get_traced_memory()[0] - before - of_small
    finally:
        tracemalloc.stop()
    said = node.delivery._known.size
    assert of_small < 1_000_000
    assert said / 2 < of_small + of_large < said


def evolve_names(audience: Audience, number: int) -> Audience:
    """Return the same audience with other names, as texts of their own."""
    return attrs.evolve(audience, names=tuple(f"{number}{name[3:]}" for name in audience.names))


def test_the_memory_for_audiences_is_bounded(node: Node) -> None:
    """Messages to a thousand streamers each are forgotten earlier; the last one is always known."""
    peer = node.plugin(1)
    names = ("s", *(f"{n:064d}" for n in range(999)))
    many = Audience(AudienceKind.STREAMERS, names)
    for number in range(400):
        node.delivery.deliver(message(str(number), to=many))
    assert node.delivery._known.size <= MAX_KNOWN_BYTES
    assert 200 < len(node.delivery._known) < 400
    acks = [ack for ack, _ in events(peer)]
    node.noted()
    peer.say(f"3/a,{acks[0]}[]", f"3/a,{acks[-1]}[]")
    acked = [message_id for message_id, _, level in node.noted() if level is Level.ACKED]
    assert acked == ["399"]


def test_an_acknowledgement_that_comes_after_the_end_counts(node: Node) -> None:
    """It was on its way."""
    peer = node.plugin(1)
    node.delivery.deliver(message())
    [(ack, _)] = events(peer)
    node.noted()
    node.delivery.revoke(taken_back(message(), Reason.EXPIRED, 1))
    peer.say(f"3/a,{ack}[]")
    assert ("m", 1, Level.ACKED) in node.noted()


@pytest.mark.parametrize("ttl_ms", [None, 10_000])
def test_what_still_waits_is_not_written_once_the_message_has_ended(
    node: Node, ttl_ms: int | None
) -> None:
    """Also where so much else came meanwhile that the message is known no more."""
    peer = sleeping(node)
    node.delivery.deliver(message("taken", ttl_ms=ttl_ms))
    elsewhere = Audience(AudienceKind.STREAMER, ("nobody",))
    for number in range(MAX_KNOWN):
        node.delivery.deliver(message(str(number), to=elsewhere))
    node.delivery.revoke(taken_back(message("taken"), Reason.TAKEN))
    assert wake(peer) == []


def test_what_still_waits_is_the_same_message_though_it_was_forgotten(node: Node) -> None:
    """It is not written twice, and others get it with the same number."""
    peer, other = sleeping(node), node.plugin(2)
    node.delivery.deliver(message("m"))
    [(ack, _)] = events(other)
    elsewhere = Audience(AudienceKind.STREAMER, ("nobody",))
    for number in range(MAX_KNOWN):
        node.delivery.deliver(message(str(number), to=elsewhere))
    for socket in list(node.namespace.sockets):
        node.delivery.resend(message("m"), socket)
    assert [each for each, _ in wake(peer)] == [ack]
    assert [each for each, _ in events(other)] == [ack]


def taken_by(work: Callable[[], None]) -> int:
    """Return how many bytes are held after ``work`` that were not before."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def test_a_replay_to_many_that_take_nothing_takes_its_room_once(node: Node) -> None:
    """Each has a page of its own in its queue, but of the same texts."""
    sleepers = [sleeping(node, number) for number in range(30)]
    page = [attrs.evolve(message(f"{n}", to=TO_ALL), data="x" * 10_000) for n in range(100)]

    def replay() -> None:
        for each in page:
            for sleeper in sleepers:
                node.delivery.resend(each, connected(sleeper))
            node.now_ms += 50

    assert taken_by(replay) < 100 * 10_000 * 4
    got = [[envelope["id"] for _, (_, envelope) in wake(each)] for each in sleepers]
    assert got == [[each.id for each in page]] * len(sleepers)


def test_a_replay_one_after_the_other_takes_its_room_once(node: Node) -> None:
    """Also where there is more in it than renderings are kept."""
    sleepers = [sleeping(node, number) for number in range(10)]
    page = [attrs.evolve(message(f"{n}", to=TO_ALL), data="x" * 10_000) for n in range(100)]

    def replay() -> None:
        for sleeper in sleepers:
            for each in page:
                node.delivery.resend(each, connected(sleeper))
            node.now_ms += 50

    assert taken_by(replay) < 100 * 10_000 * 4


def test_an_id_without_an_end_may_be_used_again(node: Node) -> None:
    """Once the store has forgotten it: it is another message then, to others perhaps."""
    mine, other = node.plugin(1), node.plugin(2, streamer="t")
    node.delivery.deliver(message(ttl_ms=None))
    node.delivery.deliver(
        message(ttl_ms=None, to=Audience(AudienceKind.STREAMER, ("t",)), once=True)
    )
    [(first, _)], [(second, _)] = events(mine), events(other)
    node.noted()
    node.store.taken = succeed(None)
    mine.say(f"3/a,{first}[]", f"3/a,{second}[]")
    other.say(f"3/a,{second}[]")
    assert node.store.asked == [("m", 2)]


# Once.


def test_the_first_to_acknowledge_has_it_and_the_others_are_told(node: Node) -> None:
    """The store judges. Devices of which it does not know yet are told, too."""
    winner, loser, late = node.plugin(1), node.plugin(2), node.plugin(3)
    of = message(once=True)
    node.delivery.deliver(of)
    [(ack, _)] = events(winner)
    events(loser)
    events(late)
    node.noted()
    node.store.taken = succeed(ended(of, Reason.TAKEN, 2))
    node.store.note = lambda receipts: Deferred()
    node.receipts.sent("m", 3, NOW_MS)
    winner.say(f"3/a,{ack}[]")
    assert node.store.asked == [("m", 1)]
    assert events(winner) == []
    revoke = [(None, ["revoke", {"id": "m", "reason": "taken"}])]
    assert (events(loser), events(late)) == (revoke, revoke)
    assert node.delivery.counts.acked == 1


def test_who_acknowledges_before_the_first_is_judged_is_too_late(node: Node) -> None:
    """However many they are, the store is asked once; and again for who comes after that."""
    peers = [node.plugin(number) for number in range(3)]
    of = message(once=True)
    node.delivery.deliver(of)
    acks = [events(peer)[0][0] for peer in peers]
    node.store.taken = judged = Deferred()
    for peer, ack in zip(peers[:2], acks, strict=False):
        peer.say(f"3/a,{ack}[]")
    assert node.store.asked == [("m", 0)]
    judged.errback(StoreUnavailable("away"))
    node.store.taken = again = Deferred()
    peers[1].say(f"3/a,{acks[1]}[]")
    node.clock.advance(RETRY_S)
    assert node.store.asked == [("m", 0)] * 2
    again.callback(ended(of, Reason.TAKEN, 1, 2))
    node.store.taken = succeed(None)
    peers[2].say(f"3/a,{acks[2]}[]")
    assert node.store.asked[2:] == [("m", 2)]
    assert node.delivery.counts.acked == 1


def test_an_acknowledgement_is_kept_until_the_store_takes_it(node: Node) -> None:
    """A plugin acknowledges once: if that were lost, nobody would ever have the message."""
    winner, loser = node.plugin(1), node.plugin(2)
    of = message(once=True)
    node.delivery.deliver(of)
    [(ack, _)] = events(winner)
    events(loser)
    node.store.taken = fail(StoreUnavailable("away"))
    winner.say(f"3/a,{ack}[]")
    assert node.store.asked == [("m", 1)]
    node.store.taken = fail(StoreUnavailable("away"))
    node.clock.advance(RETRY_S)
    node.store.taken = succeed(ended(of, Reason.TAKEN, 2))
    node.clock.advance(RETRY_S)
    assert node.store.asked == [("m", 1)] * 3
    assert events(loser) == [(None, ["revoke", {"id": "m", "reason": "taken"}])]
    node.clock.advance(RETRY_S)
    assert node.store.asked == [("m", 1)] * 3


def test_who_came_too_late_to_be_named_is_told_once(node: Node) -> None:
    """Its receipt was on its way to the store when the message was taken back there."""
    noted: list[Deferred[Any]] = []

    def note(_receipts: Any) -> Deferred[Any]:
        noted.append(Deferred())
        return noted[-1]

    node.store.note = note
    early, late = node.plugin(1), node.plugin(2)
    node.receipts.sent("m", 1, NOW_MS)
    node.receipts.flush()
    node.delivery.revoke(taken_back(message(), Reason.TAKEN))
    revoke = [(None, ["revoke", {"id": "m", "reason": "taken"}])]
    assert (events(early), events(late)) == (revoke, [])
    noted[0].callback([Latecomer("m", "/a", each, Reason.TAKEN) for each in (1, 2)])
    assert (events(early), events(late)) == ([], revoke)


def test_who_came_too_late_and_is_not_here_any_more_is_told_elsewhere(node: Node) -> None:
    asked: list[Any] = []
    node.delivery.tell_elsewhere = asked.append
    here = node.plugin(1)
    node.receipts.sent("m", 2, NOW_MS)
    node.delivery.revoke(taken_back(message(), Reason.TAKEN))
    late = [Latecomer("m", "/a", each, Reason.TAKEN) for each in (1, 2)]
    node.delivery.tell_late(late, False)
    assert asked == [late[1:]]
    assert events(here) == [(None, ["revoke", {"id": "m", "reason": "taken"}])]


def test_who_may_have_moved_is_told_here_and_elsewhere(node: Node) -> None:
    """A node that was frozen does not know yet which of its connections are dead."""
    asked: list[Any] = []
    node.delivery.tell_elsewhere = asked.append
    here = node.plugin(1)
    late = [Latecomer("m", "/a", 1, Reason.TAKEN)]
    node.delivery.tell_late(late, True)
    assert asked == [late]
    assert events(here) == [(None, ["revoke", {"id": "m", "reason": "taken"}])]


def test_who_comes_second_gets_nothing(node: Node) -> None:
    peer = node.plugin(1)
    node.delivery.deliver(message(once=True))
    [(ack, _)] = events(peer)
    node.store.taken = succeed(None)
    peer.say(f"3/a,{ack}[]")
    assert events(peer) == []
    assert all(level is not Level.ACKED for _, _, level in node.noted())
    assert node.delivery.counts.acked == 0


# Taking back.


def test_a_revoke_goes_to_connected_devices_that_had_the_message(node: Node) -> None:
    """In its namespace, once for each socket; named devices are known to have it once it is proved."""
    had, twin, nameless, not_had = (
        node.plugin(1),
        node.plugin(1),
        node.plugin(2, None),
        node.plugin(3),
    )
    of = message()
    node.delivery.revoke(taken_back(of, Reason.CANCELLED, 1, 2, 99))
    revoke = [(None, ["revoke", {"id": "m", "reason": "cancelled"}])]
    assert [events(each) for each in (had, twin, nameless)] == [revoke] * 3
    assert node.delivery.counts.revoked == {Reason.CANCELLED: 3}
    assert events(not_had) == []
    node.world.wheel.advance(1)
    for peer in (had, nameless):
        pong(peer)
    assert node.store.told_of == [("m", [1])]


def test_a_revoked_message_is_not_written_any_more(node: Node) -> None:
    """Also where it waits in a queue."""
    peer = node.plugin(1)
    events(peer)
    peer.transport.writable = False
    node.delivery.deliver(message())
    node.delivery.revoke(taken_back(message(), Reason.REPLACED))
    peer.transport.writable = True
    peer.session.transport_drained(peer.transport)
    assert events(peer) == []


def test_devices_that_left_are_forgotten(node: Node) -> None:
    peer = node.plugin(1)
    node.plugin(1)
    peer.say("1/a,")
    node.delivery.revoke(taken_back(message(), Reason.EXPIRED, 1))
    peer.session.transport_lost(peer.transport)
    assert events(peer) == []
    for each in list(node.namespace.sockets):
        each.client.session.transport_lost(each.client.session.transport)
    assert not node.delivery._sockets


def test_a_proof_that_cannot_be_kept_is_told_again_next_time(node: Node) -> None:
    """No complaint: the device is simply owed it still."""
    peer = node.plugin(1)
    node.store.revokes = None
    node.delivery.revoke(taken_back(message(), Reason.EXPIRED, 1))
    node.world.wheel.advance(1)
    pong(peer)
    assert node.store.told_of == [("m", [1])]


# Replay.


def test_what_was_missed_comes_before_anything_newer(node: Node) -> None:
    """Revokes, pages in order, then what waited, without what was in the pages."""
    page: Deferred[Missed] = Deferred()
    node.store.revokes = [OwedRevoke("old", Reason.EXPIRED)]
    node.store.pages = [Missed((message("a"), message("b")), 7), page]
    peer = node.plugin(1, replay=True)
    node.delivery.deliver(message("c"))
    node.delivery.deliver(message("volatile", ttl_ms=None))
    node.delivery.deliver(message("due after the page was read"))
    page.callback(Missed((message("c"),), None))
    node.delivery.deliver(message("d"))
    shown = [args[1].get("id") for _, args in events(peer)]
    assert shown == ["old", "a", "b", "c", "volatile", "due after the page was read", "d"]
    assert [asked[4:6] for asked in node.store.asked] == [(None, FIRST_PAGE), (7, 2 * FIRST_PAGE)]
    assert node.store.asked[0][:4] == (1, "/a", (EVERYBODY, streamer_room("s")), NOW_MS)


def test_pages_grow_up_to_a_bound(node: Node) -> None:
    """Each is read when the one before was taken."""
    node.store.pages = [Missed((message(f"m{page}"),), page) for page in range(1, 8)]
    node.store.pages.append(Missed((), None))
    node.plugin(1, replay=True)
    limits = [asked[5] for asked in node.store.asked]
    assert limits[:2] == [FIRST_PAGE, 2 * FIRST_PAGE]
    assert set(limits[2:]) == {PAGE}


def test_pages_of_large_messages_are_short(node: Node) -> None:
    """By the size of those before."""
    large = [attrs.evolve(message(f"m{number}"), data="x" * 16_000) for number in range(4)]
    node.store.pages = [Missed(tuple(large), 7), Missed((), None)]
    node.plugin(1, replay=True)
    assert [asked[5] for asked in node.store.asked] == [FIRST_PAGE, PAGE_BYTES // 16_000]


def test_what_the_schedule_holds_is_left_to_its_broadcast(node: Node) -> None:
    """Else it would come twice to who connects at its very moment."""
    node.store.pages = [Missed((message("a"), message("b")), None)]
    node.scheduled.add("b")
    peer = node.plugin(1, replay=True)
    node.delivery.deliver(message("b"))
    assert [args[1]["id"] for _, args in events(peer)] == ["a", "b"]


def test_what_was_left_to_its_broadcast_comes_before_newer_pages(node: Node) -> None:
    """Broadcast while the next page was waited for; what has ended meanwhile does not come."""
    page: Deferred[Missed] = Deferred()
    node.store.pages = [Missed((message("a"), message("b"), message("gone")), 7), page]
    node.scheduled |= {"b", "gone"}
    peer = node.plugin(1, replay=True)
    for each in ("newer", "b", "gone"):
        node.scheduled.discard(each)
        node.delivery.deliver(message(each))
    node.delivery.revoke(taken_back(message("gone"), Reason.CANCELLED))
    page.callback(Missed((message("c"), message("newer")), None))
    assert [args[1]["id"] for _, args in events(peer)] == ["a", "b", "c", "newer"]


def test_a_device_that_named_none_is_owed_nothing(node: Node) -> None:
    node.store.revokes = [OwedRevoke("old", Reason.EXPIRED)]
    peer = node.plugin(1, None, replay=True)
    assert events(peer) == []


def test_the_next_page_waits_until_the_last_was_taken(node: Node) -> None:
    """A replay never makes a client slow."""
    node.store.pages = [Missed((message("a"),), 1), Missed((message("b"),), None)]
    first: Deferred[list[Any]] = Deferred()
    node.store.revokes = first
    peer = node.plugin(1, replay=True)
    peer.transport.writable = False
    first.callback([])
    assert len(node.store.asked) == 1
    peer.transport.writable = True
    peer.session.transport_drained(peer.transport)
    assert [args[1]["id"] for _, args in events(peer)] == ["a", "b"]


def test_what_ended_meanwhile_is_not_replayed(node: Node) -> None:
    node.store.pages = [Missed((message("a", ttl_ms=-1), message("b")), None)]
    peer = node.plugin(1, replay=True)
    assert [args[1]["id"] for _, args in events(peer)] == ["b"]


def test_a_client_that_goes_ends_its_replay(node: Node) -> None:
    """While the store is asked, and while a page is taken."""
    page: Deferred[Missed] = Deferred()
    node.store.pages = [page]
    peer = node.plugin(1, replay=True)
    peer.session.transport_lost(peer.transport)
    page.callback(Missed((message(),), 1))
    assert len(node.store.asked) == 1
    assert events(peer) == []


def test_a_store_that_is_away_sends_the_client_away(node: Node, logged_failures: list[str]) -> None:
    """It comes back, and finds what it missed then. So with a fault of ours, which is logged."""
    for error in (StoreUnavailable("away"), RuntimeError("fault")):
        node.store.pages = [fail(error)]
        peer = node.plugin(1, replay=True)
        assert peer.transport.ended == ["fail"]
    assert logged_failures == ["fault"]


def test_what_is_not_due_by_a_clock_that_was_set_back_comes_when_it_is(node: Node) -> None:
    """Who was there before the clock was set has got it; who came since must get it, too, but never early."""
    node.now_ms = NOW_MS - 3_000
    later = attrs.evolve(message("later"), deliver_at_ms=NOW_MS + 60_000)
    page = Missed(
        (message("a"), attrs.evolve(message("due"), deliver_at_ms=node.now_ms), later), None
    )
    node.store.pages = [page, page]
    peer = node.plugin(1, replay=True)
    assert [args[1]["id"] for _, args in events(peer)] == ["due"]
    for _ in range(3):
        assert events(peer) == []
        node.now_ms += 1_000
        node.world.wheel.advance(1)
    assert [args[1]["id"] for _, args in events(peer)] == ["a", "due"]
    assert [asked[6] for asked in node.store.asked] == [None, NOW_MS - 3_000]


def test_a_clock_that_was_set_right_again_is_noticed(node: Node) -> None:
    node.now_ms = NOW_MS - 300_000
    node.store.pages = [Missed((message("a"),), None), Missed((message("a"),), None)]
    peer = node.plugin(1, replay=True)
    node.now_ms = NOW_MS
    node.world.wheel.advance(1)
    assert [args[1]["id"] for _, args in events(peer)] == ["a"]


def test_who_has_gone_waits_for_nothing(node: Node) -> None:
    node.now_ms = NOW_MS - 1_000
    node.store.pages = [Missed((message("a"),), None)]
    peer = node.plugin(1, replay=True)
    peer.session.transport_lost(peer.transport)
    node.now_ms = NOW_MS
    node.world.wheel.advance(1)
    assert len(node.store.asked) == 1


def test_a_store_that_is_away_when_the_time_has_come_sends_the_client_away(node: Node) -> None:
    node.now_ms = NOW_MS - 1_000
    node.store.pages = [Missed((message("a"),), None), fail(StoreUnavailable("away"))]
    peer = node.plugin(1, replay=True)
    node.now_ms = NOW_MS
    node.world.wheel.advance(1)
    assert peer.transport.ended == ["fail"]


@pytest.mark.parametrize("packet", [None, "1/a,"])
def test_who_leaves_in_the_middle_of_a_replay_is_not_kept(node: Node, packet: str | None) -> None:
    """What waits for a client to take the last page is over with it, not when garbage is collected."""
    node.store.pages = [Missed((message("a"),), 1), Missed((message("b"),), None)]
    page: Deferred[Missed] = Deferred()
    node.store.pages.insert(0, page)
    peer = node.plugin(1, replay=True)
    peer.transport.writable = False
    page.callback(Missed((message("0"),), 0))
    assert len(node.replay._under_way) == 1
    if packet is None:
        peer.session.transport_lost(peer.transport)
    else:
        peer.say(packet)
    assert not node.replay._under_way
    assert len(node.store.asked) == 1
    if packet is not None:
        assert [args[1]["id"] for _, args in wake(peer)] == ["0"]
    assert len(node.store.asked) == 1


def test_who_leaves_while_the_store_is_asked_is_not_kept(node: Node) -> None:
    """Though there would be more."""
    page: Deferred[Missed] = Deferred()
    node.store.pages = [page]
    peer = node.plugin(1, replay=True)
    peer.session.transport_lost(peer.transport)
    page.callback(Missed((message("a"),), 1))
    assert not node.replay._under_way
    assert not node.replay._taking
    assert len(node.store.asked) == 1


# Healing: a node that was deaf for a while.


def connected(peer: Peer) -> Any:
    """The socket of a peer."""
    return peer.client.sockets["/a"]


def test_what_was_read_before_it_was_heard_comes_once(node: Node) -> None:
    """State and news come through two connections: what is newer in the one is still on its way in the other."""
    caught_up: Deferred[None] = Deferred()
    node.caught_up = [caught_up]
    node.store.pages = [Missed((message("a"), message("b")), None)]
    peer = node.plugin(1, replay=True)
    assert [args[1]["id"] for _, args in events(peer)] == ["a", "b"]
    for each in ("b", "c"):
        node.delivery.deliver(message(each))
    caught_up.callback(None)
    assert [args[1]["id"] for _, args in events(peer)] == ["c"]


def test_who_cannot_be_heard_of_is_not_let_in(node: Node) -> None:
    node.hears = fail(StoreUnavailable("away"))
    socket: Any = object()
    expected = Deferred.fromCoroutine(node.replay.expect(socket))
    failed: list[Any] = []
    expected.addErrback(failed.append)
    assert failed[0].check(StoreUnavailable)
    assert node.left == [socket]


def test_a_connected_socket_gets_what_it_was_not_written_on_this_connection(node: Node) -> None:
    peer = node.plugin(1)
    node.now_ms += 5_000
    node.world.wheel.time += 5
    node.store.pages = [Missed((message("a"),), None)]
    healed: list[Any] = []
    node.replay.heal(connected(peer)).addBoth(healed.append)
    assert healed == [None]
    assert [args[1]["id"] for _, args in events(peer)] == ["a"]
    assert node.store.asked[0][6] == NOW_MS


def test_nothing_is_missed_by_who_has_shown_no_key(node: Node) -> None:
    """A client of revision 4 in "/": to heal it along with all others is no failure."""
    peer = node.plugin(1)
    connected(peer).user = None
    healed: list[Any] = []
    node.replay.heal(connected(peer)).addBoth(healed.append)
    assert healed == [None]
    assert node.store.asked == []


def test_what_waits_for_a_client_that_takes_nothing_is_not_written_twice(node: Node) -> None:
    peer = node.plugin(1)
    peer.transport.writable = False
    node.delivery.deliver(message("a"))
    node.store.pages = [Missed((message("a"), message("b")), None)]
    node.replay.heal(connected(peer))
    peer.transport.writable = True
    peer.session.transport_drained(peer.transport)
    assert [args[1]["id"] for _, args in events(peer)] == ["a", "b"]


def test_what_a_client_takes_while_the_store_is_asked_is_not_written_again(node: Node) -> None:
    """The store did not know yet."""
    peer = node.plugin(1)
    peer.transport.writable = False
    node.delivery.deliver(message("a"))
    page: Deferred[Missed] = Deferred()
    node.store.pages = [page]
    node.replay.heal(connected(peer))
    peer.transport.writable = True
    peer.session.transport_drained(peer.transport)
    page.callback(Missed((message("a"), message("b")), None))
    assert [args[1]["id"] for _, args in events(peer)] == ["a", "b"]


def test_what_is_being_written_to_very_many_comes_once_to_who_is_brought_up_to_date(
    node: Node,
) -> None:
    """It was in a page, and the broadcast has yet to come to this socket. Neither order nor a message is lost."""
    crowd = [node.plugin(number) for number in range(SLICE)]
    page: Deferred[Missed] = Deferred()
    node.store.pages = [page]
    peer = node.plugin(SLICE, replay=True)
    a, b = message("a"), message("b")
    for each in (a, b):
        node.delivery.deliver(each)
    page.callback(Missed((a, b), None))
    node.delivery.deliver(message("c"))
    while node.world.later:
        node.world.turn()
    assert [args[1]["id"] for _, args in events(peer)] == ["a", "b", "c"]
    assert [args[1]["id"] for _, args in events(crowd[0])] == ["a", "b", "c"]


def test_healing_during_a_replay_is_done_after_it(node: Node) -> None:
    page: Deferred[Missed] = Deferred()
    node.store.pages = [page, Missed((message("b"),), None)]
    peer = node.plugin(1, replay=True)
    healed: list[Any] = []
    for _ in range(2):
        node.replay.heal(connected(peer)).addBoth(healed.append)
    assert len(node.store.asked) == 1
    page.callback(Missed((message("a"),), None))
    assert healed == [None, None]
    assert [args[1]["id"] for _, args in events(peer)] == ["a", "b"]


def test_a_store_that_is_away_again_leaves_connected_clients_alone(node: Node) -> None:
    peer = node.plugin(1)
    page: Deferred[Missed] = Deferred()
    node.store.pages = [page]
    failed: list[Any] = []
    node.replay.heal(connected(peer)).addErrback(failed.append)
    node.delivery.deliver(message("b"))
    page.errback(StoreUnavailable("away"))
    assert failed[0].check(StoreUnavailable)
    assert [args[1]["id"] for _, args in events(peer)] == ["b"]
    assert peer.transport.ended == []


def test_of_many_the_store_is_asked_who_of_those_here_had_the_message(node: Node) -> None:
    had, not_had, winner = node.plugin(1), node.plugin(2), node.plugin(3)
    node.plugin(4, streamer="other")
    node.store.taken = succeed([1, 3])
    of = attrs.evolve(taken_back(message(), Reason.TAKEN), devices=None, but=3)
    node.delivery.revoke(of)
    assert node.store.asked == [("m", [1, 2, 3])]
    assert [args for _, args in events(had)] == [["revoke", {"id": "m", "reason": "taken"}]]
    assert (events(not_had), events(winner)) == ([], [])
    node.store.taken = fail(StoreUnavailable("away"))
    node.delivery.revoke(of)
    assert events(had) == []


def test_a_large_broadcast_is_taken_back_in_slices(node: Node) -> None:
    """Everything else goes on in between; what is sent later comes later."""
    peers = [node.plugin(number) for number in range(SLICE + 10)]
    node.delivery.revoke(taken_back(message(), Reason.EXPIRED, *range(SLICE + 10)))
    node.delivery.deliver(message("next"))
    heard: list[list[str]] = [[] for _ in peers]
    written = []
    while node.world.later:
        node.world.turn()
        for peer, names in zip(peers, heard, strict=True):
            names += [args[0] for _, args in events(peer)]
        written.append(sum(map(len, heard)))
    assert written == [SLICE, 2 * SLICE, 2 * (SLICE + 10)]
    assert heard == [["revoke", "code"]] * (SLICE + 10)
    assert node.delivery.counts.revoked[Reason.EXPIRED] == SLICE + 10


@implementer(ITracker)
class Stranger:
    """Follows something else."""

    wants_answer = False


def test_the_message_that_a_tracker_follows(node: Node) -> None:
    live = LiveMessage(message(), 1, node.receipts, node.delivery.counts, lambda: NOW_MS)
    assert [node.delivery.id_of(each) for each in (live, Stranger(), None)] == ["m", None, None]
