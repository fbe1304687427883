"""The schedule: on time by the wall clock, whatever is done to it, and each message once."""

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from reward_push.rewards.alarm import MAX_SLEEP_S
from reward_push.rewards.interfaces import Reason
from reward_push.rewards.message import State
from reward_push.rewards.news import LocalNews
from reward_push.rewards.publisher import Publisher
from reward_push.rewards.scheduler import (
    CLAIM_AHEAD_MS,
    LEAD_MS,
    RETRY_S,
    Scheduler,
)
from reward_push.rewards.waiting import Waiting

from .fakes import MemoryStore, RecordingDelivery

START_MS = 1_795_550_400_000
MINUTES_MS = 5 * 60_000


@attrs.define(eq=False)
class TimedDelivery(RecordingDelivery):
    """Notes when it was called, by the wall clock."""

    now_ms: object = None
    at: dict[str, list[int]] = attrs.Factory(dict)

    def deliver(self, message):
        self.at.setdefault(message.id, []).append(self.now_ms())
        return super().deliver(message)


class World:
    """A schedule on two clocks that tests turn by hand."""

    def __init__(self, limit=1000, now_ms=START_MS):
        self.wall_ms = now_ms
        self.clock = Clock()
        self.ticks = 0
        self.store = MemoryStore()
        self.limit = limit
        self.boot()

    def boot(self):
        """A node begins; what was in memory is gone."""
        self.delivery = TimedDelivery(now_ms=lambda: self.wall_ms)
        self.late = []
        self.started = []
        self.waiting = Waiting(
            self.delivery,
            self.clock,
            lambda: self.wall_ms,
            observe_lateness_ms=self.late.append,
        )
        news = LocalNews(self.waiting, self.delivery)
        self.scheduler = Scheduler(
            self.store,
            news,
            self.waiting,
            self.clock,
            lambda: self.wall_ms,
            flush=lambda: self.store.calls.append("flush"),
            limit=self.limit,
        )
        self.publisher = Publisher(self.store, news, self.scheduler, lambda: self.wall_ms, ("/",))

    def start(self):
        self.scheduler.start().addBoth(self.started.append)
        return self

    def stop(self):
        """Stop as a node does; the list returned gets an entry when that is done."""
        stopped = []
        stopping = self.scheduler.stop()
        stopping.addCallback(lambda _: self.waiting.stop(CLAIM_AHEAD_MS / 1000))
        stopping.addBoth(stopped.append)
        return stopped

    def crash(self, away_ms=0):
        """The node dies; another begins later on the same store."""
        for call in self.clock.getDelayedCalls():
            call.cancel()
        self.wall_ms += away_ms
        self.boot()

    def post(self, message_id, **changes):
        body = {"id": message_id, "namespace": "/", "event": "e", "to": "all", "data": 1}
        outcomes = []
        self.publisher.publish([{**body, **changes}]).addCallback(outcomes.extend)
        return outcomes

    def cancel(self, message_id):
        results = []
        self.publisher.cancel(message_id).addBoth(results.append)
        return results

    def advance(self, ms):
        """Let both clocks run, a millisecond at a time."""
        for _ in range(ms):
            self.wall_ms += 1
            self.tick()

    def tick(self):
        """A millisecond passes, but not on the wall."""
        self.ticks += 1
        # A hair fast, so that sums of floats fall due when they should.
        self.clock.rightNow = self.ticks / 1000 * (1 + 1e-9)
        self.clock.advance(0)

    def step(self, ms):
        """Somebody sets the wall clock."""
        self.wall_ms += ms

    @property
    def log(self):
        return self.delivery.log


@pytest.fixture
def world():
    return World().start()


# On time


@pytest.mark.parametrize("delay_ms", [1, 5, LEAD_MS, LEAD_MS + 1, 500, 60_000])
@pytest.mark.parametrize("ttl", [{}, {"ttl_ms": 30_000}])
def test_a_message_is_delivered_at_its_moment(world, delay_ms, ttl):
    world.post("a", delay_ms=delay_ms, **ttl)
    world.advance(delay_ms - 1)
    assert world.log == []
    world.advance(1)
    assert world.log == ["a"]
    assert world.late == [0]
    assert world.store.state("a") is (State.LIVE if ttl else State.DONE)


