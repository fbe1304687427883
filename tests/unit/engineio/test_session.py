"""Sessions over fake transports: every input in every state that matters, time as plain numbers."""

import json

import pytest
from zope.interface.verify import verifyObject

from reward_push.engineio.errors import CloseReason
from reward_push.engineio.interfaces import ISession, ISessions, ITimed
from reward_push.engineio.opening import Opening
from reward_push.engineio.options import EngineOptions
from reward_push.engineio.outgoing import Outgoing, message
from reward_push.engineio.packet import Packet, PacketType
from reward_push.engineio.proof import PROOF_DELAY_S
from reward_push.engineio.registry import Registry
from reward_push.engineio.revision import V3, V4, Revision
from reward_push.engineio.session import Session
from reward_push.rate import Rate

from ..fakes import FakeTransport, FakeWheel, Recorder, Tracker

OPTIONS = EngineOptions(
    ping_interval_s=25, ping_timeout_s=20, max_queue_bytes=100, slow_timeout_s=10
)
PROBE = Packet(PacketType.PING, "probe")
UPGRADE = Packet(PacketType.UPGRADE)
PING = Packet(PacketType.PING)
PONG = Packet(PacketType.PONG)
CLOSE = Packet(PacketType.CLOSE)


class World:
    """One session, its registry and its handler."""

    def __init__(
        self,
        transport: str = "polling",
        revision: Revision = V4,
        options: EngineOptions = OPTIONS,
    ) -> None:
        self.wheel = FakeWheel()
        self.registry = Registry(options, self.wheel, Recorder)
        self.session: Session = self.registry.open(revision)
        self.transport = FakeTransport(transport)
        self.session.transport_opened(self.transport)
        handler = self.session.handler
        assert isinstance(handler, Recorder)
        self.heard = handler.heard

    @property
    def gone(self) -> bool:
        """Whether the sid is unknown and nothing is left in the wheel."""
        unknown = self.registry.get(self.session.sid) is None
        assert not unknown or not self.wheel.filed
        return unknown

    def probing(self) -> FakeTransport:
        """Open a WebSocket beside polling."""
        candidate = FakeTransport("websocket")
        self.session.transport_opened(candidate)
        return candidate

    def upgrading(self) -> FakeTransport:
        """Open a WebSocket and answer its probe."""
        candidate = self.probing()
        self.session.received(candidate, PROBE)
        return candidate


def say(text: str) -> Packet:
    return Packet(PacketType.MESSAGE, text)


def test_it_provides_what_it_says() -> None:
    """Transports and the wheel may rely on the interfaces."""
    world = World()
    verifyObject(ISession, world.session)
    verifyObject(ITimed, world.session)
    verifyObject(ISessions, world.registry)


# Opening.


@pytest.mark.parametrize(("transport", "upgrades"), [("polling", ["websocket"]), ("websocket", [])])
def test_the_open_packet_comes_first(transport: str, upgrades: list[str]) -> None:
    """It tells the sid and the timers in milliseconds; only polling can upgrade."""
    world = World(transport)
    [[frame]] = world.transport.sent
    assert isinstance(frame, str)
    assert json.loads(frame[1:]) == {
        "sid": world.session.sid,
        "upgrades": upgrades,
        "pingInterval": 25000,
        "pingTimeout": 20000,
        "maxPayload": 1000000,
    }
    assert world.heard == ["opened"]


def test_nothing_to_upgrade_to_when_websocket_is_off() -> None:
    """A node that serves polling only must not invite clients to upgrade."""
    world = World(options=EngineOptions(transports=("polling",)))
    [[frame]] = world.transport.sent
    assert '"upgrades":[]' in str(frame)


def test_a_first_transport_that_fails_leaves_no_session() -> None:
    """A WebSocket handshake that breaks off must not leak its session."""
    registry = Registry(OPTIONS, FakeWheel(), Recorder)
    session = registry.open(V4)
    session.transport_lost(FakeTransport())
    assert registry.get(session.sid) is None


def test_repr_hides_the_sid() -> None:
    """The sid is a bearer secret."""
    session = World().session
    assert session.sid not in repr(session)


# Messages.


def test_messages_reach_the_handler_in_order() -> None:
    """Text and binary, as they come."""
    world = World("websocket")
    world.session.received(world.transport, say("a"))
    world.session.received(world.transport, Packet(PacketType.MESSAGE, b"\x01"))
    assert world.heard == ["opened", "a", b"\x01"]


@pytest.mark.parametrize("kind", [PacketType.OPEN, PacketType.UPGRADE, PacketType.NOOP])
def test_packets_without_meaning_are_ignored(kind: PacketType) -> None:
    """The main transport takes no notice of 0, 5 and 6."""
    world = World("websocket")
    world.session.received(world.transport, Packet(kind))
    assert world.heard == ["opened"]
    assert not world.gone


def test_a_stranger_transport_is_not_heard() -> None:
    """What still arrives on a replaced transport changes nothing."""
    world = World("websocket")
    stranger = FakeTransport()
    world.session.received(stranger, say("late"))
    world.session.transport_drained(stranger)
    world.session.transport_broken(stranger, CloseReason.PARSE_ERROR)
    world.session.transport_lost(stranger)
    assert world.heard == ["opened"]
    assert not world.gone


