"""What counts as a proof that something arrived, for both revisions and both transports."""

import pytest
from zope.interface.verify import verifyObject

from reward_push.engineio.errors import CloseReason
from reward_push.engineio.interfaces import ITimed, ITracker
from reward_push.engineio.options import EngineOptions
from reward_push.engineio.outgoing import Outgoing
from reward_push.engineio.packet import Packet, PacketType
from reward_push.engineio.proof import MAX_UNPROVEN, PROOF_DELAY_S, SLICE, Prover, Unproven
from reward_push.engineio.revision import V3, V4, Revision

from ..fakes import FakeTransport, FakeWheel, Tracker
from .test_session import CLOSE, OPTIONS, PING, PONG, PROBE, UPGRADE, World, say


def send(world: World, text: str = "x", *, wants_answer: bool = False) -> list[str]:
    """Send a tracked unit and return its steps."""
    tracker = Tracker(wants_answer=wants_answer)
    world.session.send(Outgoing(Packet(PacketType.MESSAGE, text), tracker=tracker))
    return tracker.steps


def test_they_provide_what_they_say() -> None:
    """The wheel and sessions rely on the interfaces."""
    verifyObject(ITimed, Prover(FakeWheel()))
    verifyObject(ITracker, Tracker())


# WebSocket, revision 4: a heartbeat ahead of its time.


def test_revision_4_a_ping_after_the_unit_and_its_pong() -> None:
    """Asked for after a moment, once for all that was written meanwhile."""
    world = World("websocket")
    first, second = send(world), send(world)
    assert (first, second) == (["sent"], ["sent"])
    world.wheel.advance(PROOF_DELAY_S)
    assert world.transport.sent[-1] == ["2"]
    late = send(world)
    world.session.received(world.transport, PONG)
    assert (first, second, late) == (["sent", "delivered"], ["sent", "delivered"], ["sent"])
    world.wheel.advance(PROOF_DELAY_S)
    world.session.received(world.transport, PONG)
    assert late == ["sent", "delivered"]


def test_at_most_one_ping_is_in_flight() -> None:
    """However many units; the regular heartbeat counts, too."""
    world = World("websocket")
    world.wheel.advance(25)
    assert world.transport.sent[-1] == ["2"]
    steps = send(world)
    world.wheel.advance(5)
    assert [sent for sent in world.transport.sent if sent == ["2"]] == [["2"]]
    world.session.received(world.transport, PONG)
    assert steps == ["sent"]
    world.wheel.advance(PROOF_DELAY_S)
    world.session.received(world.transport, PONG)
    assert steps == ["sent", "delivered"]


def test_other_packets_prove_nothing() -> None:
    """They may have been on their way before the unit came."""
    world = World("websocket")
    steps = send(world)
    world.wheel.advance(PROOF_DELAY_S)
    world.session.received(world.transport, say("x"))
    assert steps == ["sent"]


def test_an_early_pong_proves_nothing() -> None:
    """It answers no ping that was written after the unit."""
    world = World("websocket")
    steps = send(world)
    world.session.received(world.transport, PONG)
    assert steps == ["sent"]


def test_an_answer_by_the_application_spares_the_ping() -> None:
    """It proves its unit and all before it, not those after it."""
    world = World("websocket")
    trackers = [Tracker() for _ in range(3)]
    for tracker in trackers:
        world.session.send(Outgoing(Packet(PacketType.MESSAGE, "x"), tracker=tracker))
    world.session.proved_through(trackers[1])
    assert [len(tracker.steps) for tracker in trackers] == [2, 2, 1]
    world.session.proved_through(trackers[1])
    world.session.proved_through(trackers[2])
    world.session.proved_through(Tracker())
    assert [len(tracker.steps) for tracker in trackers] == [2, 2, 2]
    world.wheel.advance(20)
    assert ["2"] not in world.transport.sent


def test_a_unit_that_waits_is_sent_when_it_is_written() -> None:
    """Not before, and proved only after that."""
    world = World("websocket")
    world.transport.writable = False
    steps = send(world)
    world.wheel.advance(PROOF_DELAY_S)
    assert steps == []
    world.transport.writable = True
    world.session.transport_drained(world.transport)
    assert steps == ["sent"]
    world.wheel.advance(PROOF_DELAY_S)
    world.session.received(world.transport, PONG)
    assert steps == ["sent", "delivered"]


@pytest.mark.parametrize("revision", [V3, V4])
def test_nothing_is_asked_of_a_session_that_is_over(revision: Revision) -> None:
    """And nothing more is told."""
    world = World("websocket", revision)
    steps = send(world)
    world.session.transport_lost(world.transport)
    world.wheel.advance(PROOF_DELAY_S)
    assert steps == ["sent"]
    assert (world.transport.pings, len(world.transport.sent)) == (0, 2)


