"""Operations of the SQLite store on a disk that is full or read-only, in storms, and over restarts."""

import attrs
import pytest

from reward_push.access.interfaces import StoreUnavailable
from reward_push.rewards.interfaces import Agenda, Level, OwedRevoke, Reason, Receipt
from reward_push.rewards.message import TO_ALL, State
from reward_push.store import doorway
from reward_push.store.sqlite import devices
from reward_push.store.sqlite.batch import Operation, run
from reward_push.store.sqlite.prune import Pruning, prune
from reward_push.store.sqlite.store import SQLiteStore

from .invariants import check
from .samples import Inbox, record


def message(name, state=State.LIVE, size=8, **changes):
    one = record(name, size=size, state=state, ended_at_ms=1_000 if state is State.DONE else None)
    times = {"expires_at_ms": None if state is State.DONE else 9_000}
    return attrs.evolve(one, message=attrs.evolve(one.message, **{**times, **changes}))


class Rig:
    """A store that this thread drives, with what it needs to be in trouble."""

    def __init__(self, path=":memory:"):
        self.inbox = Inbox()
        self.now_ms = 1_000
        self.store = SQLiteStore(
            str(path), self.inbox.call_from_thread, lambda: self.now_ms, prepare=self._opened
        )
        self.store.start()

    def _opened(self, connection):
        self.connection = connection

    def get(self, deferred):
        return self.inbox.get(deferred)

    def failure(self, deferred):
        [result] = self.inbox.settle(deferred)
        return result

    def device(self, name=None, streamer="s-42"):
        return self.get(self.store.open_device("k", streamer, name, 1_000)).number

    def fill_disk(self):
        """Leave no page."""
        [pages] = self.connection.execute("PRAGMA page_count").fetchone()
        [free] = self.connection.execute("PRAGMA freelist_count").fetchone()
        assert free == 0
        self.connection.execute(f"PRAGMA max_page_count = {pages}")

    def free_disk(self):
        self.connection.execute("PRAGMA max_page_count = 1000000")

    def contents(self):
        """All rows of all tables."""
        names = [
            name
            for (name,) in self.connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
            )
        ]
        return {name: self.connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}

    def count(self, table):
        [count] = self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return count

    def stop(self):
        self.get(self.store.stop())


@pytest.fixture(params=["file", "memory"])
def rig(request, tmp_path):
    made = Rig(tmp_path / "store.sqlite3" if request.param == "file" else ":memory:")
    yield made
    made.stop()


# Trouble

MANY = 3_000
"""Devices: enough that no operation finds room in the pages that are there."""


def numbers(rig):
    first = rig.device("named")
    return [first, *(first + (n << devices.IDENTITY_BITS) for n in range(1, MANY))]


WRITES = {
    "accept": lambda rig: rig.store.accept([message(f"n{n}", size=9_000) for n in range(30)]),
    "claim": lambda rig: rig.store.claim(2_000, 2_000, 0, 1_000),
    "open a named device": lambda rig: rig.store.open_device("k" * 60, "s" * 5_000, "d", 1),
    "open a nameless device": lambda rig: rig.store.open_device("k" * 60, "s" * 5_000, None, 1),
    "note": lambda rig: rig.store.note({"m": [Receipt(n, Level.SENT, 1) for n in numbers(rig)]}),
}


@pytest.mark.parametrize("name", WRITES)
def test_write_for_which_there_is_no_room_does_nothing_and_works_later(rig, name):
    rig.get(
        rig.store.accept(
            [
                message("m"),
                *(message(f"s{n}", State.SCHEDULED, deliver_at_ms=2_000) for n in range(500)),
            ]
        )
    )
    numbers(rig)
    rig.fill_disk()
    before = rig.contents()
    failure = rig.failure(WRITES[name](rig))
    assert isinstance(failure, StoreUnavailable)
    assert str(failure) == rig.store.healthy() == "database or disk is full"
    assert rig.contents() == before
    rig.free_disk()
    rig.get(WRITES[name](rig))
    assert rig.contents() != before
    assert rig.store.healthy() is None
    check(rig.connection)