def test_a_writable_transport_gets_each_unit_at_once() -> None:
    """No queue where none is needed."""
    world = World("websocket")
    world.session.send(message("a"))
    world.session.send(message("b"))
    assert world.transport.sent[1:] == [["4a"], ["4b"]]


def test_polling_collects_what_comes_between_two_polls() -> None:
    """One payload for all, in order; the next poll is held."""
    world = World()
    world.session.send(message("a"))
    world.session.send(message("b", b"\x01"))
    assert world.transport.poll(world.session) == ["4a", "4b", b"\x01"]
    assert world.transport.poll(world.session) is None
    world.session.send(message("c"))
    assert world.transport.sent[-1] == ["4c"]


def test_a_large_backlog_goes_out_in_portions() -> None:
    """So that a slow client's progress shows; a unit larger than a portion still goes whole."""
    world = World(options=EngineOptions())
    for size in (40_000, 40_000, 70_000, 10):
        world.session.send(message("x" * size))
    sizes = []
    while (answer := world.transport.poll(world.session)) is not None:
        sizes.append([len(frame) - 1 for frame in answer])
    assert sizes == [[40_000], [40_000], [70_000], [10]]


def test_a_websocket_drains_its_backlog_as_it_becomes_writable() -> None:
    """Everything that waited goes out, in order, before anything newer."""
    world = World("websocket")
    world.transport.writable = False
    for text in "abc":
        world.session.send(message(text))
    assert len(world.transport.sent) == 1
    world.transport.writable = True
    world.session.transport_drained(world.transport)
    world.session.send(message("d"))
    assert world.transport.sent[1:] == [["4a", "4b", "4c"], ["4d"]]


def test_nothing_is_sent_after_the_end() -> None:
    """Broadcasts may still hold the session."""
    world = World("websocket")
    world.session.close(CloseReason.FORCED_CLOSE)
    world.session.send(message("late"))
    world.session.close(CloseReason.FORCED_CLOSE)
    world.session.evict(CloseReason.FORCED_CLOSE)
    world.session.expire(world.wheel.time)
    assert len(world.transport.sent) == 1
    assert world.heard == ["opened", CloseReason.FORCED_CLOSE]
    assert world.gone


def test_a_handler_that_closes_at_once_is_told() -> None:
    """Closing from within ``opened`` is a close like any other."""

    class Closer(Recorder):
        def opened(self) -> None:
            self.session.evict(CloseReason.FORCED_CLOSE)

    handlers = []

    def open_handler(session: Session) -> Recorder:
        handlers.append(Closer(session))
        return handlers[0]

    wheel = FakeWheel()
    registry = Registry(OPTIONS, wheel, open_handler)
    registry.open(V4).transport_opened(FakeTransport())
    assert handlers[0].heard == [CloseReason.FORCED_CLOSE]
    assert not len(registry)
    assert not wheel.filed


# Heartbeat.


def test_revision_4_the_server_pings_after_each_pong() -> None:
    """One interval after the last pong, not after other packets."""
    world = World("websocket")
    world.wheel.advance(24)
    world.session.received(world.transport, say("x"))
    world.wheel.advance(1)
    assert world.transport.sent[1:] == [["2"]]
    world.wheel.advance(10)
    world.session.received(world.transport, PONG)
    world.wheel.advance(24.9)
    assert len(world.transport.sent) == 2
    world.wheel.advance(0.1)
    assert world.transport.sent[2:] == [["2"]]


def test_revision_4_any_packet_answers_a_ping() -> None:
    """A client that talks is alive."""
    world = World("websocket")
    world.wheel.advance(25)
    world.session.received(world.transport, say("x"))
    world.wheel.advance(20)
    assert not world.gone


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_revision_4_silence_after_a_ping_ends_the_session(transport: str) -> None:
    """After the ping time-out; the client may come back."""
    world = World(transport)
    world.transport.writable = transport == "websocket"
    world.wheel.advance(44.9)
    assert not world.gone
    world.wheel.advance(0.2)
    assert world.heard == ["opened", CloseReason.PING_TIMEOUT]
    assert world.transport.ended == ["fail"]
    assert world.gone


def test_revision_4_a_long_timeout_does_not_spread_the_pings() -> None:
    """The next ping is an interval after the pong, not where the timeout would have been."""
    world = World("websocket", options=EngineOptions(ping_interval_s=25, ping_timeout_s=60))
    for pings in range(1, 4):
        world.wheel.advance(25)
        assert world.transport.sent[1:] == [["2"]] * pings
        world.session.received(world.transport, PONG)


def test_revision_4_a_ping_that_asks_for_a_proof_has_its_timeout_in_time() -> None:
    """It is sent ahead of the interval, and its end is noticed ahead of it, too."""
    world = World("websocket", options=EngineOptions(ping_interval_s=25, ping_timeout_s=5))
    world.session.send(Outgoing(Packet(PacketType.MESSAGE, "x"), tracker=Tracker()))
    world.wheel.advance(PROOF_DELAY_S + 4.9)
    assert not world.gone
    world.wheel.advance(0.1)
    assert world.heard == ["opened", CloseReason.PING_TIMEOUT]


