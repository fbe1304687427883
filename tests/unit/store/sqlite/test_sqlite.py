"""The SQLite store beyond the contract: start and stop, trouble, retention."""

import os
import sqlite3
import threading

import pytest
from twisted.logger import globalLogPublisher

from reward_push.access.interfaces import KeyExists, KeyKind, StoreUnavailable
from reward_push.access.key_text import new_key
from reward_push.rewards.interfaces import Kept
from reward_push.rewards.message import State
from reward_push.store.errors import StoreError
from reward_push.store.lanes import Lane
from reward_push.store.sqlite.store import PRUNED_MESSAGES, SQLiteStore, open_store

from .samples import Inbox, record

DAY_MS = 86_400_000


class Rig:
    """A store that this thread drives, with a clock in ``now_ms``."""

    def __init__(self, path, **changes):
        self.inbox = Inbox()
        self.now_ms = 1_000
        self.connections: list[sqlite3.Connection] = []
        self.store = SQLiteStore(
            str(path),
            self.inbox.call_from_thread,
            lambda: self.now_ms,
            prepare=self.connections.append,
            **changes,
        )
        self.store.start()

    def pragma(self, text):
        """Set something on the store's own connection, while its thread has nothing to do."""
        return self.connections[-1].execute(f"PRAGMA {text}").fetchone()

    def accept(self, *records):
        """The records that are kept now under the ids of these."""
        return [each.record for each in self.inbox.get(self.store.accept(records))]

    def knows(self, *ids):
        """Which of ``ids`` the file has."""
        rows = self.connections[-1].execute("SELECT id FROM messages").fetchall()
        return {one for (one,) in rows} & set(ids)

    def maintain(self):
        self.inbox.get(self.store.maintain())

    def stop(self):
        self.inbox.get(self.store.stop())

    def fill_disk(self):
        """Leave room for a few pages."""
        [pages] = self.pragma("page_count")
        self.pragma(f"max_page_count = {pages + 4}")

    def free_disk(self):
        self.pragma("max_page_count = 1000000")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite3"


@pytest.fixture
def rig(path):
    made = Rig(path)
    yield made
    made.stop()


@pytest.fixture(params=["file", "memory"])
def either(request, path):
    """A store on disk, then one in memory."""
    made = Rig(path if request.param == "file" else ":memory:")
    yield made
    made.stop()


def demo_key():
    return new_key(KeyKind.PLUGIN, 0, streamer="demo")[0]


# First start


def test_first_keys_are_put_in_before_the_store_runs(path):
    key = demo_key()
    with open_store(str(path)) as opened:
        assert not opened.any_keys()
        opened.add_keys([key])
        assert opened.any_keys()
    with open_store(str(path)) as opened:
        assert opened.any_keys()
    rig = Rig(path)
    assert rig.inbox.get(rig.store.get_key(key.key.key_id)) == key
    rig.stop()


def test_first_keys_are_added_all_or_none(path):
    one, two = demo_key(), demo_key()
    with open_store(str(path)) as opened:
        opened.add_keys([one])
        with pytest.raises(KeyExists):
            opened.add_keys([two, one])
    rig = Rig(path)
    assert rig.inbox.get(rig.store.get_key(two.key.key_id)) is None
    rig.stop()


def test_keys_given_to_the_store_are_there_in_memory_and_once_on_disk(path):
    key = demo_key()
    for _ in range(2):
        for where in (":memory:", path):
            rig = Rig(where, first_keys=[key])
            assert rig.inbox.get(rig.store.get_key(key.key.key_id)) == key
            rig.stop()


def test_full_disk_at_the_first_start_is_told_in_one_line(path, monkeypatch):
    from reward_push.store.sqlite import keys

    def full(connection, stored):
        connection.execute("PRAGMA max_page_count = 1")
        connection.execute("CREATE TABLE more (a)")

    monkeypatch.setattr(keys, "add_missing", full)
    with pytest.raises(StoreError, match=r"store.sqlite3 cannot be used: database or disk is full"):
        Rig(path)
    monkeypatch.undo()
    Rig(path).stop()


# Start and stop


def test_store_keeps_everything_over_a_restart(path):
    rig = Rig(path)
    key, one = demo_key(), record("m")
    rig.accept(one)
    rig.inbox.get(rig.store.add_key(key))
    rig.stop()
    rig.store.start()
    assert rig.accept(record("m", b"\x02" * 32)) == [one]
    assert rig.inbox.get(rig.store.get_key(key.key.key_id)) == key
    rig.stop()