# WebSocket, revision 3: a ping of the WebSocket itself.


def test_revision_3_the_websocket_is_pinged() -> None:
    """The client's own pings prove nothing."""
    world = World("websocket", V3)
    steps = send(world)
    world.session.received(world.transport, PING)
    world.wheel.advance(PROOF_DELAY_S)
    assert world.transport.pings == 1
    late = send(world)
    world.session.transport_proved(FakeTransport())
    assert steps == ["sent"]
    world.session.transport_proved(world.transport)
    assert (steps, late) == (["sent", "delivered"], ["sent"])
    world.wheel.advance(PROOF_DELAY_S)
    world.session.transport_proved(world.transport)
    assert (late, world.transport.pings) == (["sent", "delivered"], 2)


def test_a_client_that_proves_nothing_costs_a_bounded_memory() -> None:
    """The oldest units are given up."""
    unproven = Unproven()
    trackers = [Tracker() for _ in range(MAX_UNPROVEN + 1)]
    for tracker in trackers:
        unproven.add(tracker)
    unproven.mark()
    assert len(unproven.proved()) == MAX_UNPROVEN + 1 - MAX_UNPROVEN // 10


# Polling: the next poll.


@pytest.mark.parametrize("revision", [V3, V4])
def test_the_next_poll_proves_what_the_last_one_took(revision: Revision) -> None:
    """Not what it takes itself."""
    world = World(revision=revision)
    first = send(world)
    world.transport.poll(world.session)
    assert first == ["sent"]
    second = send(world)
    world.transport.poll(world.session)
    assert (first, second) == (["sent", "delivered"], ["sent"])
    world.wheel.advance(PROOF_DELAY_S)
    assert world.transport.pings == 0
    world.transport.poll(world.session)
    assert second == ["sent", "delivered"]


def test_the_end_of_an_upgrade_proves_the_last_poll() -> None:
    """A client says ``5`` only after it has read it."""
    world = World()
    steps = send(world)
    world.transport.poll(world.session)
    candidate = world.upgrading()
    assert steps == ["sent"]
    world.session.received(candidate, UPGRADE)
    assert steps == ["sent", "delivered"]


def test_a_goodbye_proves_nothing() -> None:
    """A client that leaves may not have read everything."""
    world = World()
    steps = send(world)
    world.transport.poll(world.session)
    world.session.received(world.transport, CLOSE)
    assert steps == ["sent"]


def test_a_probe_proves_nothing() -> None:
    """The poll may still be under way."""
    world = World()
    world.transport.poll(world.session)
    steps = send(world)
    candidate = world.probing()
    world.session.received(candidate, PROBE)
    assert steps == ["sent"]


# Polling, and an answer is wanted: the next poll says nothing of it.


def test_revision_4_an_answer_is_waited_for_until_a_pong() -> None:
    """Posts come one after the other: an answer under way would have come before it."""
    world = World()
    first, plain = send(world, wants_answer=True), send(world)
    world.transport.poll(world.session)
    world.transport.poll(world.session)
    assert (first, plain) == (["sent"], ["sent", "delivered"])
    world.wheel.advance(PROOF_DELAY_S)
    assert world.transport.sent[-1] == ["2"]
    late = send(world, wants_answer=True)
    world.transport.poll(world.session)
    world.transport.poll(world.session)
    world.session.received(world.transport, PONG)
    assert (first, late) == (["sent", "delivered"], ["sent"])
    world.wheel.advance(PROOF_DELAY_S)
    world.session.received(world.transport, PONG)
    assert late == ["sent", "delivered"]


def test_a_poll_between_a_ping_and_its_pong_moves_nothing() -> None:
    """What was marked stays marked, and no more."""
    world = World()
    plain, first = send(world), send(world, wants_answer=True)
    world.transport.poll(world.session)
    world.wheel.advance(25)
    assert world.transport.poll(world.session) == ["2"]
    assert plain == ["sent", "delivered"]
    late = send(world, wants_answer=True)
    world.transport.poll(world.session)
    world.transport.poll(world.session)
    world.session.received(world.transport, PONG)
    assert (plain, first, late) == (["sent", "delivered"], ["sent", "delivered"], ["sent"])


def test_revision_3_an_answer_is_waited_for_until_the_second_ping() -> None:
    """The first may have been under way when the unit was read."""
    world = World(revision=V3)
    steps = send(world, wants_answer=True)
    world.transport.poll(world.session)
    world.session.received(world.transport, PING)
    world.session.received(world.transport, PING)
    assert steps == ["sent"]
    world.transport.poll(world.session)
    world.wheel.advance(PROOF_DELAY_S)
    world.session.received(world.transport, PING)
    assert steps == ["sent"]
    late = send(world, wants_answer=True)
    world.transport.poll(world.session)
    world.transport.poll(world.session)
    world.session.received(world.transport, PING)
    assert (steps, late) == (["sent", "delivered"], ["sent"])
    world.session.received(world.transport, PING)
    assert late == ["sent", "delivered"]