def test_the_answer_time_counts_from_the_ping_s_own_time() -> None:
    """A tick that comes late does not lengthen it, but a node that was away does not shorten it."""
    for late, limit in ((0.05, 45.0), (5.0, 50.0)):
        world = World("websocket")
        world.wheel.time += 25 + late
        world.session.expire(world.wheel.time)
        world.wheel.advance(limit - 25 - late - 0.01)
        assert not world.gone
        world.wheel.advance(0.02)
        assert world.gone


def test_revision_3_the_client_pings() -> None:
    """It is answered at once, without the ping's data, and counts as life."""
    world = World("websocket", V3)
    for _ in range(3):
        world.wheel.advance(44)
        world.session.received(world.transport, PING)
    world.session.received(world.transport, PROBE)
    assert world.transport.sent[1:] == [["3"]] * 4
    world.wheel.advance(44.9)
    assert not world.gone
    world.wheel.advance(0.1)
    assert world.heard == ["opened", CloseReason.PING_TIMEOUT]


def test_revision_3_a_websocket_whose_client_pings_late_is_asked_and_kept() -> None:
    """A hidden page's timers are late, its browser answers: no silence of 35 s, whatever the page does."""
    world = World("websocket", V3)
    for asked in range(1, 4):
        world.wheel.advance(29.875)
        assert world.transport.pings == asked - 1
        world.wheel.advance(0.125)
        assert world.transport.pings == asked
        world.session.transport_proved(world.transport)
    world.wheel.advance(44.9)
    assert world.transport.pings == 4
    assert not world.gone
    world.wheel.advance(0.1)
    assert world.heard == ["opened", CloseReason.PING_TIMEOUT]


def test_revision_3_a_client_in_time_is_never_asked() -> None:
    """It costs nothing."""
    world = World("websocket", V3)
    for _ in range(4):
        world.wheel.advance(25)
        world.session.received(world.transport, PING)
    assert world.transport.pings == 0


@pytest.mark.parametrize(("transport", "timeout_s"), [("polling", 20), ("websocket", 5)])
def test_revision_3_is_not_asked_where_nothing_would_answer_in_time(
    transport: str, timeout_s: float
) -> None:
    """Polling has no ping of its own; with a short time-out the end comes first."""
    options = EngineOptions(ping_interval_s=25, ping_timeout_s=timeout_s)
    world = World(transport, V3, options)
    world.wheel.advance(25 + timeout_s - 0.1)
    assert not world.gone
    world.wheel.advance(0.1)
    assert world.transport.pings == 0
    assert world.heard == ["opened", CloseReason.PING_TIMEOUT]


def test_revision_3_the_answer_to_an_earlier_ping_proves_nothing_later() -> None:
    """A message written while a late client is being asked is proved by a ping of its own."""
    world = World("websocket", V3)
    world.wheel.advance(30)
    tracker = Tracker()
    world.session.send(Outgoing(Packet(PacketType.MESSAGE, "x"), tracker=tracker))
    world.wheel.advance(1)
    assert world.transport.pings == 1
    world.session.transport_proved(world.transport)
    assert tracker.steps == ["sent"]
    world.wheel.advance(1)
    assert world.transport.pings == 2
    world.session.transport_proved(world.transport)
    assert tracker.steps == ["sent", "delivered"]


@pytest.mark.parametrize(
    ("revision", "packet"), [(V4, PING), (V4, PROBE), (V3, PONG)], ids=["v4-ping", "v4-probe", "v3"]
)
def test_a_heartbeat_in_the_wrong_direction_ends_the_session(
    revision: Revision, packet: Packet
) -> None:
    """As in the reference: transport error."""
    world = World("websocket", revision)
    world.session.received(world.transport, packet)
    assert world.heard == ["opened", CloseReason.TRANSPORT_ERROR]
    assert world.transport.ended == ["close"]
    assert world.gone


def test_an_overdue_session_ends_when_it_is_asked_for() -> None:
    """A request that comes between the deadline and the wheel's tick finds no session."""
    world = World()
    world.wheel.time += 25
    world.session.expire(world.wheel.time)
    world.wheel.time += 20
    assert world.registry.get(world.session.sid) is None
    assert world.heard[-1] is CloseReason.PING_TIMEOUT


# How long a poll is held.


def test_revision_4_no_poll_outlasts_a_ping_interval() -> None:
    """The ping ends it, early if need be; while an answer is outstanding a noop does."""
    world = World()
    world.wheel.advance(10)
    assert world.transport.poll(world.session) is None
    world.wheel.advance(15)
    assert world.transport.sent[-1] == ["2"]
    assert world.transport.poll(world.session) is None
    world.wheel.advance(5)
    world.session.received(world.transport, PONG)
    world.wheel.advance(20)
    assert world.transport.sent[-1] == ["2"]
    assert not world.transport.writable


def test_a_poll_held_while_a_pong_is_late_ends_with_a_noop() -> None:
    """A time-out longer than the interval must not hold the poll longer."""
    world = World(options=EngineOptions(ping_interval_s=10, ping_timeout_s=60))
    assert world.transport.poll(world.session) is None
    world.wheel.advance(10)
    assert world.transport.sent[-1] == ["2"]
    assert world.transport.poll(world.session) is None
    world.wheel.advance(10)
    assert world.transport.sent[-1] == ["6"]