def test_messages_can_end_though_their_revokes_find_no_room_later(rig):
    """Cancelling needs room for what is owed; without it nothing is cancelled."""
    rig.get(rig.store.accept([message("m")]))
    opened = rig.inbox.settle(
        *(rig.store.open_device("k", f"s-{n}", "obs", 1) for n in range(MANY))
    )
    rig.get(rig.store.note({"m": [Receipt(each.number, Level.SENT, 1) for each in opened]}))
    rig.fill_disk()
    before = rig.contents()
    assert isinstance(rig.failure(rig.store.cancel("m", 2_000)), StoreUnavailable)
    assert isinstance(rig.failure(rig.store.expire(9_000, 10)), StoreUnavailable)
    assert rig.contents() == before
    rig.free_disk()
    [ended] = rig.get(rig.store.expire(9_000, 10))
    assert len(ended.devices) == rig.count("owed") == MANY
    check(rig.connection)


def calls(rig, number):
    store = rig.store
    return {
        "accept": lambda: store.accept([message("new")]),
        "settle": lambda: store.settle("m", 5),
        "claim": lambda: store.claim(2_000, 2_000, 0, 10),
        "expire": lambda: store.expire(9_000, 10),
        "cancel": lambda: store.cancel("m", 2_000),
        "take": lambda: store.take("once", number, 2_000),
        "note": lambda: store.note({"m": [Receipt(number, Level.SENT, 1)]}),
        "open a new device": lambda: store.open_device("k", "s-42", "new", 1),
        "open the first of a key": lambda: store.open_device("other", "s-42", None, 1),
        "told": lambda: store.told("gone", [number]),
    }


READS = {
    "get": lambda rig, number: rig.store.get("m"),
    "page": lambda rig, number: rig.store.page(None, "s-42", 10, None),
    "agenda": lambda rig, number: rig.store.agenda(),
    "missed": lambda rig, number: rig.store.missed(
        number, "/dropcodes", ["streamer:s-42"], 1_500, None, 10
    ),
    "owed": lambda rig, number: rig.store.owed(number, "/dropcodes"),
    "open a known device": lambda rig, number: rig.store.open_device("k", "s-42", "obs", 1_000),
    "open a nameless device": lambda rig, number: rig.store.open_device("k", "s-42", None, 1_000),
}


def test_read_only_store_fails_every_write_serves_every_read_and_recovers(rig):
    number = rig.device("obs")
    rig.device()
    posted = [
        message("m"),
        message("once", once=True),
        message("s", State.SCHEDULED, deliver_at_ms=2_000),
        message("gone"),
    ]
    rig.get(rig.store.accept(posted))
    rig.get(rig.store.note({"gone": [Receipt(number, Level.SENT, 1)]}))
    rig.get(rig.store.cancel("gone", 1_000))
    writes = calls(rig, number)
    rig.connection.execute("PRAGMA query_only = ON")
    before = rig.contents()
    for together in (False, True):
        asked = {name: make() for name, make in writes.items()} if together else {}
        for name, make in writes.items():
            failure = rig.failure(asked[name] if together else make())
            assert isinstance(failure, StoreUnavailable), name
        read = [ask(rig, number) for ask in READS.values()]
        results = rig.inbox.settle(*read)
        assert not [each for each in results if isinstance(each, Exception)]
    assert rig.store.healthy() == "attempt to write a readonly database"
    assert rig.contents() == before
    rig.connection.execute("PRAGMA query_only = OFF")
    for name, make in writes.items():
        assert not isinstance(rig.failure(make()), Exception), name
    assert rig.store.healthy() is None
    check(rig.connection)


# Devices


def changes(rig):
    return rig.connection.total_changes