def test_stop_keeps_what_was_taken_without_waiting_for_it(path):
    rig = Rig(path)
    calls = [rig.store.accept([record(f"m{n}")]) for n in range(300)]
    rig.stop()
    rig.inbox.settle(*calls)
    rig = Rig(path)
    assert len(rig.knows(*(f"m{n}" for n in range(300)))) == 300
    rig.stop()


def test_closed_file_is_whole_without_its_log(path):
    rig = Rig(path)
    rig.accept(record("m"))
    rig.stop()
    assert {each.name for each in path.parent.iterdir()} == {"store.sqlite3", "store.sqlite3-lock"}


def test_second_store_on_the_file_is_refused_and_the_first_works_on(rig, path):
    with pytest.raises(StoreError, match="is in use by another node"):
        Rig(path)
    with pytest.raises(StoreError, match="is in use by another node"):
        open_store(str(path))
    with pytest.raises(StoreError, match="is open already"):
        rig.store.start()
    rig.accept(record("m"))


def test_file_can_be_checked_while_nobody_has_it(rig, path):
    rig.stop()
    with open_store(str(path)) as opened:
        assert not opened.any_keys()


# Many at once


def test_posts_that_come_together_are_committed_together(rig):
    statements = []
    entered, gate = threading.Event(), threading.Event()

    def hold(connection, arguments):
        connection.set_trace_callback(statements.append)
        entered.set()
        assert gate.wait(30)
        return list(arguments)

    held = rig.store._writer.submit(hold, None, Lane.DUTIES, writes=False)
    assert entered.wait(30)
    calls = [rig.store.accept([record(f"m{n}")]) for n in range(500)]
    calls += [rig.store.settle(f"m{n}", n) for n in range(500)]
    gate.set()
    rig.inbox.settle(held, *calls)
    rig.connections[-1].set_trace_callback(None)
    assert statements.count("COMMIT") == 2  # the holder's own, and one for all
    assert len(statements) < 40


def test_more_rows_than_may_wait_fail_at_once(path):
    rig = Rig(path, max_waiting_rows=1_000)
    calls = [rig.store.accept([record(f"m{call}-{n}") for n in range(600)]) for call in range(2)]
    first, second = rig.inbox.settle(*calls)
    assert len(first) == 600
    assert isinstance(second, StoreUnavailable)
    assert rig.knows("m0-599", "m1-0") == {"m0-599"}
    rig.stop()


# Trouble


def test_full_disk_fails_what_does_not_fit_wholly_and_recovers(either):
    rig = either
    rig.accept(record("before"))
    rig.fill_disk()
    large = [record(f"large{n}", size=16_000) for n in range(20)]
    small, [*refused] = record("small"), large
    one, other = rig.inbox.settle(rig.store.accept([small]), rig.store.accept(refused))
    assert one == [Kept(small)]
    assert isinstance(other, StoreUnavailable)
    assert str(other) == rig.store.healthy() == "database or disk is full"
    assert rig.knows("small", *(each.message.id for each in large)) == {"small"}
    assert rig.accept(record("before", b"\x02" * 32)) == [record("before")]
    rig.free_disk()
    assert rig.accept(*large)[0] is large[0]
    assert rig.store.healthy() is None


def test_read_only_store_fails_writes_serves_keys_and_recovers(either):
    rig = either
    key = demo_key()
    rig.inbox.get(rig.store.add_key(key))
    rig.pragma("query_only = ON")
    calls = [
        rig.store.accept([record("m")]),
        rig.store.get_key(key.key.key_id),
        rig.store.settle("m", 1),
        rig.store.add_key(demo_key()),
    ]
    results = rig.inbox.settle(*calls)
    assert results[1] == key
    assert [type(results[place]) for place in (0, 2, 3)] == [StoreUnavailable] * 3
    assert rig.store.healthy() == "attempt to write a readonly database"
    rig.pragma("query_only = OFF")
    posted = record("m")
    assert rig.accept(posted)[0] is posted
    assert rig.store.healthy() is None


def test_file_taken_away_fails_everything_until_it_is_back(rig, path):
    rig.accept(record("before"))
    os.rename(path, f"{path}.away")
    one, other = rig.inbox.settle(rig.store.accept([record("m")]), rig.store.get_key("k"))
    assert isinstance(one, StoreUnavailable)
    assert isinstance(other, StoreUnavailable)
    assert rig.store.healthy() == f"{path} is gone: No such file or directory"
    os.rename(f"{path}.away", path)
    posted = record("m")
    assert rig.accept(posted)[0] is posted
    assert rig.store.healthy() is None