def test_it_is_claimed_a_little_before_so_that_the_commit_is_over_in_time(world):
    world.post("a", delay_ms=500)
    world.store.holds = True
    world.store.calls.clear()
    world.advance(500 - LEAD_MS - 1)
    assert world.store.calls == []
    world.advance(1)
    assert world.store.calls == ["flush", "claim", "agenda"]
    world.advance(LEAD_MS - 1)
    world.store.report_all()
    assert world.log == []
    world.advance(1)
    assert world.log == ["a"]


def test_a_commit_that_takes_longer_makes_it_late_and_that_is_told(world):
    world.post("a", delay_ms=500)
    world.store.holds = True
    world.advance(507)
    assert world.log == []
    world.store.report()
    assert world.log == ["a"]
    assert world.late == [7]


def test_a_message_that_ends_while_its_claim_is_committed_is_not_delivered(world):
    world.post("a", delay_ms=500, ttl_ms=5)
    world.store.holds = True
    world.advance(505)
    world.store.holds = False
    world.store.report_all()
    world.advance(1)
    assert world.log == ["-a"]
    assert world.store.state("a") is State.EXPIRED


def test_messages_go_in_the_order_of_their_moments_then_of_acceptance(world):
    for message_id, delay_ms in [("d", 105), ("b", 100), ("c", 100), ("a", 95)]:
        world.post(message_id, delay_ms=delay_ms)
    world.advance(200)
    assert world.log == ["a", "b", "c", "d"]
    assert {each: [at - START_MS for at in ats] for each, ats in world.delivery.at.items()} == {
        "a": [95],
        "b": [100],
        "c": [100],
        "d": [105],
    }


def test_one_posted_with_a_short_delay_passes_those_claimed_before(world):
    world.post("a", delay_ms=100)
    world.advance(85)
    world.post("b", delay_ms=5)
    world.advance(15)
    assert world.log == ["b", "a"]
    assert world.late == [0, 0]


def test_neighbours_are_claimed_together(world):
    for each in range(CLAIM_AHEAD_MS - LEAD_MS + 1):
        world.post(f"m{each}", delay_ms=500 + each)
    world.store.calls.clear()
    world.advance(600)
    assert world.store.calls.count("claim") == 1
    assert world.late == [0] * 11


def test_an_end_is_never_early_and_takes_the_message_back(world):
    world.post("a", ttl_ms=300)
    world.post("b", delay_ms=100, ttl_ms=100)
    world.advance(199)
    assert world.log == ["a", "b"]
    world.advance(1)
    assert world.log == ["a", "b", "-b"]
    world.advance(99)
    assert world.store.state("a") is State.LIVE
    world.advance(1)
    assert world.log == ["a", "b", "-b", "-a"]
    assert [each.reason for each in world.delivery.revoked] == [Reason.EXPIRED] * 2


def test_receipts_are_flushed_before_messages_are_ended(world):
    world.post("a", ttl_ms=300)
    world.store.calls.clear()
    world.advance(300)
    assert world.store.calls == ["flush", "expire", "agenda"]


def test_an_idle_schedule_sleeps(world):
    assert world.clock.getDelayedCalls() == []
    world.store.calls.clear()
    world.advance(5000)
    assert world.store.calls == []


def test_what_waits_for_later_costs_no_calls_of_the_store(world):
    world.post("a", delay_ms=3_600_000)
    world.post("b", ttl_ms=3_600_000)
    world.store.calls.clear()
    world.advance(30_000)
    assert world.store.calls == []
    assert len(world.clock.getDelayedCalls()) == 1


# Bursts


def test_a_burst_larger_than_a_claim_is_delivered_whole_in_order_and_in_time():
    world = World(limit=10).start()
    for each in range(95):
        world.post(f"m{each}", delay_ms=500)
    world.advance(500)
    assert world.log == [f"m{each}" for each in range(95)]
    assert world.late == [0] * 95


