"""New messages in SQLite, on a bare connection."""

import sqlite3

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_push.rewards.message import Audience, AudienceKind, State
from reward_push.store.sqlite.accept import accept, settle
from reward_push.store.sqlite.schema import migrate

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
        got = accept(connection, posted)
        for call, answers in zip(posted, got, strict=True):
            assert len(answers) == len(call)
            for given_record, answer in zip(call, [each.record for each in answers], strict=True):
                fresh = given_record.message.id not in model
                earlier = model.setdefault(given_record.message.id, given_record)
                assert answer == earlier
                assert (answer is given_record) is fresh
    assert sorted(ids(connection)) == sorted(model)
    connection.close()


def test_messages_are_numbered_in_the_order_of_their_acceptance(connection):
    """Also where a known id interrupts a statement."""
    accept(connection, [[record("m50")]])
    accept(connection, [[record(f"m{n}") for n in range(100)]])
    expected = ["m50", *(f"m{n}" for n in range(100) if n != 50)]
    assert ids(connection) == expected


def test_one_large_call_takes_few_statements(connection):
    statements = []
    connection.set_trace_callback(statements.append)
    accept(connection, [[record(f"m{n}") for n in range(1000)]])
    assert len(statements) <= 20


def test_many_calls_take_few_statements(connection):
    """Whatever they post: live ones that replace each other, to several, some known already."""
    accept(connection, [[record("m7")]])
    live = {"state": State.LIVE, "ended_at_ms": None}
    posted = [[record(f"m{n}", **live)] for n in range(1000)]
    for n, [each] in enumerate(posted):
        audience = Audience(AudienceKind.STREAMERS, (f"s-{n}", "s-0", "s-0"))
        message = attrs.evolve(
            each.message, to=audience, expires_at_ms=9_000, replace="code" if n % 2 else None
        )
        posted[n] = [attrs.evolve(each, message=message)]
    statements = []
    connection.set_trace_callback(statements.append)
    answers = accept(connection, posted)
    assert len(statements) <= 70
    assert sum(len(each.superseded) for [each] in answers) == 0
    again = [
        [attrs.evolve(one, message=attrs.evolve(one.message, id=f"x{n}"))]
        for n, [one] in enumerate(posted)
    ]
    statements.clear()
    answers = accept(connection, again)
    assert len(statements) <= 80
    assert sum(len(each.superseded) for [each] in answers) == 499  # all but m7, which was known


def test_columns_hold_what_queries_need(connection):
    one = record("m", state=State.LIVE, ended_at_ms=None)
    message = attrs.evolve(one.message, deliver_at_ms=2_000, expires_at_ms=3_000, once=True)
    accept(connection, [[attrs.evolve(one, message=message)]])
    settle(connection, [("m", 3)])
    row = connection.execute(
        "SELECT id, namespace, state, created_at_ms, deliver_at_ms, expires_at_ms, ended_at_ms,"
        " once, replace_slot, live_no, answered, sent, audience FROM messages"
    ).fetchone()
    audience = '{"streamer":"s-42"}'
    assert row == (
        *("m", "/dropcodes", "live", 1_000, 2_000, 3_000, None),
        *(1, None, 1, 3, 0, audience),
    )
    rooms = connection.execute("SELECT * FROM live_rooms").fetchall()
    assert rooms == [("/dropcodes", "streamer:s-42", 1, 1)]
    assert connection.execute("SELECT * FROM addressed").fetchall() == [("s-42", 1)]


def test_record_that_cannot_be_stored_is_no_conflict(connection):
    with pytest.raises(sqlite3.IntegrityError):
        accept(connection, [[record("m", digest=None)]])