def test_an_answer_on_polling_is_a_proof_at_once() -> None:
    """Nothing is asked for after it."""
    world = World()
    tracker = Tracker(wants_answer=True)
    world.session.send(Outgoing(Packet(PacketType.MESSAGE, "x"), tracker=tracker))
    world.transport.poll(world.session)
    world.transport.poll(world.session)
    world.session.proved_through(tracker)
    assert tracker.steps == ["sent", "delivered"]
    world.wheel.advance(PROOF_DELAY_S)
    assert ["2"] not in world.transport.sent


def test_a_client_that_pings_with_nothing_to_prove() -> None:
    """It is as always."""
    world = World(revision=V3)
    world.transport.poll(world.session)
    world.session.received(world.transport, PING)
    assert world.transport.sent[-1] == ["3"]


@pytest.mark.parametrize("revision", [V3, V4])
def test_what_was_not_asked_on_polling_is_asked_after_the_upgrade(revision: Revision) -> None:
    """The question on polling came to nothing, and is out of the way."""
    world = World(revision=revision)
    send(world)
    world.transport.poll(world.session)
    world.wheel.advance(PROOF_DELAY_S)
    candidate = world.upgrading()
    world.session.received(candidate, UPGRADE)
    steps = send(world)
    world.wheel.advance(PROOF_DELAY_S)
    if revision is V3:
        world.session.transport_proved(candidate)
        assert candidate.pings == 1
    else:
        world.session.received(candidate, PONG)
    assert steps == ["sent", "delivered"]


# Units that change while they wait.


class Ageing(Outgoing):
    """A unit that is rendered anew when its turn comes, and may be over by then."""

    def __init__(self, text: str, now: str | None, tracker: Tracker) -> None:
        super().__init__(Packet(PacketType.MESSAGE, text), tracker=tracker)
        self.now = now

    @property
    def over(self) -> bool:
        """See Outgoing."""
        return self.now is None

    def current(self) -> Outgoing | None:
        """See Outgoing."""
        if self.now is None:
            return None
        return Outgoing(Packet(PacketType.MESSAGE, self.now), tracker=self.tracker)


def test_what_has_waited_is_written_as_it_is_now() -> None:
    """Or not at all: then it was not sent, either."""
    world = World()
    trackers = [Tracker() for _ in range(2)]
    world.session.send(Ageing("a", "a later", trackers[0]))
    world.session.send(Ageing("b", None, trackers[1]))
    assert world.transport.poll(world.session) == ["4a later"]
    assert [tracker.steps for tracker in trackers] == [["sent"], []]


def test_a_poll_is_held_on_when_everything_that_waited_is_over() -> None:
    """There is nothing to say."""
    world = World()
    world.session.send(Ageing("a", None, Tracker()))
    assert world.transport.poll(world.session) is None
    assert world.transport.writable


def test_what_is_over_gives_way_before_a_client_counts_as_slow() -> None:
    """Only what would still be written counts against the limit."""
    world = World("websocket", options=EngineOptions(max_queue_bytes=100, slow_timeout_s=10))
    world.transport.writable = False
    for _ in range(50):
        world.session.send(Ageing("x" * 90, None, Tracker()))
    world.wheel.advance(15)
    assert not world.gone


def test_what_waited_elsewhere_is_sent_as_it_is_by_now_or_waits_on_as_it_is() -> None:
    """Rendered anew for each client, it would take room for each that has to wait."""
    world = World("websocket")
    rendered: list[str] = []

    class Noted(Ageing):
        def current(self) -> Outgoing | None:
            rendered.append(str(self.packets[0].data))
            return super().current()

    world.session.send_on(Noted("a", "a now", Tracker()))
    world.session.send_on(Noted("b", None, Tracker()))
    assert rendered == ["a", "b"]
    world.transport.writable = False
    waits = Noted("c", "c now", Tracker())
    world.session.send_on(waits)
    world.session.send_on(Noted("d", None, Tracker()))
    assert rendered == ["a", "b"]
    assert world.session.holds(waits.tracker)
    assert world.session.waiting_size == 1
    world.transport.writable = True
    world.session.transport_drained(world.transport)
    frames = [frame for payload in world.transport.sent for frame in payload]
    assert frames[1:] == ["4a now", "4c now"]