def test_a_burst_of_ends_larger_than_a_call():
    world = World(limit=10).start()
    for each in range(95):
        world.post(f"m{each}", ttl_ms=500)
    world.advance(501)
    assert sorted(world.log[95:]) == sorted(f"-m{each}" for each in range(95))
    assert world.clock.getDelayedCalls() == []


def test_what_is_held_is_bounded_while_the_wall_clock_stands_still():
    world = World(limit=10).start()
    for each in range(95):
        world.post(f"m{each}", delay_ms=25)
    for _ in range(1000):
        world.tick()
    assert len(world.waiting._held) == 0
    world.advance(10)
    for _ in range(2000):
        world.tick()
    assert len(world.waiting._held) == 10
    world.step(-MINUTES_MS)
    world.advance(1000)
    assert len(world.waiting._held) == len(world.waiting._queue) == 10
    world.step(MINUTES_MS)
    world.advance(1000)
    assert world.log == [f"m{each}" for each in range(95)]


def test_a_second_round_waits_for_the_first(world):
    """However often it is woken."""
    world.post("a", delay_ms=100)
    world.store.holds = True
    world.store.calls.clear()
    world.advance(90)
    posted = world.post("b", delay_ms=1)
    world.post("c", delay_ms=2)
    world.advance(50)
    assert world.store.calls == ["flush", "claim", "agenda", "accept", "accept"]
    assert posted == []
    world.store.report_all()
    assert world.log == ["a"]
    world.advance(1)
    world.store.report_all()
    assert world.log == ["a", "b", "c"]
    assert world.store.calls.count("claim") == 2


# Cancelled, superseded


def test_a_scheduled_message_that_is_cancelled_is_never_delivered(world):
    world.post("a", delay_ms=100, ttl_ms=100)
    world.advance(50)
    world.cancel("a")
    world.advance(500)
    assert world.log == ["-a"]


def test_what_is_claimed_is_held_until_it_is_delivered(world):
    """Live in the store already: a replay has to know."""
    world.post("a", delay_ms=100, ttl_ms=100)
    held = []
    for ms in (79, 1, 19, 1):
        world.advance(ms)
        held.append(world.waiting.holds("a"))
    assert held == [False, True, True, False]
    assert world.log == ["a"]


def test_a_claimed_message_that_is_cancelled_in_its_last_milliseconds_is_dropped(world):
    world.post("a", delay_ms=100, ttl_ms=100)
    world.post("b", delay_ms=100, ttl_ms=100)
    world.advance(95)
    assert world.store.state("a") is State.LIVE
    world.cancel("a")
    world.advance(5)
    assert world.log == ["-a", "b"]


def test_a_claim_under_way_when_the_cancellation_comes(world):
    world.post("a", delay_ms=100, ttl_ms=100)
    world.store.holds = True
    world.advance(90)  # claimed, the answer is on its way
    results = world.cancel("a")
    world.store.report_all()
    assert results[0].state is State.CANCELLED
    world.store.holds = False
    world.advance(500)
    assert world.log == ["-a"]


def test_a_cancellation_under_way_when_the_claim_comes(world):
    world.post("a", delay_ms=100, ttl_ms=100)
    world.store.holds = True
    world.advance(79)
    world.cancel("a")
    world.advance(30)
    world.store.holds = False
    world.store.report_all()
    world.advance(500)
    assert world.log == ["-a"]


def test_a_scheduled_message_supersedes_when_it_is_delivered(world):
    world.post("a", ttl_ms=5000, replace="now")
    world.post("b", delay_ms=100, ttl_ms=5000, replace="now")
    world.advance(99)
    assert world.log == ["a"]
    world.advance(1)
    assert world.log == ["a", "b", "-a"]
    assert world.delivery.revoked[0].reason is Reason.REPLACED


def test_of_two_claimed_together_the_superseded_one_is_not_shown(world):
    world.post("a", delay_ms=100, ttl_ms=5000, replace="now")
    world.post("b", delay_ms=105, ttl_ms=5000, replace="now")
    world.advance(200)
    assert world.log == ["b", "-a"]