def test_revision_3_a_poll_ends_with_a_noop_when_the_client_s_ping_fails_to_come() -> None:
    """No poll is held for longer than the interval, whoever pings."""
    world = World(revision=V3)
    assert world.transport.poll(world.session) is None
    world.wheel.advance(25)
    assert world.transport.sent[-1] == ["6"]
    world.wheel.advance(10)
    assert len(world.transport.sent) == 2


# Slow clients.


def test_a_client_that_takes_nothing_for_too_long_is_slow() -> None:
    """More than the limit waits and nothing has moved: it is closed, so that it comes back."""
    world = World("websocket")
    world.transport.writable = False
    world.session.send(message("x" * 101))
    world.wheel.advance(9.9)
    assert not world.gone
    world.wheel.advance(0.1)
    assert world.heard == ["opened", CloseReason.SLOW_CLIENT]
    assert world.transport.ended == ["fail"]


def test_a_client_that_moves_is_not_slow() -> None:
    """However much waits for it."""
    world = World("websocket", options=EngineOptions(max_queue_bytes=10_000, slow_timeout_s=10))
    world.transport.writable = False
    for _ in range(10):
        world.session.send(message("x" * 16_000))
    for _ in range(2):
        world.wheel.advance(9)
        world.transport.writable = True
        world.transport.send = lambda units: setattr(world.transport, "writable", False)  # type: ignore[method-assign]
        world.session.transport_drained(world.transport)
    world.wheel.advance(9)
    assert not world.gone


def test_a_small_backlog_may_wait() -> None:
    """Only a backlog over the limit makes a client slow; the heartbeat watches over the others."""
    world = World("websocket")
    world.transport.writable = False
    world.session.send(message("x" * 100))
    world.wheel.advance(20)
    assert not world.gone


def test_a_backlog_has_a_hard_bound() -> None:
    """A client that moves by a byte now and then must not grow the node without end."""
    world = World("websocket")
    world.transport.writable = False
    for _ in range(17):
        world.session.send(message("x" * 100))
    assert world.heard == ["opened", CloseReason.SLOW_CLIENT]
    assert world.gone


@pytest.mark.parametrize(
    "options",
    [EngineOptions(max_queue_bytes=0), EngineOptions(max_queue_bytes=10, slow_timeout_s=0)],
    ids=["no-limit", "no-time-out"],
)
def test_zero_switches_the_limit_off(options: EngineOptions) -> None:
    """Then only the heartbeat ends the session."""
    world = World("websocket", options=options)
    world.transport.writable = False
    world.session.send(message("x" * 150))
    world.wheel.advance(40)
    assert not world.gone


def test_a_client_busy_with_its_backlog_outlives_the_ping_behind_it() -> None:
    """The ping waits behind what the client is still reading."""
    world = World("websocket", options=EngineOptions())
    world.transport.writable = False
    world.session.send(message("x" * 70_000))
    world.session.send(message("y"))
    world.wheel.advance(40)
    world.transport.writable = True
    world.transport.send = lambda units: setattr(world.transport, "writable", False)  # type: ignore[method-assign]
    world.session.transport_drained(world.transport)
    world.wheel.advance(19)
    assert not world.gone
    world.wheel.advance(2)
    assert world.heard[-1] is CloseReason.PING_TIMEOUT


# The upgrade.


def test_a_whole_upgrade_in_order() -> None:
    """Probe, noop to the held poll, ``5``, then what waited: nothing lost, nothing twice."""
    world = World()
    assert world.transport.poll(world.session) is None
    candidate = world.probing()
    assert candidate.sent == []
    world.session.received(candidate, PROBE)
    assert candidate.sent == [["3probe"]]
    assert world.transport.sent[-1] == ["6"]
    world.session.send(message("between"))
    assert candidate.sent == [["3probe"]]
    world.session.received(candidate, UPGRADE)
    world.session.send(message("after"))
    assert candidate.sent[1:] == [["4between"], ["4after"]]
    assert world.session.transport is candidate
    world.session.received(candidate, say("x"))
    assert world.heard == ["opened", "x"]


def test_every_poll_during_the_upgrade_is_answered_at_once() -> None:
    """Not only the one held when the probe came: the client may poll again before ``3probe``."""
    world = World()
    world.upgrading()
    assert world.transport.poll(world.session) == ["6"]
    assert world.transport.poll(world.session) == ["6"]
    world.session.send(message("a"))
    assert world.transport.poll(world.session) == ["4a"]


def test_a_poll_held_at_the_last_moment_gets_its_noop() -> None:
    """``5`` ends a poll that is still there."""
    world = World()
    candidate = world.upgrading()
    world.transport.writable = True
    world.session.received(candidate, UPGRADE)
    assert world.transport.sent[-1] == ["6"]


def test_messages_before_the_probe_go_through_the_poll() -> None:
    """An open WebSocket alone changes nothing."""
    world = World()
    world.transport.poll(world.session)
    candidate = world.probing()
    world.session.send(message("a"))
    assert world.transport.sent[-1] == ["4a"]
    assert candidate.sent == []


