"""The thread: batches, order, limits, trouble, the end."""

import sqlite3
import threading

import pytest
from twisted.internet.defer import CancelledError

from reward_push.access.interfaces import StoreUnavailable
from reward_push.store.lanes import Lane
from reward_push.store.sqlite.database import MEMORY, Database
from reward_push.store.sqlite.writer import Writer

from .samples import Inbox


class Rig:
    """A writer on an empty database, with a gate to hold its thread."""

    def __init__(self, max_waiting=100):
        self.inbox = Inbox()
        self.seconds = 0.0
        self.statements = []
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.database = Database(MEMORY, self._prepare)
        self.writer = Writer(
            self.database, self.inbox.call_from_thread, lambda: self.seconds, max_waiting
        )
        self.connection = self.database.open()
        self.writer.start(self.connection)

    def _prepare(self, connection):
        connection.execute("CREATE TABLE t (n INTEGER UNIQUE, filler BLOB)")
        connection.set_trace_callback(self.statements.append)

    def hold(self):
        """Occupy the thread until ``gate`` is set; return the Deferred of that."""

        def wait(_connection, arguments):
            self.entered.set()
            assert self.gate.wait(30)
            return list(arguments)

        held = self.writer.submit(wait, None, Lane.POSTS, writes=False)
        assert self.entered.wait(30)
        return held

    def insert(self, number, weight=1, lane=Lane.POSTS):
        return self.writer.submit(insert, number, lane, writes=True, weight=weight)

    def commits(self):
        return self.statements.count("COMMIT")


def insert(connection, numbers):
    for number in numbers:
        connection.execute("INSERT INTO t VALUES (?, zeroblob(5000))", (number,))
    return list(numbers)


def where(_connection, arguments):
    return [threading.current_thread()] * len(arguments)


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.gate.set()
    made.inbox.get(made.writer.stop())


def test_work_is_done_in_one_other_thread(rig):
    first, second = rig.inbox.settle(
        *(rig.writer.submit(where, None, Lane.POSTS, writes=False) for _ in range(2))
    )
    assert first is second is not threading.current_thread()


def test_all_that_waits_is_committed_and_delivered_together(rig):
    held = rig.hold()
    waiting = [rig.insert(number) for number in range(90)]
    rig.gate.set()
    assert rig.inbox.settle(held, *waiting) == [None, *range(90)]
    assert rig.commits() == 2
    assert rig.inbox.delivered == 2


def test_results_come_in_order_among_failures(rig):
    order = []
    held = rig.hold()
    numbers = [1, 1, 2, 2, 3]
    waiting = [rig.insert(number) for number in numbers]
    for place, each in enumerate(waiting):
        each.addBoth(lambda result, place=place: order.append(place) or result)
    rig.gate.set()
    results = rig.inbox.settle(held, *waiting)[1:]
    assert order == [0, 1, 2, 3, 4]
    assert [type(each) for each in results] == [
        int,
        sqlite3.IntegrityError,
        int,
        sqlite3.IntegrityError,
        int,
    ]


def test_more_than_the_limit_fails_at_once_and_room_comes_back():
    rig = Rig(max_waiting=10)
    held = rig.hold()  # weighs 1
    waiting = [rig.insert(1, weight=4), rig.insert(2, weight=5)]
    with pytest.raises(StoreUnavailable, match="too much waits for the store"):
        rig.inbox.get(rig.insert(3))
    rig.gate.set()
    rig.inbox.settle(held, *waiting)
    assert rig.inbox.get(rig.insert(4, weight=10)) == 4
    assert rig.connection.execute("SELECT n FROM t").fetchall() == [(1,), (2,), (4,)]
    rig.inbox.get(rig.writer.stop())


def test_what_is_heavier_than_the_limit_is_taken_when_nothing_waits():
    rig = Rig(max_waiting=10)
    assert rig.inbox.get(rig.insert(1, weight=11)) == 1
    rig.inbox.get(rig.writer.stop())