def test_what_would_still_be_written_stays_as_it_is_when_room_is_made() -> None:
    """It is shared with others: rendered anew for each client, it would take room for each."""
    world = World("websocket", options=EngineOptions(max_queue_bytes=100, slow_timeout_s=0))
    world.transport.writable = False
    rendered: list[str] = []

    class Noted(Ageing):
        def current(self) -> Outgoing | None:
            rendered.append(str(self.packets[0].data))
            return super().current()

    for number in range(10):
        world.session.send(Noted(f"{number}" * 90, "now" if number % 2 else None, Tracker()))
    assert rendered == []
    assert world.session.waiting_size < 10 * 90
    world.transport.writable = True
    world.session.transport_drained(world.transport)
    frames = [frame for payload in world.transport.sent for frame in payload]
    assert [frame for frame in frames if frame == "4now"] == frames[1:] == ["4now"] * 5
    assert not world.gone


def test_who_became_slow_by_what_is_over_meanwhile_is_not_slow() -> None:
    world = World("websocket", options=EngineOptions(max_queue_bytes=100, slow_timeout_s=10))
    world.transport.writable = False
    units = [Ageing("x" * 90, "now", Tracker()) for _ in range(3)]
    for unit in units:
        world.session.send(unit)
    for unit in units[1:]:
        unit.now = None
    world.wheel.advance(15)
    assert not world.gone
    assert world.session.waiting_size == 90


# Waiting for a client to be idle.


def test_idle_is_told_once_nothing_waits() -> None:
    """At once, or after the last of it was taken; in the order of asking."""
    world = World()
    calls: list[str] = []
    world.session.when_idle(lambda: calls.append("at once"))
    send(world)
    world.session.when_idle(lambda: calls.append("first"))
    world.session.when_idle(lambda: calls.append("second"))
    assert calls == ["at once"]
    world.transport.poll(world.session)
    assert calls == ["at once", "first", "second"]


def test_what_waits_for_a_client_is_known_by_its_tracker() -> None:
    world = World()
    tracker = Tracker()
    world.transport.writable = False
    assert not world.session.holds(tracker)
    world.session.send(Ageing("x", None, tracker))
    assert world.session.holds(tracker)
    assert not world.session.holds(Tracker())
    world.transport.poll(world.session)
    assert not world.session.holds(tracker)


def test_idle_is_not_told_after_the_end() -> None:
    """Whoever waits for it is told of the end by other means."""
    world = World()
    calls: list[str] = []
    send(world)
    world.session.when_idle(lambda: calls.append("idle"))
    world.session.transport_lost(world.transport)
    world.session.when_idle(lambda: calls.append("idle"))
    assert calls == []


def test_a_session_that_says_goodbye_tells_nobody_any_more() -> None:
    """What still goes out then is not followed."""
    world = World()
    waiting, written = send(world), []
    world.session.close(CloseReason.FORCED_CLOSE)
    world.transport.poll(world.session)
    assert waiting == []
    world = World(options=EngineOptions())
    written = send(world, "x" * 60_000)
    send(world, "x" * 60_000)
    world.transport.poll(world.session)
    world.session.close(CloseReason.FORCED_CLOSE)
    world.transport.poll(world.session)
    assert written == ["sent"]


def test_nothing_tracked_nothing_to_prove() -> None:
    """Answers of all kinds find nothing to do."""
    world = World("websocket", V3)
    world.session.proved_through(Tracker())
    world.session.transport_proved(world.transport)
    world.session.prove()
    assert world.transport.pings == 0


def test_several_sessions_are_reminded_together() -> None:
    """One timer for all that was written in a moment."""
    wheel = FakeWheel()
    reminded: list[int] = []

    class Session:
        def __init__(self, number: int) -> None:
            self.number = number

        def prove(self) -> None:
            reminded.append(self.number)

    prover = Prover(wheel)
    prover.add(Session(1))
    prover.add(Session(2))
    assert len(wheel.filed) == 1
    wheel.advance(PROOF_DELAY_S)
    assert reminded == [1, 2]


def test_very_many_sessions_are_reminded_in_slices() -> None:
    """Whatever else is due has its turn in between; who comes meanwhile comes last."""
    wheel, reminded = FakeWheel(), []

    class Session:
        def __init__(self, number: int) -> None:
            self.number = number

        def prove(self) -> None:
            reminded.append(self.number)

    prover = Prover(wheel)
    for number in range(2 * SLICE + 1):
        prover.add(Session(number))
    for turn in (1, 2):
        assert wheel.filed.pop(prover) <= wheel.time + PROOF_DELAY_S
        prover.expire(wheel.time + PROOF_DELAY_S)
        assert reminded == list(range(turn * SLICE))
    prover.add(Session(-1))
    wheel.advance(PROOF_DELAY_S)
    assert reminded == [*range(2 * SLICE + 1), -1]
    assert wheel.filed == {}


def test_a_session_over_or_not_yet_open_has_no_handler() -> None:
    """And one that is open has its own."""
    world = World("websocket")
    assert world.session.handler is not None
    assert world.session.options is OPTIONS
    world.session.transport_lost(world.transport)
    assert world.session.handler is None