@pytest.mark.parametrize("packet", [UPGRADE, PING, say("x"), Packet(PacketType.PONG, "probe")])
def test_a_wrong_first_packet_costs_the_websocket_only(packet: Packet) -> None:
    """The session goes on polling."""
    world = World()
    candidate = world.probing()
    world.session.received(candidate, packet)
    assert candidate.ended == ["close"]
    assert not world.gone
    assert world.transport.poll(world.session) is None


def test_a_wrong_packet_after_the_probe_costs_the_websocket_only() -> None:
    """A second probe is no ``5``."""
    world = World()
    candidate = world.upgrading()
    world.session.received(candidate, PROBE)
    assert candidate.ended == ["close"]
    assert not world.gone


@pytest.mark.parametrize("how", ["lost", "broken", "late"])
def test_a_websocket_that_fails_leaves_polling_alone(how: str) -> None:
    """Lost, nonsense or too late: back to polling, and another may try."""
    world = World()
    candidate = world.upgrading()
    if how == "lost":
        world.session.transport_lost(candidate)
    elif how == "broken":
        world.session.transport_broken(candidate, CloseReason.PARSE_ERROR)
    else:
        world.wheel.advance(10)
    assert world.transport.poll(world.session) is None
    second = world.upgrading()
    world.session.received(second, UPGRADE)
    assert world.session.transport is second


def test_the_upgrade_timeout_does_not_wait_for_a_later_heartbeat() -> None:
    """Its deadline is earlier than the one the session was filed with."""
    world = World()
    candidate = world.probing()
    world.wheel.advance(10)
    assert candidate.ended == ["close"]


def test_an_upgrade_deadline_behind_the_heartbeat_is_met_too() -> None:
    """A short ping interval comes first; the time-out still comes."""
    world = World(options=EngineOptions(ping_interval_s=3, ping_timeout_s=20, upgrade_timeout_s=5))
    candidate = world.probing()
    world.wheel.advance(5)
    assert candidate.ended == ["close"]


def test_a_second_websocket_is_closed() -> None:
    """While one probes, and once one has taken over; the session is unaffected."""
    world = World()
    candidate = world.upgrading()
    second = world.probing()
    assert second.ended == ["close"]
    world.session.received(candidate, UPGRADE)
    third = world.probing()
    assert third.ended == ["close"]
    assert world.session.transport is candidate
    assert not world.gone


def test_no_ping_into_the_poll_while_upgrading() -> None:
    """It could be lost between the transports; the heartbeat begins anew on the WebSocket."""
    world = World(options=EngineOptions(ping_interval_s=3, ping_timeout_s=20))
    candidate = world.upgrading()
    world.wheel.advance(5)
    assert candidate.sent == [["3probe"]]
    assert len(world.transport.sent) == 1
    world.session.received(candidate, UPGRADE)
    world.wheel.advance(3)
    assert candidate.sent[-1] == ["2"]


@pytest.mark.parametrize("how", ["close", "evict", "lost", "leave", "broken"])
def test_a_session_that_ends_takes_its_probing_websocket_along(how: str) -> None:
    """Whatever the reason."""
    world = World()
    world.transport.poll(world.session)
    candidate = world.upgrading()
    world.transport.writable = True
    if how == "close":
        world.session.close(CloseReason.FORCED_CLOSE)
    elif how == "evict":
        world.session.evict(CloseReason.FORCED_CLOSE)
    elif how == "lost":
        world.session.transport_lost(world.transport)
    elif how == "leave":
        world.session.received(world.transport, CLOSE)
    else:
        world.session.transport_broken(world.transport, CloseReason.PARSE_ERROR)
    assert candidate.ended == ["close"]
    assert world.gone


# The end.


def test_the_client_closes_over_websocket() -> None:
    """A close packet is a goodbye there, too."""
    world = World("websocket")
    world.session.received(world.transport, CLOSE)
    assert world.heard == ["opened", CloseReason.TRANSPORT_CLOSE]
    assert world.transport.ended == ["close"]
    assert world.gone


@pytest.mark.parametrize("held", [True, False])
def test_the_client_closes_over_polling(held: bool) -> None:
    """A poll it holds gets a noop; the sid is unknown at once."""
    world = World()
    if held:
        world.transport.poll(world.session)
    world.session.received(world.transport, CLOSE)
    assert world.transport.sent[1:] == ([["6"]] if held else [])
    assert world.gone


def test_the_server_closes_with_a_poll_held() -> None:
    """The poll gets the close packet."""
    world = World()
    world.transport.poll(world.session)
    world.session.close(CloseReason.FORCED_CLOSE)
    assert world.transport.sent[-1] == ["1"]
    assert world.gone


def test_the_server_closes_with_no_poll_held() -> None:
    """The next poll gets noop and close; the handler has known at once."""
    world = World()
    world.session.close(CloseReason.FORCED_CLOSE)
    world.session.close(CloseReason.FORCED_CLOSE)
    assert world.heard == ["opened", CloseReason.FORCED_CLOSE]
    assert not world.gone
    world.session.send(message("late"))
    world.session.received(world.transport, say("late"))
    assert world.transport.poll(world.session) == ["6", "1"]
    assert world.gone
    assert world.heard == ["opened", CloseReason.FORCED_CLOSE]


def test_what_was_sent_before_the_close_goes_out_first() -> None:
    """A refusal must not be lost to the close behind it."""
    world = World()
    world.session.send(message("last words"))
    world.session.close(CloseReason.FORCED_CLOSE)
    assert world.transport.poll(world.session) == ["4last words", "1"]
    assert world.gone