def test_recovery_shows_without_traffic(either):
    rig = either
    rig.fill_disk()
    rig.inbox.settle(rig.store.accept([record(f"m{n}", size=16_000) for n in range(20)]))
    rig.maintain()
    assert rig.store.healthy() == "database or disk is full"
    rig.free_disk()
    assert rig.store.healthy() == "database or disk is full"
    rig.maintain()
    assert rig.store.healthy() is None
    assert rig.connections[-1].execute("SELECT count(*) FROM probe").fetchone() == (0,)


def test_maintaining_a_healthy_store_writes_nothing(rig):
    changes = rig.connections[-1].total_changes
    rig.maintain()
    assert rig.connections[-1].total_changes == changes


def test_maintaining_never_fails(rig):
    rig.pragma("query_only = ON")
    rig.now_ms = 10 * DAY_MS
    rig.maintain()
    rig.pragma("query_only = OFF")
    rig.stop()
    rig.maintain()


def test_fault_of_ours_in_maintaining_is_logged_and_does_not_end_it(path):
    inbox, logged = Inbox(), []
    store = SQLiteStore(str(path), inbox.call_from_thread, lambda: 1 // 0)
    store.start()
    globalLogPublisher.addObserver(logged.append)
    inbox.get(store.maintain())
    globalLogPublisher.removeObserver(logged.append)
    inbox.get(store.stop())
    [event] = [each for each in logged if "log_failure" in each]
    assert event["log_failure"].check(ZeroDivisionError)


def test_store_that_was_not_started_says_so(path):
    inbox = Inbox()
    store = SQLiteStore(str(path), inbox.call_from_thread, lambda: 0)
    assert store.healthy() == "the store is closed"
    with pytest.raises(StoreUnavailable):
        inbox.get(store.get_key("k"))
    assert inbox.get(store.stop()) is None
    assert not path.exists()


# Retention


def test_ended_message_is_remembered_for_the_retention_and_then_forgotten(either):
    rig = either
    done = record("m", ended_at_ms=5_000)
    rig.accept(done)
    rig.now_ms = 5_000 + DAY_MS - 1
    rig.maintain()
    assert rig.accept(record("m", b"\x02" * 32)) == [done]
    rig.now_ms += 1
    rig.maintain()
    posted = record("m", b"\x02" * 32)
    assert rig.accept(posted)[0] is posted


def test_message_that_has_not_ended_is_kept_however_old(rig):
    rig.accept(
        record("scheduled", state=State.SCHEDULED, ended_at_ms=None),
        record("live", state=State.LIVE, ended_at_ms=None),
        record("done"),
    )
    rig.now_ms = 400 * DAY_MS
    rig.maintain()
    assert rig.knows("scheduled", "live", "done") == {"scheduled", "live"}


def test_later_end_counts_for_retention(rig):
    rig.accept(record("m", state=State.LIVE, ended_at_ms=None))
    rig.inbox.get(rig.store.cancel("m", 1_000))
    rig.now_ms = 1_000 + DAY_MS
    rig.maintain()
    assert rig.knows("m") == set()


def test_retention_can_be_set_and_switched_off(path):
    rig = Rig(path, retention_s=1.5)
    rig.accept(record("m", ended_at_ms=1_000))
    rig.now_ms = 2_499
    rig.maintain()
    assert rig.knows("m")
    rig.now_ms = 2_500
    rig.maintain()
    assert not rig.knows("m")
    rig.stop()
    rig = Rig(path, retention_s=None)
    rig.accept(record("m", ended_at_ms=1_000))
    rig.now_ms = 4_000 * DAY_MS
    rig.maintain()
    assert rig.knows("m")
    rig.stop()


def test_pruning_goes_in_small_transactions_and_lets_others_in_between(rig):
    total = 3 * PRUNED_MESSAGES + 1
    rig.accept(*(record(f"m{n}") for n in range(total)))
    left = []

    def note_when_done(_result):
        [count] = rig.connections[-1].execute("SELECT count(*) FROM messages").fetchone()
        left.append(count)

    rig.now_ms = 2 * DAY_MS
    pruned = rig.store.maintain()
    # Asked for while the first part is under way, answered before the last is.
    looked = rig.store.get_key("k").addCallback(note_when_done)
    rig.inbox.settle(pruned, looked)
    assert rig.knows(*(f"m{n}" for n in range(total))) == set()
    assert left[0] >= total - 2 * PRUNED_MESSAGES


def test_no_secret_is_in_the_file(path):
    stored, text = new_key(KeyKind.BACKEND, 0)
    rig = Rig(path, first_keys=[stored])
    rig.stop()
    assert text.split("_", 2)[2].encode() not in path.read_bytes()