def test_devices_that_name_none_are_not_written(rig):
    rig.device()
    before = changes(rig)
    opened = {rig.device() for _ in range(doorway.COUNTERS - 1)}
    assert len(opened) == doorway.COUNTERS - 1
    assert changes(rig) == before
    opened.add(rig.device())
    assert len(opened) == doorway.COUNTERS
    assert changes(rig) == before + 1
    assert rig.count("devices") == 0


def test_first_connections_of_many_keys_take_one_block_of_numbers(rig):
    opened = rig.inbox.settle(
        *(rig.store.open_device(f"k{n}", "s", None, 1) for n in range(500)),
        *(rig.store.open_device(f"k{n}", "s", None, 1) for n in range(500)),
    )
    assert len({each.number for each in opened}) == 1_000
    [value] = rig.connection.execute("SELECT value FROM counters WHERE name = 'device'").fetchone()
    assert value <= doorway.COUNTERS + 1_001
    assert rig.count("identities") == 500


def test_known_device_is_written_again_only_when_its_use_tells_something(rig):
    rig.device("a")
    before = changes(rig)
    for _ in range(5):
        rig.device("a")
    assert changes(rig) == before
    rig.get(rig.store.open_device("k", "s-42", "a", 1_000 + devices.FRESH_MS + 1))
    assert changes(rig) == before + 1
    rig.device("b")
    before = changes(rig)
    rig.device("a")
    assert changes(rig) == before + 1


def test_numbers_do_not_come_again_after_a_restart(tmp_path):
    path = tmp_path / "store.sqlite3"
    seen = []
    for _ in range(3):
        rig = Rig(path)
        seen += [rig.device() for _ in range(3)] + [rig.device("obs"), rig.device("other")]
        rig.stop()
    assert len(set(seen)) == 3 * 3 + 2
    assert seen[3] == seen[8] == seen[13]


def test_memory_of_identities_is_bounded(monkeypatch):
    monkeypatch.setattr(doorway, "KNOWN_IDENTITIES", 10)
    rig = Rig()
    numbers = [rig.device(streamer=f"s-{n % 25}") for n in range(100)]
    assert len(set(numbers)) == 100
    assert len(rig.store._doorway._identities) == 10
    assert rig.count("identities") == 25
    rig.stop()


def test_failed_first_connection_does_not_spoil_the_next(rig):
    rig.connection.execute("PRAGMA query_only = ON")
    assert isinstance(rig.failure(rig.store.open_device("k", "s", None, 1)), StoreUnavailable)
    rig.connection.execute("PRAGMA query_only = OFF")
    assert rig.device() != rig.device()
    assert rig.count("identities") == 1


def test_more_keys_and_streamers_than_can_be_numbered_are_refused(rig):
    rig.connection.execute(
        "INSERT INTO identities VALUES (?, 'k', 'last')", (devices.IDENTITY_MASK,)
    )
    assert rig.device(streamer="last") & devices.IDENTITY_MASK == devices.IDENTITY_MASK
    failure = rig.failure(rig.store.open_device("k", "one more", None, 1))
    assert isinstance(failure, StoreUnavailable)
    assert str(failure) == "more than 16777215 keys and streamers have connected"
    assert rig.count("identities") == 1


def test_closed_store_opens_no_device(tmp_path):
    rig = Rig(tmp_path / "store.sqlite3")
    rig.device()
    rig.stop()
    assert isinstance(rig.failure(rig.store.open_device("k", "s-42", None, 1)), StoreUnavailable)
    rig.store.start()
    assert rig.device()
    rig.stop()


# Storms


def statements_of(rig, asked):
    """How many statements SQLite has to do for operations that all come at once."""
    seen = []
    rig.connection.set_trace_callback(seen.append)
    try:
        outcomes = run(rig.connection, asked)
    finally:
        rig.connection.set_trace_callback(None)
    assert [each.error for each in outcomes if each.error] == []
    return len(seen)


