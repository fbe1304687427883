"""Receipts: in batches, in order, forwards only, and within bounds while the store is away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from reward_push.access.interfaces import StoreUnavailable
from reward_push.rewards.interfaces import Level, Receipt
from reward_push.rewards.message import MessageRecord, State
from reward_push.rewards.receipts import COMMIT_AFTER_S, MOVED_AFTER_S, RETRY_S, ReceiptBuffer

from .fakes import MemoryStore
from .test_message import message

AT_MS = 1_795_550_400_250


class World:
    """A buffer in front of a store that knows some messages and devices."""

    def __init__(self, **options):
        self.clock = Clock()
        self.store = MemoryStore()
        self.buffer = ReceiptBuffer(self.store, self.clock, **options)
        for number in range(1, 30):
            self.store.open_device("k1", "s-42", f"d{number}", 0)
        self.store.accept([MessageRecord(message(id=each), b"", State.LIVE) for each in "abc"])

    def levels(self, message_id):
        """What the store knows: device → level."""
        receipts = self.store.rows[message_id].receipts
        return {device: receipt.level for device, receipt in receipts.items()}

    def sent(self, message_id, *devices):
        for device in devices:
            self.buffer.sent(message_id, device, AT_MS)

    def flush(self):
        done = []
        self.buffer.flush().addBoth(done.append)
        return done


@pytest.fixture
def world():
    return World()


def test_receipts_of_a_while_are_one_call_of_the_store(world):
    world.sent("a", 1, 2)
    world.clock.advance(COMMIT_AFTER_S / 2)
    world.sent("b", 1)
    assert world.store.noted == []
    world.clock.advance(COMMIT_AFTER_S / 2)
    assert world.store.noted == [
        {
            "a": [Receipt(1, Level.SENT, AT_MS), Receipt(2, Level.SENT, AT_MS)],
            "b": [Receipt(1, Level.SENT, AT_MS)],
        }
    ]
    assert world.buffer.committed == 3
    assert len(world.buffer) == 0
    assert world.clock.getDelayedCalls() == []


def test_of_one_device_only_the_furthest_step_is_kept_and_never_goes_back(world):
    world.sent("a", 1)
    world.buffer.delivered("a", 1, AT_MS + 1)
    world.buffer.acked("a", 1, AT_MS + 2)
    world.buffer.delivered("a", 1, AT_MS + 3)
    world.sent("a", 1)
    world.buffer.delivered("b", 2, AT_MS)
    world.sent("b", 2)
    world.flush()
    assert world.store.noted == [
        {"a": [Receipt(1, Level.ACKED, AT_MS + 2)], "b": [Receipt(2, Level.DELIVERED, AT_MS)]}
    ]


def test_a_broadcast_is_noted_in_one_call(world):
    world.buffer.delivered("a", 2, AT_MS + 1)
    world.sent("a", *range(1, 4))
    assert len(world.buffer) == 3
    world.flush()
    assert world.levels("a") == {1: Level.SENT, 2: Level.DELIVERED, 3: Level.SENT}
    assert list(world.store.noted[0]) == ["a"]


def test_who_had_a_message_by_what_the_store_does_not_know_yet(world):
    world.store.holds = True
    world.sent("a", 1)
    world.flush()
    world.sent("a", 2)
    world.sent("b", 3)
    assert world.buffer.devices("a") == {1, 2}
    world.store.report()
    assert world.buffer.devices("a") == {2}
    assert world.buffer.devices("c") == set()


def test_nothing_at_all_is_no_call_of_the_store(world):
    world.clock.advance(COMMIT_AFTER_S)
    assert world.flush() == [None]
    assert world.store.noted == []
    assert world.clock.getDelayedCalls() == []


def test_a_full_batch_does_not_wait():
    world = World(batch=3)
    world.sent("a", 1, 2)
    assert world.store.noted == []
    world.sent("b", 1)
    assert [sum(map(len, each.values())) for each in world.store.noted] == [3]
    assert world.clock.getDelayedCalls() == []


def test_a_broadcast_larger_than_a_batch_is_cut_and_goes_one_call_after_another():
    world = World(batch=4)
    world.store.holds = True
    world.sent("a", *range(1, 11))
    sizes = []
    while world.store.held:
        assert len(world.store.held) == 1
        world.store.report()
        sizes = [sum(map(len, each.values())) for each in world.store.noted]
        world.clock.advance(COMMIT_AFTER_S)
    assert sizes == [4, 4, 2]
    assert set(world.levels("a")) == set(range(1, 11))


def test_what_comes_while_a_call_is_under_way_waits_for_its_answer(world):
    world.store.holds = True
    world.sent("a", 1)
    world.clock.advance(COMMIT_AFTER_S)
    world.sent("a", 2)
    world.clock.advance(10)
    assert len(world.store.noted) == 1
    world.store.report()
    world.clock.advance(COMMIT_AFTER_S)
    assert len(world.store.noted) == 2


def test_a_flush_hands_over_at_once_so_that_what_is_asked_next_sees_it(world):
    world.store.holds = True
    world.sent("a", 1)
    world.clock.advance(COMMIT_AFTER_S)
    world.sent("a", 2)
    done = world.flush()
    world.store.get("a")
    _, (_, receipts) = world.store.held[-1]
    assert len(receipts) == 2
    assert done == []
    world.store.report()
    assert done == []
    world.store.report()
    assert done == [None]


def test_a_flush_of_nothing_new_waits_for_what_is_under_way(world):
    world.store.holds = True
    world.sent("a", 1)
    world.clock.advance(COMMIT_AFTER_S)
    one, two = world.flush(), world.flush()
    assert (one, two) == ([], [])
    world.store.report()
    assert (one, two) == ([None], [None])


def test_a_flush_of_more_than_a_batch_fires_after_the_last():
    world = World(batch=4)
    world.store.holds = True
    world.sent("a", *range(1, 11))
    done = world.flush()
    assert len(world.store.held) == 3
    world.store.report()
    world.store.report()
    assert done == []
    world.store.report()
    assert done == [None]


def test_without_a_store_receipts_are_kept_and_tried_again(world, logged):
    world.store.away = True
    world.sent("a", 1)
    world.buffer.delivered("a", 2, AT_MS)
    world.clock.advance(COMMIT_AFTER_S)
    assert world.buffer.trouble() == "receipts wait for the store: no disk"
    world.buffer.delivered("a", 1, AT_MS)
    world.sent("a", 2, 3)
    for _ in range(10):
        world.clock.advance(RETRY_S)
    assert len(world.store.calls) - 30 == 11
    assert len(logged) == 1
    world.store.away = False
    world.clock.advance(RETRY_S)
    assert world.levels("a") == {1: Level.DELIVERED, 2: Level.DELIVERED, 3: Level.SENT}
    assert world.buffer.trouble() is None
    assert len(world.buffer) == 0
    assert world.clock.getDelayedCalls() == []


def test_a_flush_without_a_store_does_not_fail_and_does_not_try_again_and_again(world):
    world.store.away = True
    world.sent("a", 1)
    assert world.flush() == [None]
    world.store.calls.clear()
    for _ in range(10):
        assert world.flush() == [None]
    assert world.store.calls == []
    assert len(world.buffer) == 1


def test_failures_of_several_calls_under_way_lose_nothing():
    world = World(batch=2)
    world.store.holds = world.store.away = True
    world.sent("a", 1, 2, 3, 4)
    world.buffer.acked("a", 1, AT_MS)
    done = world.flush()
    world.store.report_all()
    assert done == [None]
    assert len(world.buffer) == 4
    world.store.holds = world.store.away = False
    world.clock.advance(RETRY_S)
    world.flush()
    assert world.levels("a") == {
        1: Level.ACKED,
        2: Level.SENT,
        3: Level.SENT,
        4: Level.SENT,
    }


def test_what_is_held_is_bounded_and_the_least_is_given_up_first():
    world = World(batch=5, max_waiting=20)
    world.store.away = True
    world.sent("a", *range(1, 6))
    for device in range(1, 11):
        world.buffer.delivered("b", device, AT_MS)
    for device in range(1, 30):
        world.sent("c", device)
        assert len(world.buffer) <= 20
    assert world.buffer.dropped > 0
    world.store.away = False
    for _ in range(10):
        world.clock.advance(RETRY_S)
    assert world.levels("a") == {}
    assert world.levels("b") == dict.fromkeys(range(1, 11), Level.DELIVERED)
    assert 29 in world.levels("c")


def test_what_is_proved_is_given_up_last_oldest_first():
    world = World(batch=5, max_waiting=10)
    world.store.away = True
    for message_id in "ab":
        for device in range(1, 9):
            world.buffer.delivered(message_id, device, AT_MS)
            assert len(world.buffer) <= 10
    world.store.away = False
    for _ in range(10):
        world.clock.advance(RETRY_S)
    assert set(world.levels("b")) == set(range(1, 9))
    assert world.buffer.dropped + len(world.levels("a")) == 8


def test_a_store_that_does_not_answer_is_bounded_too():
    world = World(batch=5, max_waiting=20)
    world.store.holds = True
    for device in range(1, 1000):
        world.sent("a", device)
        world.flush()
        assert len(world.buffer) <= 20 + 1


def test_a_stop_tries_once_more_and_then_no_more(world):
    world.store.away = True
    world.sent("a", 1)
    world.clock.advance(COMMIT_AFTER_S)
    world.store.away = False
    done = []
    world.buffer.stop().addBoth(done.append)
    assert done == [None]
    assert world.levels("a") == {1: Level.SENT}
    world.store.away = True
    world.sent("a", 2)
    assert world.clock.getDelayedCalls() == []


def test_a_stop_without_a_store_ends_too(world):
    world.store.away = True
    world.sent("a", 1)
    done = []
    world.buffer.stop().addBoth(done.append)
    assert done == [None]
    assert world.clock.getDelayedCalls() == []


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["sent", "delivered", "acked"]),
            st.sampled_from("abc"),
            st.integers(1, 5),
        ),
        st.tuples(st.sampled_from(["flush", "report", "advance"])),
        st.tuples(st.just("away"), st.booleans()),
    ),
    max_size=60,
)


@given(STEPS, st.integers(1, 5))
def test_whatever_the_store_does_every_furthest_step_arrives(steps, batch):
    world = World(batch=batch)
    world.store.holds = True
    furthest = {}
    levels = {"sent": Level.SENT, "delivered": Level.DELIVERED, "acked": Level.ACKED}
    for name, *args in steps:
        if name in levels:
            getattr(world.buffer, name)(*args, AT_MS)
            furthest[tuple(args)] = max(furthest.get(tuple(args), 0), levels[name])
        elif name == "flush":
            world.flush()
        elif name == "advance":
            world.clock.advance(COMMIT_AFTER_S)
        elif name == "away":
            [world.store.away] = args
        elif world.store.held:
            world.store.report()
    world.store.away = False
    for _ in range(200):
        world.store.report_all()
        world.clock.advance(RETRY_S)
    known = {
        (each, device): level for each in "abc" for device, level in world.levels(each).items()
    }
    assert known == furthest
    assert len(world.buffer) == 0


def test_who_was_too_late_is_told_with_whether_it_may_have_moved(world):
    """It may, once its receipt took long to the store: the time counts from when it came, through failures."""
    told, asked = [], []

    class SlowStore:
        def note(self, _receipts):
            asked.append(Deferred())
            return asked[-1]

    world.buffer = ReceiptBuffer(SlowStore(), world.clock)
    world.buffer.on_late = lambda late, may_have_moved: told.append((late, may_have_moved))
    world.sent("a", 1)
    world.clock.advance(COMMIT_AFTER_S)
    asked[-1].callback(["late"])
    world.sent("a", 2)
    world.clock.advance(COMMIT_AFTER_S)
    asked[-1].errback(StoreUnavailable("away"))
    world.sent("a", 3)
    world.clock.advance(RETRY_S)
    asked[-1].callback(["later"])
    world.sent("a", 4)
    world.clock.advance(COMMIT_AFTER_S)
    world.clock.advance(MOVED_AFTER_S)
    asked[-1].callback(["last"])
    assert told == [(["late"], False), (["later"], True), (["last"], True)]