def test_a_claimed_one_that_is_superseded_by_a_post_is_not_shown(world):
    world.post("a", delay_ms=100, ttl_ms=5000, replace="now")
    world.advance(90)
    world.post("b", ttl_ms=5000, replace="now")
    world.advance(100)
    assert world.log == ["b", "-a"]


def test_what_a_dropped_message_had_superseded_is_revoked_all_the_same(world):
    world.post("a", ttl_ms=5000, replace="now")
    world.post("b", delay_ms=100, ttl_ms=5000, replace="now")
    world.advance(90)
    world.cancel("b")
    world.advance(100)
    assert sorted(world.log) == ["-a", "-b", "a"]


# Restarts


def test_after_a_restart_what_was_due_is_delivered_in_order_and_what_died_is_expired():
    world = World().start()
    world.post("late", delay_ms=1000, ttl_ms=600_000)
    world.post("early", delay_ms=500, ttl_ms=600_000)
    world.post("died", delay_ms=600, ttl_ms=100)
    world.post("endless", delay_ms=700)
    world.post("later", delay_ms=120_000)
    world.post("live", ttl_ms=600_000)
    world.post("over", ttl_ms=10_000)
    world.crash(away_ms=60_000)
    world.start()
    assert world.log == ["early", "late", "-over"]
    assert world.late == [59_500, 59_000]
    assert world.started == [None]
    states = {each: str(row.record.state) for each, row in world.store.rows.items()}
    assert states == {
        "late": "live",
        "early": "live",
        "died": "expired",
        "endless": "expired",
        "later": "scheduled",
        "live": "live",
        "over": "expired",
    }
    world.advance(60_000)
    assert world.log == ["early", "late", "-over", "later"]


def test_a_crash_between_claim_and_delivery_leaves_the_message_to_the_replay():
    world = World().start()
    world.post("a", delay_ms=100, ttl_ms=5000)
    world.post("b", delay_ms=100)
    world.advance(90)
    assert world.log == []
    world.crash(away_ms=50)
    world.start()
    world.advance(100)
    assert world.log == []
    assert world.store.state("a") is State.LIVE
    assert world.store.state("b") is State.DONE  # at most once


def test_starting_is_done_when_all_is_caught_up():
    world = World(limit=10).start()
    for each in range(35):
        world.post(f"m{each}", delay_ms=100, ttl_ms=600_000)
    world.crash(away_ms=60_000)
    world.start()
    assert world.started == []
    world.advance(1)
    assert world.started == [None]
    assert len(world.log) == 35


def test_starting_without_a_store_waits_for_it(logged):
    world = World()
    world.store.away = True
    world.start()
    world.advance(2000)
    assert world.started == []
    assert world.scheduler.trouble() == "the schedule waits for the store: no disk"
    assert len(logged) == 1
    world.store.away = False
    world.advance(int(RETRY_S * 1000) + 1)
    assert world.started == [None]
    assert world.scheduler.trouble() is None


def test_a_stopped_schedule_claims_nothing_more(world):
    world.post("a", delay_ms=100, ttl_ms=500)
    assert world.stop() == world.stop() == [None]
    world.advance(2000)
    assert world.log == []
    assert world.clock.getDelayedCalls() == []


def test_a_stop_lets_what_was_claimed_be_delivered(world):
    world.post("a", delay_ms=100)
    world.advance(85)
    stopped, again = world.stop(), world.stop()
    assert stopped == again == []
    world.advance(CLAIM_AHEAD_MS)
    assert world.log == ["a"]
    assert world.late == [0]
    assert stopped == again == [None]
    assert world.clock.getDelayedCalls() == []


def test_a_stop_waits_for_the_store_and_delivers_what_it_answers(world):
    world.post("a", delay_ms=100)
    world.store.holds = True
    world.advance(85)
    stopped = world.stop()
    world.advance(100)
    assert stopped == []
    world.store.report_all()
    world.advance(CLAIM_AHEAD_MS)
    assert (world.log, stopped) == (["a"], [None])
    assert world.clock.getDelayedCalls() == []