class Recorder:
    """In the place of a writer: keeps what is submitted."""

    running = True

    def __init__(self):
        self.operations = []

    def submit(self, work, argument, lane, *, writes, weight=1):
        self.operations.append(Operation(work, argument, writes, weight, lane))
        return self.operations[-1].answer


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("missed", lambda s, n: s.missed(n, "/dropcodes", ["all", f"streamer:s-{n}"], 2, None, 9)),
        ("owed", lambda s, n: s.owed(n, "/dropcodes")),
        ("told", lambda s, n: s.told("gone", [n])),
        ("note", lambda s, n: s.note({"m": [Receipt(n, Level.DELIVERED, 2)]})),
        ("take", lambda s, n: s.take("once", n, 2)),
        ("settle", lambda s, n: s.settle(f"m{n}", 2)),
        ("cancel", lambda s, n: s.cancel("m" if n % 2 else "once", 2)),
        ("open", lambda s, n: s.open_device(f"k{n % 7}", "s", f"d{n % 31}", n)),
        ("get_key", lambda s, n: s.get_key(f"k{n}")),
    ],
)
def test_a_thousand_at_once_share_their_statements(name, ask):
    rig = Rig()
    first = rig.device("obs")
    posted = [message("m", to=TO_ALL), message("once", once=True, to=TO_ALL), message("gone")]
    rig.get(rig.store.accept(posted))
    rig.get(rig.store.note({"gone": [Receipt(first, Level.SENT, 1)]}))
    rig.get(rig.store.cancel("gone", 1_000))
    recorder = Recorder()
    writer, rig.store._writer = rig.store._writer, recorder
    for n in range(1_000):
        ask(rig.store, first + (n << devices.IDENTITY_BITS))
    rig.store._writer = writer
    assert statements_of(rig, recorder.operations) <= 100
    check(rig.connection)
    rig.stop()


# Restart


def test_everything_is_as_it_was_after_a_restart(tmp_path):
    path = tmp_path / "store.sqlite3"
    rig = Rig(path)
    number, other = rig.device("obs"), rig.device()
    posted = [
        message("live"),
        message("had"),
        message("gone"),
        message("s", State.SCHEDULED, deliver_at_ms=2_000),
    ]
    rig.get(rig.store.accept(posted))
    rig.get(
        rig.store.note(
            {name: [Receipt(number, 2, 1), Receipt(other, 1, 1)] for name in ("had", "gone")}
        )
    )
    rig.get(rig.store.cancel("gone", 1_500))
    before = [rig.get(rig.store.get(each.message.id)) for each in posted]
    rig.stop()
    rig = Rig(path)
    assert [rig.get(rig.store.get(each.message.id)) for each in posted] == before
    assert rig.device("obs") == number
    assert rig.get(rig.store.owed(number, "/dropcodes")) == [OwedRevoke("gone", Reason.CANCELLED)]
    assert rig.get(rig.store.agenda()) == Agenda(2_000, 9_000)
    missed = rig.get(rig.store.missed(number, "/dropcodes", ["streamer:s-42"], 1_500, None, 10))
    assert [each.id for each in missed.messages] == ["live"]
    # What becomes live now comes after what was live before.
    rig.get(rig.store.claim(2_000, 2_000, 0, 10))
    missed = rig.get(rig.store.missed(number, "/dropcodes", ["streamer:s-42"], 2_000, None, 10))
    assert [each.id for each in missed.messages] == ["live", "s"]
    check(rig.connection)
    rig.stop()


# Pruning