def test_flood_in_one_lane_makes_nothing_fail_in_another():
    rig = Rig(max_waiting=10)
    held = rig.hold()
    waiting = [rig.insert(number, 10, Lane.RECEIPTS) for number in range(10)]
    with pytest.raises(StoreUnavailable, match="too much waits for the store"):
        rig.inbox.get(rig.insert(99, 1, Lane.RECEIPTS))
    waiting += [
        rig.insert(10, 9),
        rig.insert(11, 10, Lane.CLIENTS),
        rig.insert(12, 10, Lane.DUTIES),
    ]
    rig.gate.set()
    assert rig.inbox.settle(held, *waiting)[1:] == list(range(13))
    assert rig.inbox.get(rig.insert(99, 100, Lane.RECEIPTS)) == 99
    rig.inbox.get(rig.writer.stop())


def test_cancelled_waiting_changes_nothing_else(rig):
    held = rig.hold()
    cancelled, other = rig.insert(1), rig.insert(2)
    cancelled.cancel()
    rig.gate.set()
    _, gone, result = rig.inbox.settle(held, cancelled, other)
    assert isinstance(gone, CancelledError)
    assert result == 2


def test_trouble_is_the_last_failure_until_something_is_written(rig):
    assert rig.writer.trouble() is None
    rig.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailable, match=r"^attempt to write a readonly database$"):
        rig.inbox.get(rig.insert(1))
    assert rig.writer.trouble() == "attempt to write a readonly database"
    rig.inbox.get(rig.writer.submit(where, None, Lane.POSTS, writes=False))
    assert rig.writer.trouble() == "attempt to write a readonly database"
    rig.connection.execute("PRAGMA query_only = OFF")
    rig.inbox.get(rig.insert(2))
    assert rig.writer.trouble() is None


def test_write_that_changed_nothing_does_not_end_the_trouble(rig):
    def delete_none(connection, arguments):
        connection.execute("DELETE FROM t WHERE n = -1")
        return list(arguments)

    rig.connection.execute("PRAGMA query_only = ON")
    rig.inbox.settle(rig.insert(1))
    rig.connection.execute("PRAGMA query_only = OFF")
    rig.inbox.get(rig.writer.submit(delete_none, None, Lane.POSTS, writes=True))
    assert rig.writer.trouble() == "attempt to write a readonly database"


def test_one_failure_in_a_batch_is_trouble_though_others_were_written(rig):
    held = rig.hold()
    [pages] = rig.connection.execute("PRAGMA page_count").fetchone()
    rig.connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    waiting = [rig.insert(number) for number in range(5)]
    rig.gate.set()
    results = rig.inbox.settle(held, *waiting)[1:]
    assert results[0] == 0
    assert isinstance(results[-1], StoreUnavailable)
    assert rig.writer.trouble() == "database or disk is full"


def test_refused_work_is_no_trouble(rig):
    rig.inbox.settle(rig.insert(1), rig.insert(1))
    assert rig.writer.trouble() is None


def test_disk_that_does_not_answer_is_trouble_until_it_does(rig):
    rig.seconds = 100.0
    held = rig.hold()
    rig.seconds = 105.0
    assert rig.writer.trouble() is None
    rig.seconds = 107.4
    assert rig.writer.trouble() == "the disk has not answered for 7 s"
    rig.gate.set()
    rig.inbox.get(held)
    assert rig.writer.trouble() is None


def test_stop_answers_what_was_taken_and_refuses_what_comes_later():
    rig = Rig()
    held = rig.hold()
    waiting = [rig.insert(number) for number in range(20)]
    stopped, again = rig.writer.stop(), rig.writer.stop()
    with pytest.raises(StoreUnavailable, match="the store is closed"):
        rig.inbox.get(rig.insert(99))
    assert rig.writer.trouble() == "the store is closed"
    order = []
    waiting[-1].addCallback(lambda result: order.append("last") or result)
    stopped.addCallback(lambda result: order.append("stopped") or result)
    rig.gate.set()
    assert rig.inbox.settle(held, *waiting, stopped, again) == [None, *range(20), None, None]
    assert order == ["last", "stopped"]
    assert rig.inbox.get(rig.writer.stop()) is None
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        rig.connection.execute("SELECT 1")


def test_writer_that_was_not_started_refuses_and_stops():
    inbox = Inbox()
    writer = Writer(Database(MEMORY), inbox.call_from_thread, lambda: 0.0, 10)
    with pytest.raises(StoreUnavailable, match="the store is closed"):
        inbox.get(writer.submit(where, None, Lane.POSTS, writes=False))
    assert inbox.get(writer.stop()) is None