def test_a_stop_is_not_held_up_by_a_clock_that_was_set_back(world):
    world.post("a", delay_ms=100, ttl_ms=5000)
    world.advance(85)
    world.step(-MINUTES_MS)
    stopped = world.stop()
    world.advance(CLAIM_AHEAD_MS)
    assert (world.log, stopped) == ([], [None])
    assert world.clock.getDelayedCalls() == []


def test_a_stopped_schedule_can_start_again(world):
    world.post("a", delay_ms=100, ttl_ms=500)
    world.stop()
    world.start()
    world.advance(100)
    assert world.log == ["a"]


# The store goes away


def test_without_a_store_nothing_is_lost_and_claimed_messages_are_on_time(world, logged):
    world.post("a", delay_ms=100)
    world.post("b", delay_ms=300, ttl_ms=5000)
    world.post("c", ttl_ms=300)
    world.advance(90)
    world.store.away = True
    world.advance(410)
    assert world.log == ["c", "a"]
    assert world.late == [0]
    assert world.scheduler.trouble() == "the schedule waits for the store: no disk"
    assert len(logged) == 1
    world.store.away = False
    world.advance(int(RETRY_S * 1000))
    assert sorted(world.log) == ["-c", "a", "b", "c"]
    assert world.scheduler.trouble() is None


def test_a_store_that_is_away_is_asked_at_a_gentle_rate(world):
    world.post("a", delay_ms=100)
    world.store.away = True
    world.store.calls.clear()
    world.advance(100 - LEAD_MS + 10_000)
    assert 30 <= world.store.calls.count("claim") <= 10 / RETRY_S + 2


@pytest.mark.parametrize("call", ["claim", "agenda", "expire"])
def test_one_call_that_fails_alone_is_made_again(world, call):
    world.post("a", delay_ms=100, ttl_ms=100)
    world.store.fails = {call}
    world.advance(1000)
    assert world.scheduler.trouble() is not None
    world.store.fails = set()
    world.advance(1000)
    assert world.scheduler.trouble() is None
    assert world.log == ([] if call == "claim" else ["a", "-a"])
    assert world.store.state("a") is State.EXPIRED


def test_a_broken_delivery_holds_up_nothing(world, logged):
    world.delivery.breaks_on = "b"
    for each in "abc":
        world.post(each, delay_ms=100, ttl_ms=100)
    world.advance(300)
    assert sorted(world.log) == ["-a", "-c", "a", "c"]
    assert [event["id"] for event in logged] == ["b", "b"]


# The wall clock is set


def test_a_wall_clock_set_back_makes_nothing_early_or_double(world):
    world.post("a", delay_ms=1000, ttl_ms=60_000)
    world.advance(500)
    world.step(-MINUTES_MS)
    world.advance(MINUTES_MS + 499)
    assert world.log == []
    world.advance(1)
    assert world.log == ["a"]
    assert world.late == [0]
    world.advance(2000)
    assert world.log == ["a"]


def test_a_wall_clock_set_back_after_the_claim(world):
    world.post("a", delay_ms=1000, ttl_ms=60_000)
    world.advance(990)
    assert world.store.state("a") is State.LIVE
    world.step(-MINUTES_MS)
    world.advance(MINUTES_MS + 9)
    assert world.log == []
    world.advance(1)
    assert (world.log, world.late) == (["a"], [0])


def test_a_wall_clock_set_back_after_the_delivery_does_not_bring_it_again(world):
    world.post("a", delay_ms=1000, ttl_ms=1000)
    world.advance(1500)
    world.step(-MINUTES_MS)
    world.advance(MINUTES_MS + 499)
    assert world.log == ["a"]
    world.advance(1)
    assert world.log == ["a", "-a"]