def test_a_goodbye_that_is_not_fetched_is_dropped() -> None:
    """After the grace the session is gone, and tells nobody twice."""
    world = World()
    world.session.close(CloseReason.FORCED_CLOSE)
    world.wheel.advance(29.9)
    assert not world.gone
    world.wheel.advance(0.1)
    assert world.gone
    assert world.heard == ["opened", CloseReason.FORCED_CLOSE]


def test_a_goodbye_too_large_for_one_poll_takes_several() -> None:
    """The session stays until its last packet is fetched."""
    world = World(options=EngineOptions())
    for _ in range(2):
        world.session.send(message("x" * 60_000))
    world.session.close(CloseReason.FORCED_CLOSE)
    assert world.transport.poll(world.session) == ["4" + "x" * 60_000]
    assert not world.gone
    assert world.transport.poll(world.session) == ["4" + "x" * 60_000, "1"]
    assert world.gone


def test_a_websocket_for_a_session_that_says_goodbye_is_closed() -> None:
    """It has come too late."""
    world = World()
    world.session.close(CloseReason.FORCED_CLOSE)
    assert world.probing().ended == ["close"]


def test_eviction_while_saying_goodbye_ends_it() -> None:
    """A node that stops does not wait for the poll."""
    world = World()
    world.session.close(CloseReason.FORCED_CLOSE)
    world.session.evict(CloseReason.SHUTTING_DOWN)
    assert world.gone
    assert world.heard == ["opened", CloseReason.FORCED_CLOSE]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_an_evicted_client_is_failed_not_closed(transport: str) -> None:
    """So that even those who take a close packet for final come back."""
    world = World(transport)
    world.session.evict(CloseReason.SHUTTING_DOWN)
    assert world.transport.ended == ["fail"]
    assert world.heard == ["opened", CloseReason.SHUTTING_DOWN]
    assert world.gone


def test_a_lost_connection_ends_the_session() -> None:
    """A dropped WebSocket or an aborted poll."""
    world = World("websocket")
    world.session.transport_lost(world.transport)
    assert world.heard == ["opened", CloseReason.TRANSPORT_CLOSE]
    assert world.gone


@pytest.mark.parametrize("held", [True, False])
def test_a_protocol_error_over_polling_ends_the_session_at_once(held: bool) -> None:
    """A held poll gets the close packet; the next request finds no session."""
    world = World()
    if held:
        world.transport.poll(world.session)
    world.session.transport_broken(world.transport, CloseReason.PARSE_ERROR)
    assert world.transport.sent[1:] == ([["1"]] if held else [])
    assert world.heard == ["opened", CloseReason.PARSE_ERROR]
    assert world.gone


def test_no_payload_holds_more_packets_than_clients_decode() -> None:
    """python-engineio refuses more than 16; attachments count, and are not torn from their header."""
    world = World(options=EngineOptions())
    for _ in range(20):
        world.session.send(message("x"))
    world.session.send(message("header", b"1", b"2"))
    sizes = []
    while (answer := world.transport.poll(world.session)) is not None:
        sizes.append(len(answer))
    assert sizes == [16, 7]
    for _ in range(15):
        world.session.send(message("x"))
    world.session.send(message("header", b"1", b"2"))
    assert len(world.transport.sent) == 4
    assert len(world.transport.poll(world.session) or ()) == 14
    assert len(world.transport.poll(world.session) or ()) == 3


def test_a_transport_that_reports_its_loss_while_it_is_closed_is_heard_once() -> None:
    """The session is over before anything is written: whoever calls back finds its end."""
    for end, reason in (
        ("evict", CloseReason.FORCED_CLOSE),
        ("leave", CloseReason.TRANSPORT_CLOSE),
    ):
        world = World("websocket")
        lose = lambda world=world: world.session.transport_lost(world.transport)  # noqa: E731
        world.transport.close = world.transport.fail = lose  # type: ignore[method-assign]
        if end == "evict":
            world.session.evict(CloseReason.FORCED_CLOSE)
        else:
            world.session.received(world.transport, CLOSE)
        assert world.heard == ["opened", reason]


@pytest.mark.parametrize("end", ["evict", "leave", "broken", "close"])
def test_a_websocket_that_comes_while_the_last_poll_is_answered_finds_no_session(end: str) -> None:
    """With pipelining, the end of a poll brings the connection's next request at once."""
    world = World()
    world.transport.poll(world.session)
    late = FakeTransport("websocket")

    def upgrade(*_: object) -> None:
        world.transport.writable = False
        world.session.transport_opened(late)

    world.transport.send = world.transport.fail = upgrade  # type: ignore[method-assign]
    if end == "evict":
        world.session.evict(CloseReason.FORCED_CLOSE)
    elif end == "leave":
        world.session.received(world.transport, CLOSE)
    elif end == "close":
        world.session.close(CloseReason.FORCED_CLOSE)
    else:
        world.session.transport_broken(world.transport, CloseReason.PARSE_ERROR)
    assert late.ended == ["close"]
    assert world.gone