def test_pruning_takes_the_longest_ended_first_with_all_that_is_theirs(rig):
    number = rig.device("obs")
    names = ["a", "b", "c", "d"]
    rig.get(rig.store.accept([message(name) for name in [*names, "live"]]))
    rig.get(rig.store.note({name: [Receipt(number, 1, 1)] for name in [*names, "live"]}))
    for name, at_ms in zip("badc", (10, 20, 30, 40), strict=True):
        rig.get(rig.store.cancel(name, at_ms))
    left = []
    for before_ms, limit in ((30, 2), (30, 2), (39, 2), (40, 2)):
        [more] = prune(rig.connection, [Pruning(before_ms, limit, 100)])
        left.append(
            (
                "".join(
                    n for (n,) in rig.connection.execute("SELECT id FROM messages ORDER BY seq")
                ),
                more,
            )
        )
    assert left == [("cdlive", True), ("clive", False), ("clive", False), ("live", False)]
    assert rig.count("receipts") == 1
    assert rig.count("owed") == 0
    check(rig.connection)


def test_broadcast_is_pruned_in_pieces(rig):
    opened = rig.inbox.settle(*(rig.store.open_device("k", f"s-{n}", "obs", 1) for n in range(50)))
    rig.get(rig.store.accept([message("m", to=TO_ALL), message("n", to=TO_ALL), message("o")]))
    receipts = [Receipt(each.number, Level.ACKED, 1) for each in opened]
    rig.get(rig.store.note({"m": receipts, "n": receipts[:30]}))
    for name in "mno":
        rig.get(rig.store.cancel(name, 5))
    assert rig.count("owed") == 80
    left = []
    more = True
    while more:
        [more] = prune(rig.connection, [Pruning(5, 10, 20)])
        left.append((rig.count("messages"), rig.count("receipts"), rig.count("owed")))
    assert left == [(3, 60, 60), (3, 40, 40), (2, 20, 20), (0, 0, 0)]


def test_pruned_message_leaves_its_id_and_its_device_free(rig):
    number = rig.device("obs")
    rig.get(rig.store.accept([message("m")]))
    rig.get(rig.store.note({"m": [Receipt(number, Level.DELIVERED, 1)]}))
    rig.get(rig.store.cancel("m", 1_000))
    rig.now_ms = 1_000 + 86_400_000
    rig.get(rig.store.maintain())
    assert rig.get(rig.store.get("m")) is None
    assert rig.get(rig.store.owed(number, "/dropcodes")) == []
    rig.get(rig.store.note({"m": [Receipt(number, Level.DELIVERED, 1)]}))
    rig.get(rig.store.accept([message("m")]))
    missed = rig.get(rig.store.missed(number, "/dropcodes", ["streamer:s-42"], 1_500, None, 10))
    assert [each.id for each in missed.messages] == ["m"]
    assert rig.device("obs") == number
    check(rig.connection)


# Lists


def test_page_of_a_state_looks_at_a_bounded_part_of_a_streamer_s_messages(rig, monkeypatch):
    from reward_push.store.sqlite import lists

    monkeypatch.setattr(lists, "SCANNED", 10)
    rig.get(rig.store.accept([message(f"m{n}") for n in range(45)]))
    for n in (0, 20, 21, 44):
        rig.get(rig.store.cancel(f"m{n}", 5))
    pages, cursor, more = [], None, True
    while more:
        page = rig.get(rig.store.page(State.CANCELLED, "s-42", 1, cursor))
        pages.append([each.message.id for each in page.records])
        cursor = page.cursor
        more = cursor is not None
    assert [name for page in pages for name in page] == ["m44", "m21", "m20", "m0"]
    assert [] in pages
    assert all(len(page) <= 1 for page in pages)
    assert len(pages) <= 10


def test_receipts_do_not_take_the_room_of_posts():
    inbox = Inbox()
    store = SQLiteStore(":memory:", inbox.call_from_thread, lambda: 0, max_waiting_rows=10)
    store.start()
    receipts = [store.note({"m": [Receipt(n, Level.SENT, 1) for n in range(40)]}) for _ in range(9)]
    posted = store.accept([message("m")])
    results = inbox.settle(posted, *receipts)
    assert results[0][0].record.message.id == "m"
    assert any(isinstance(each, StoreUnavailable) for each in results[1:])
    inbox.get(store.stop())
