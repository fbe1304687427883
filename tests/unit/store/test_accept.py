"""Messages in SQLite, on a bare connection."""

import sqlite3

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_push.rewards.message import Receipts
from reward_push.store import messages
from reward_push.store.schema import migrate

from .samples import record


def connect() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    return connection


@pytest.fixture
def connection():
    opened = connect()
    yield opened
    opened.close()


def ids(connection) -> list[str]:
    return [one for (one,) in connection.execute("SELECT id FROM messages ORDER BY seq")]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(
            st.lists(
                st.tuples(st.integers(0, 120), st.binary(min_size=1, max_size=1)), max_size=90
            ),
            max_size=3,
        ),
        max_size=4,
    )
)
def test_accepting_does_what_a_dictionary_does(rounds):
    """Rounds of calls that are done together, with ids that come again at every distance."""
    connection = connect()
    model = {}
    for calls in rounds:
        posted = [[record(f"m{number}", digest) for number, digest in call] for call in calls]
        got = messages.accept(connection, posted)
        for call, answers in zip(posted, got, strict=True):
            assert len(answers) == len(call)
            for given_record, answer in zip(call, answers, strict=True):
                fresh = given_record.message.id not in model
                earlier = model.setdefault(given_record.message.id, given_record)
                assert answer == earlier
                assert (answer is given_record) is fresh
    assert sorted(ids(connection)) == sorted(model)
    connection.close()


def test_messages_are_numbered_in_the_order_of_their_acceptance(connection):
    """Also where a known id interrupts a statement."""
    messages.accept(connection, [[record("m50")]])
    messages.accept(connection, [[record(f"m{n}") for n in range(100)]])
    expected = ["m50", *(f"m{n}" for n in range(100) if n != 50)]
    assert ids(connection) == expected


def test_one_large_call_takes_few_statements(connection):
    statements = []
    connection.set_trace_callback(statements.append)
    messages.accept(connection, [[record(f"m{n}") for n in range(1000)]])
    assert len(statements) <= 20


def test_columns_hold_what_queries_will_need(connection):
    one = record("m", receipts=Receipts(3, 2, 1))
    message = attrs.evolve(one.message, deliver_at_ms=2_000, expires_at_ms=3_000)
    messages.accept(connection, [[attrs.evolve(one, message=message)]])
    row = connection.execute(
        "SELECT id, namespace, state, created_at_ms, deliver_at_ms, expires_at_ms, ended_at_ms,"
        " sent, delivered, acked FROM messages"
    ).fetchone()
    assert row == ("m", "/dropcodes", "done", 1_000, 2_000, 3_000, 1_000, 3, 2, 1)


def test_pruning_takes_the_longest_ended_first_up_to_its_limit(connection):
    ends = {"a": 30, "b": 10, "c": None, "d": 20, "e": 40}
    messages.accept(connection, [[record(name, ended_at_ms=end) for name, end in ends.items()]])
    assert messages.prune(connection, [(30, 2)]) == [2]
    assert ids(connection) == ["a", "c", "e"]
    assert messages.prune(connection, [(30, 2)]) == [1]
    assert messages.prune(connection, [(39, 2)]) == [0]
    assert ids(connection) == ["c", "e"]


def test_pruning_and_settling_find_their_rows_by_an_index(connection):
    def plan(statement, *arguments):
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", arguments)
        return " / ".join(row[3] for row in rows)

    assert "INDEX messages_ended" in plan(messages._PRUNE, 1, 1)
    settle = plan(messages._UPDATE.format(values="(?,?,?,?,?,?),(?,?,?,?,?,?)"), *range(12))
    assert "SEARCH messages" in settle
    assert "SCAN messages" not in settle


def test_record_that_cannot_be_stored_is_no_conflict(connection):
    with pytest.raises(sqlite3.IntegrityError):
        messages.accept(connection, [[record("m", digest=None)]])
