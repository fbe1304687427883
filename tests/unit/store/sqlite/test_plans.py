"""Every statement finds its rows by an index: what it costs does not grow with what is kept.

SQLite decides for itself how to find rows, and it does so differently when a type or a column is missing.
"""

import re

import attrs
import pytest

from reward_push.access.interfaces import Key, KeyKind, StoredKey
from reward_push.rewards.interfaces import Level, Receipt
from reward_push.rewards.message import TO_ALL, Audience, AudienceKind, State
from reward_push.store.sqlite import (
    accept,
    devices,
    keys,
    lifecycle,
    lists,
    live,
    prune,
    receipts,
    records,
    replay,
)
from reward_push.store.sqlite.database import MEMORY, Database

from .samples import record

TABLES = {
    *("messages", "live_rooms", "addressed", "identities", "devices", "receipts", "owed", "keys"),
}


class Plans:
    """Runs work on a database and keeps the plans of its statements."""

    def __init__(self):
        self._database = Database(MEMORY)
        self.connection = self._database.open()
        self.close = self._database.close
        self.seen: dict[str, list[str]] = {}

    def run(self, work, *calls):
        self.connection.set_trace_callback(self._statement)
        statements: list[str] = []
        self._traced = statements
        answers = work(self.connection, calls)
        self.connection.set_trace_callback(None)
        for statement in statements:
            plan = [row[3] for row in self.connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
            self.seen[statement] = plan
        return answers

    def _statement(self, text):
        self._traced.append(text)


@pytest.fixture
def plans():
    made = Plans()
    yield made
    made.close()


def message(name, state=State.LIVE, **changes):
    one = record(name, state=state, ended_at_ms=1_000 if state is State.DONE else None)
    times = {"expires_at_ms": None if state is State.DONE else 9_000}
    return attrs.evolve(one, message=attrs.evolve(one.message, **{**times, **changes}))


def used_statements():
    """The beginnings of all statements of the package, but for what runs at the start."""
    modules = (accept, devices, keys, lifecycle, lists, live, prune, receipts, records, replay)
    parts = {(lists, "_FOUND"), (keys, "_FOUND"), (keys, "_INSERT")}
    return {
        re.sub(r"\s+", " ", re.split(r"\{|\?", text, maxsplit=1)[0]).strip()
        for module in modules
        for name, text in vars(module).items()
        if name.startswith("_") and name.isupper() and isinstance(text, str)
        if (module, name) not in parts
    }


def test_no_statement_looks_at_a_whole_table(plans):
    both = Audience(AudienceKind.STREAMERS, ("s-1", "s-2"))
    posted = [
        message("a", replace="r"),
        message("b", replace="r", once=True),
        message("c", State.SCHEDULED, deliver_at_ms=2_000),
        message("d", State.SCHEDULED, deliver_at_ms=2_000, replace="r"),
        message("e", State.DONE, to=both),
        message("f", to=TO_ALL),
        message("g"),
    ]
    opening = [devices.Opening("k", "s-1", name, 0, 5) for name in ("x", "y", None)]
    [x, y, other] = plans.run(devices.open_device, *opening)
    number = devices.numbered(other.counter, other.identity)
    for n in range(25):
        plans.run(devices.open_device, devices.Opening("k", "s-2", f"d{n}", n, 0))
    plans.run(accept.accept, posted, posted)
    plans.run(accept.settle, ("e", 3), ("f", 4))
    everybody = [Receipt(each, Level.DELIVERED, 5) for each in (x.number, y.number, number)]
    plans.run(receipts.note, dict.fromkeys("abfg", everybody))
    plans.run(receipts.note, {"a": [Receipt(number + (1 << 24), Level.SENT, 5)]})
    plans.run(lifecycle.agenda, None)
    asking = replay.Asking(
        number + (2 << 24), "/dropcodes", ("streamer:s-42", "all"), 1_500, None, 2
    )
    plans.run(replay.missed, asking, asking._replace(cursor=1))
    [dues] = plans.run(lifecycle.claim, lifecycle.Claim(2_000, 2_000, 0, 10))
    assert [len(due.superseded) for due in dues] == [0, 1]
    assert plans.run(lifecycle.take, lifecycle.Take("b", x.number, 5)) == [None]
    plans.run(lifecycle.cancel, ("f", 2_000), ("g", 2_000))
    plans.run(lifecycle.expire, (9_000, 10))
    plans.run(replay.had, ("a", (x.number, y.number)))
    plans.run(replay.owed, (x.number, "/dropcodes"), (y.number, "/dropcodes"))
    plans.run(replay.told, (x.number, ["a", "b"]), (y.number, ["a"]))
    plans.run(lists.get, "a", "b")
    for state in (None, State.DONE):
        for streamer in (None, "s-1"):
            plans.run(lists.page, lists.PageOf(state, streamer, 10, None))
    plans.run(keys.add, StoredKey(Key("k", KeyKind.PLUGIN, 0, streamer="s"), bytes(32)))
    plans.run(keys.get, "k", "l")
    plans.run(keys.page, (10, None))
    plans.run(keys.note_used, {"k": 1, "l": 2})
    plans.run(keys.remove, "k", "l")
    plans.run(prune.prune, prune.Pruning(8_999, 10, 2))
    plans.run(prune.prune, prune.Pruning(9_000, 10, 1_000))
    assert plans.connection.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    scans = {
        (statement, step)
        for statement, plan in plans.seen.items()
        for step in plan
        if (found := re.match(r"SCAN (\w+)", step))
        and found[1] in TABLES | {"m", "l", "x", "a", "r", "o", "d", "i"}
    }
    assert scans == set()
    # Nor does any sort all it finds before it takes the first few.
    sorts = [s for s, plan in plans.seen.items() if "USE TEMP B-TREE FOR ORDER BY" in plan]
    assert sorts == []
    # And no statement of the package was left out.
    ran = [re.sub(r"\s+", " ", statement) for statement in plans.seen]
    assert {each for each in used_statements() if not any(each in one for one in ran)} == set()


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (lifecycle._NEXT, "USING INDEX messages_due"),
        (lifecycle._NEXT, "USING INDEX messages_over"),
        (lifecycle._DUE, "USING INDEX messages_due (deliver_at_ms<?)"),
        (lifecycle._OVER, "USING INDEX messages_over (expires_at_ms<?)"),
        (live._HOLDERS, "USING INDEX messages_slot (replace_slot=?)"),
        (live._LEAVE, "USING PRIMARY KEY (namespace=? AND room=? AND live_no=?)"),
        (prune._ENDED, "USING INDEX messages_ended (ended_at_ms<?)"),
        (prune._DELETE_ADDRESSED, "USING PRIMARY KEY (streamer=? AND seq=?)"),
        (prune._DELETE_OWED, "USING PRIMARY KEY (device=? AND seq=?)"),
        (replay._TOLD, "USING PRIMARY KEY (device=? AND seq=?)"),
        (lists._IN_STATE, "USING INDEX messages_in_state (state=? AND rowid<?)"),
        (lists._OF_STREAMER_IN_STATE, "USING PRIMARY KEY (streamer=? AND seq>? AND seq<?)"),
    ],
)
def test_statement_uses_all_of_its_index(plans, statement, index):
    columns = re.search(r"given \((.*?)\)", statement)
    row = ", ".join("?" * (columns[1].count(",") + 1 if columns else 1))
    filled = statement.format(rows=f"({row}), ({row})")
    numbered = [int(each) for each in re.findall(r"\?(\d)", filled)]
    count = max(numbered) if numbered else filled.count("?")
    found = plans.connection.execute(f"EXPLAIN QUERY PLAN {filled}", [1] * count)
    assert any(index in row[3] for row in found)