def test_an_upgrade_may_take_for_ever_when_its_limit_is_off() -> None:
    """0 switches any limit off."""
    world = World(options=EngineOptions(upgrade_timeout_s=0))
    candidate = world.upgrading()
    world.wheel.advance(40)
    assert candidate.ended == []
    world.session.received(candidate, UPGRADE)
    assert world.session.transport is candidate


def test_a_session_refused_by_its_own_handler_says_goodbye() -> None:
    """The handler hears nothing of it."""
    handlers = []

    def open_handler(session: Session) -> Recorder:
        handlers.append(Recorder(session))
        session.close(CloseReason.FORCED_CLOSE)
        return handlers[0]

    registry = Registry(OPTIONS, FakeWheel(), open_handler)
    session = registry.open(V4)
    transport = FakeTransport("polling")
    session.transport_opened(transport)
    assert handlers[0].heard == []
    assert transport.poll(session) == ["6", "1"]
    assert registry.get(session.sid) is None


def test_what_the_opening_request_said_is_kept_but_not_shown() -> None:
    """It holds keys."""
    opening = Opening({"apiKey": "in the query"}, "ApiKey in the header", "192.0.2.1")
    assert opening.query["apiKey"] == "in the query"
    assert repr(opening) == "Opening(address='192.0.2.1')"


def test_the_round_trip_is_measured_by_what_the_client_answers_at_once() -> None:
    """Revision 4 by heartbeats. A pong nobody asked for measures nothing."""
    world = World("websocket")
    world.session.received(world.transport, PONG)
    assert world.session.rtt_s is None
    world.wheel.advance(25)
    world.wheel.advance(0.125)
    world.session.received(world.transport, PONG)
    assert world.session.rtt_s == pytest.approx(0.125)


def test_revision_3_measures_the_round_trip_by_its_own_pings() -> None:
    """The client's tell nothing."""
    world = World("websocket", V3)
    opened_at = world.wheel.now()
    world.session.received(world.transport, PING)
    assert world.session.rtt_s is None
    world.session.send(Outgoing(Packet(PacketType.MESSAGE, "x"), tracker=Tracker()))
    world.wheel.advance(1)
    asked_at = opened_at + PROOF_DELAY_S
    world.session.transport_proved(world.transport)
    assert world.session.rtt_s == pytest.approx(world.wheel.now() - asked_at)


# What is counted.


def test_sessions_are_counted_as_they_open_and_end() -> None:
    """Each once, however often it is told to end."""
    world = World("websocket", V3)
    counts = world.registry.counts
    assert counts.opened == {("websocket", 3): 1}
    world.session.evict(CloseReason.SLOW_CLIENT)
    world.session.evict(CloseReason.SLOW_CLIENT)
    world.session.close(CloseReason.FORCED_CLOSE)
    assert counts.evicted == {CloseReason.SLOW_CLIENT: 1}
    assert world.registry.ends[CloseReason.SLOW_CLIENT] == 1
    assert sum(world.registry.ends.values()) == 1


@pytest.mark.parametrize("end", ["evict", "broken", "late"])
def test_a_session_whose_goodbye_waits_has_ended(end: str) -> None:
    """What becomes of the goodbye is not another end."""
    world = World()
    world.session.close(CloseReason.FORCED_CLOSE)
    if end == "evict":
        world.session.evict(CloseReason.SHUTTING_DOWN)
    elif end == "broken":
        world.session.transport_broken(world.transport, CloseReason.PARSE_ERROR)
    else:
        world.wheel.advance(OPTIONS.close_grace_s)
    assert world.gone
    assert world.registry.counts.evicted == {}
    assert world.registry.ends[CloseReason.FORCED_CLOSE] == 1
    assert sum(world.registry.ends.values()) == 1


def test_a_session_that_never_opened_is_not_counted() -> None:
    """Its client never had it."""
    registry = Registry(OPTIONS, FakeWheel(), Recorder)
    session = registry.open(V4)
    session.transport_lost(FakeTransport())
    assert registry.counts.opened == {}
    assert not any(registry.ends.values())


def test_an_upgrade_is_seen_from_its_probe_to_its_end() -> None:
    """Whoever moves clients away waits for it."""
    world = World()
    assert not world.session.settling
    candidate = world.upgrading()
    assert world.session.settling
    world.session.received(candidate, UPGRADE)
    assert not world.session.settling


def test_upgrades_are_counted_by_how_they_end() -> None:
    """A session that ends meanwhile has not upgraded."""
    world = World()
    counts = world.registry.counts
    world.session.transport_lost(world.probing())
    assert (counts.upgraded, counts.not_upgraded) == (0, 1)
    world.session.received(world.upgrading(), UPGRADE)
    assert (counts.upgraded, counts.not_upgraded) == (1, 1)
    other = World()
    other.upgrading()
    other.session.evict(CloseReason.FORCED_CLOSE)
    assert other.registry.counts.not_upgraded == 1


def test_what_is_on_its_way_can_be_told() -> None:
    """By its trackers; what has none is nobody's."""
    world = World("websocket")
    tracker = Tracker()
    world.transport.writable = False
    for unit in (message("x"), Outgoing(say("code"), tracker=tracker)):
        world.session.send(unit)
    assert world.session.on_their_way() == {tracker}
    world.transport.writable = True
    world.session.transport_drained(world.transport)
    assert world.session.on_their_way() == set()