def test_a_wall_clock_set_forward_is_noticed_within_the_longest_sleep(world):
    world.post("a", delay_ms=MINUTES_MS, ttl_ms=60_000)
    world.post("b", delay_ms=MINUTES_MS + 30_000)
    world.post("died", delay_ms=1000, ttl_ms=1000)
    world.post("live", ttl_ms=1000)
    world.advance(500)
    world.step(MINUTES_MS)
    world.advance(int(MAX_SLEEP_S * 1000))
    assert world.log == ["live", "a", "-live"]
    assert world.store.state("died") is State.EXPIRED
    world.advance(60_000)
    assert world.log == ["live", "a", "-live", "b", "-a"]


def test_after_a_suspension_what_is_alive_comes_at_once_and_endless_ones_too(world):
    """The monotonic clock stood still, the wall clock did not; the node ran all the time."""
    world.post("a", delay_ms=60_000)
    world.post("b", delay_ms=50_000, ttl_ms=MINUTES_MS)
    world.post("c", delay_ms=70_000, ttl_ms=1000)
    world.advance(100)
    world.step(2 * 60_000)
    world.advance(int(MAX_SLEEP_S * 1000))
    assert world.log == ["b", "a"]
    assert world.store.state("c") is State.EXPIRED


def test_a_clock_that_was_ahead_at_the_start_does_not_make_later_messages_missed():
    world = World(now_ms=START_MS + MINUTES_MS).start()
    world.step(-MINUTES_MS)
    world.post("a", delay_ms=1000)
    world.advance(1000)
    assert world.log == ["a"]
    assert world.store.state("a") is State.DONE


def test_a_clock_set_back_and_forth_delivers_each_message_once_and_never_early(world):
    for each in range(20):
        world.post(f"m{each}", delay_ms=1000 + 50 * each, ttl_ms=20 * 60_000)
    for step in [-MINUTES_MS, 2 * MINUTES_MS, -MINUTES_MS, -60_000, 60_000]:
        world.advance(400)
        world.step(step)
    world.advance(3000)
    assert world.log == [f"m{each}" for each in range(20)]
    assert all(late >= 0 for late in world.late)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("post"), st.integers(0, 1500), st.none() | st.integers(1, 1500)),
        st.tuples(st.just("advance"), st.integers(1, 900)),
        st.tuples(st.just("step"), st.sampled_from([-60_000, -1000, -1, 1, 1000, 60_000])),
        st.tuples(st.just("cancel"), st.integers(0, 10)),
        st.tuples(st.just("crash"), st.integers(0, 2000)),
        st.tuples(st.just("store"), st.booleans()),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=60)
@given(OPERATIONS)
def test_whatever_happens_nothing_is_early_double_shown_after_its_end_or_lost(operations):
    world = World(limit=3).start()
    posted = {}
    shown = {}

    def collect():
        for message in world.delivery.delivered:
            shown.setdefault(message.id, []).append(message)
        for message_id, ats in world.delivery.at.items():
            message = world.store.rows[message_id].record.message
            for at_ms in ats:
                assert message.deliver_at_ms <= at_ms
                assert message.expires_at_ms is None or at_ms < message.expires_at_ms

    for name, *args in operations:
        if name == "post":
            delay_ms, ttl_ms = args
            changes = {"delay_ms": delay_ms} | ({} if ttl_ms is None else {"ttl_ms": ttl_ms})
            message_id = f"m{len(posted)}"
            accepted = world.post(message_id, **changes)
            if accepted:
                posted[message_id] = accepted[0]
        elif name == "advance":
            world.advance(*args)
        elif name == "step":
            world.step(*args)
        elif name == "cancel":
            world.cancel(f"m{args[0]}").clear()
        elif name == "crash":
            collect()
            world.crash(*args)
            world.start()
        else:
            world.store.away = not args[0]
    world.store.away = False
    world.advance(2000)
    world.wall_ms = START_MS + 24 * 3_600_000
    world.advance(2000)
    collect()
    assert all(len(messages) == 1 for messages in shown.values())
    assert world.waiting._held == {}
    assert world.waiting._queue == []
    for message_id in posted:
        row = world.store.rows[message_id]
        assert row.record.state not in (State.SCHEDULED, State.LIVE)
        if row.record.state is State.DONE and not any(each[0] == "crash" for each in operations):
            assert message_id in shown