def test_what_waits_is_measured() -> None:
    """By the size of what is to be written."""
    world = World("websocket")
    assert world.session.waiting_size == 0
    world.transport.writable = False
    unit = message("12345")
    world.session.send(unit)
    world.session.send(unit)
    assert world.session.waiting_size == 2 * unit.size > 0
    world.transport.writable = True
    world.session.transport_drained(world.transport)
    assert world.session.waiting_size == 0


# How fast the client sends.


LIMITED = EngineOptions(
    ping_interval_s=25, ping_timeout_s=20, packet_rate=Rate(20, 50), upgrade_timeout_s=10
)


def pauses(world: World, transport: FakeTransport, packet: Packet, times: int) -> list[float]:
    """Send a packet over and over; return what the transport is told, but for zeros."""
    told = [world.session.received(transport, packet) for _ in range(times)]
    return [pause_s for pause_s in told if pause_s]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize("packet", [say("x"), say(""), Packet(PacketType.NOOP), UPGRADE], ids=repr)
def test_a_client_that_is_too_fast_is_left_alone_and_then_evicted(
    transport: str, packet: Packet
) -> None:
    """So that a stock client comes back; it has a whole burst after each pause."""
    world = World(transport, options=LIMITED)
    for strike in (1, 2):
        assert pauses(world, world.transport, packet, 50) == []
        [pause_s] = pauses(world, world.transport, packet, 1)
        assert pause_s == pytest.approx(2.55)
        assert world.registry.pauses == strike
        world.wheel.advance(pause_s)
    assert pauses(world, world.transport, packet, 51) == [float("inf")]
    assert world.transport.ended == ["fail"]
    assert world.heard[-1] is CloseReason.RATE_LIMIT
    assert world.gone
    assert pauses(world, world.transport, packet, 100) == []
    assert world.registry.ends[CloseReason.RATE_LIMIT] == 1


def test_without_a_rate_nothing_is_counted() -> None:
    world = World()
    assert pauses(world, world.transport, say("x"), 1000) == []
    assert world.session.strained(world.transport) == 0.0
    world.session.give_back()


def test_a_pause_leaves_a_client_time_for_its_pong() -> None:
    world = World(options=EngineOptions(ping_timeout_s=1, packet_rate=Rate(20, 50)))
    assert pauses(world, world.transport, say("x"), 51) == [0.5]


def test_what_is_no_packet_counts_like_one() -> None:
    world = World("websocket", options=LIMITED)
    told = [world.session.strained(world.transport) for _ in range(51)]
    assert [pause_s for pause_s in told if pause_s] == [pytest.approx(2.55)]


def test_the_clock_of_a_heartbeat_is_no_flood() -> None:
    """The pong that was asked for is free, whatever came before it; another is not."""
    world = World("websocket", options=LIMITED)
    pauses(world, world.transport, say("x"), 50)
    for _ in range(10):
        world.wheel.advance(25)
        pauses(world, world.transport, say("x"), 50)
        assert world.session.received(world.transport, PONG) == 0.0
    assert len(pauses(world, world.transport, PONG, 1)) == 1


def test_answers_to_our_messages_are_free_and_no_more_than_there_were_messages() -> None:
    world = World("websocket", options=LIMITED)
    handler = world.session.handler
    assert isinstance(handler, Recorder)
    handler.acknowledges = True
    for _ in range(100):
        world.session.send(Outgoing(say("code"), tracker=Tracker()))
    assert pauses(world, world.transport, say("ack"), 100) == []
    assert pauses(world, world.transport, say("ack"), 50) == []
    assert len(pauses(world, world.transport, say("ack"), 1)) == 1


def test_nothing_was_sent_so_there_is_nothing_to_answer() -> None:
    world = World("websocket", options=LIMITED)
    assert not world.session.answered()
    world.session.send(message("no tracker"))
    assert not world.session.answered()


def test_what_turns_out_to_be_an_answer_later_is_given_back() -> None:
    world = World("websocket", options=LIMITED)
    world.session.give_back()
    for _ in range(1000):
        assert world.session.received(world.transport, say("x")) == 0.0
        world.session.give_back()


def test_polls_while_upgrading_count() -> None:
    """Each is answered at once, so nothing else slows them down. A stock client polls a few times."""
    world = World(options=LIMITED)
    world.upgrading()
    for _ in range(52):
        assert world.transport.poll(world.session) == ["6"]
    world.transport.poll(world.session)
    assert world.heard[-1] is CloseReason.RATE_LIMIT
    assert world.gone


def test_a_candidate_that_floods_is_dropped_with_its_session() -> None:
    world = World(options=LIMITED)
    candidate = world.probing()
    told = [world.session.strained(candidate) for _ in range(52)]
    assert told[-1] == float("inf")
    assert candidate.ended == ["close"]
    assert world.gone


def test_websocket_after_websocket_counts() -> None:
    """An upgrade that is broken off again and again, or a second one beside the first."""
    for closes in (True, False):
        world = World(options=LIMITED)
        for _ in range(60):
            candidate = world.probing()
            if closes:
                world.session.transport_lost(candidate)
        assert world.heard[-1] is CloseReason.RATE_LIMIT
        assert world.gone
