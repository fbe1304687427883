"""Operations committed together."""

import sqlite3

import pytest

from reward_push.access.interfaces import StoreUnavailable
from reward_push.store.lanes import Lane
from reward_push.store.sqlite.batch import Operation, run


@pytest.fixture
def connection():
    opened = sqlite3.connect(":memory:", isolation_level=None)
    opened.execute("CREATE TABLE t (n INTEGER UNIQUE, filler BLOB)")
    yield opened
    opened.close()


@pytest.fixture
def statements(connection):
    seen = []
    connection.set_trace_callback(seen.append)
    return seen


def insert(connection, numbers):
    for number in numbers:
        connection.execute("INSERT INTO t VALUES (?, zeroblob(5000))", (number,))
    return [number * 10 for number in numbers]


def count(connection, arguments):
    [total] = connection.execute("SELECT count(*) FROM t").fetchone()
    return [total] * len(arguments)


def broken(connection, arguments):
    connection.execute("INSERT INTO t VALUES (999, NULL)")
    raise LookupError(arguments[0])


def writing(work, argument):
    return Operation(work, argument, writes=True, weight=1, lane=Lane.POSTS)


def reading(work, argument=None):
    return Operation(work, argument, writes=False, weight=1, lane=Lane.POSTS)


def numbers(connection):
    return sorted(n for (n,) in connection.execute("SELECT n FROM t"))


def results(outcomes):
    return [each.result if each.error is None else type(each.error) for each in outcomes]


def test_all_are_committed_together(connection, statements):
    outcomes = run(connection, [writing(insert, n) for n in range(50)])
    assert results(outcomes) == [n * 10 for n in range(50)]
    assert statements.count("COMMIT") == 1
    assert not connection.in_transaction


def test_each_sees_what_was_done_before_it(connection):
    outcomes = run(
        connection,
        [reading(count), writing(insert, 1), reading(count), writing(insert, 2), reading(count)],
    )
    assert results(outcomes) == [0, 10, 1, 20, 2]


def test_neighbours_with_the_same_work_are_done_in_one_go(connection):
    goes = []

    def note(_connection, arguments):
        goes.append(list(arguments))
        return arguments

    run(connection, [writing(note, 1), writing(note, 2), reading(count), writing(note, 3)])
    assert goes == [[1, 2], [3]]


@pytest.mark.parametrize("place", [0, 2, 4])
def test_one_that_raises_fails_alone_and_leaves_nothing(connection, place):
    operations = [writing(insert, n) for n in range(4)]
    operations.insert(place, writing(broken, "why"))
    outcomes = run(connection, operations)
    assert results(outcomes[:place] + outcomes[place + 1 :]) == [0, 10, 20, 30]
    assert isinstance(outcomes[place].error, LookupError)
    assert numbers(connection) == [0, 1, 2, 3]
    assert not connection.in_transaction


def test_two_that_clash_fail_the_second(connection):
    outcomes = run(connection, [writing(insert, 1), writing(insert, 1), writing(insert, 2)])
    assert results(outcomes) == [10, sqlite3.IntegrityError, 20]
    assert numbers(connection) == [1, 2]


def test_single_operation_that_fails_leaves_nothing(connection):
    [outcome] = run(connection, [writing(broken, "why")])
    assert isinstance(outcome.error, LookupError)
    assert numbers(connection) == []


def test_full_disk_fails_what_does_not_fit_and_nothing_else(connection):
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 5}")
    operations = [reading(count), *(writing(insert, n) for n in range(5)), reading(count)]
    outcomes = run(connection, operations)
    fitted = [n for n in range(5) if outcomes[n + 1].error is None]
    assert 0 < len(fitted) < 5
    assert numbers(connection) == fitted
    assert results(outcomes)[0] == 0
    assert results(outcomes)[-1] == len(fitted)
    refused = [each.error for each in outcomes if each.error is not None]
    assert {type(each) for each in refused} == {StoreUnavailable}
    assert str(refused[0]) == "database or disk is full"
    connection.execute("PRAGMA max_page_count = 1000")
    assert results(run(connection, [writing(insert, n) for n in range(5, 9)])) == [50, 60, 70, 80]


def test_read_only_file_fails_every_write_at_once_and_no_read(connection, statements):
    connection.execute("PRAGMA query_only = ON")
    operations = [writing(insert, n) for n in range(20)] + [reading(count)]
    outcomes = run(connection, operations)
    assert results(outcomes) == [StoreUnavailable] * 20 + [0]
    assert statements.count("BEGIN IMMEDIATE") == 1
    connection.execute("PRAGMA query_only = OFF")
    assert results(run(connection, operations)) == [n * 10 for n in range(20)] + [20]


def test_file_that_another_program_holds_is_waited_for_once(tmp_path):
    path = str(tmp_path / "db")
    ours = sqlite3.connect(path, isolation_level=None, timeout=0)
    theirs = sqlite3.connect(path, isolation_level=None)
    ours.execute("PRAGMA journal_mode = WAL")
    ours.execute("CREATE TABLE t (n INTEGER UNIQUE, filler BLOB)")
    seen = []
    ours.set_trace_callback(seen.append)
    theirs.execute("BEGIN IMMEDIATE")
    operations = [*(writing(insert, n) for n in range(20)), reading(count)]
    assert results(run(ours, operations)) == [StoreUnavailable] * 20 + [0]
    assert seen.count("BEGIN IMMEDIATE") == 1
    theirs.execute("ROLLBACK")
    assert results(run(ours, operations[:2])) == [0, 10]
    theirs.execute("BEGIN IMMEDIATE")
    seen.clear()
    outcomes = run(ours, [reading(insert, n) for n in (30, 31, 32)] + [reading(count)])
    assert results(outcomes) == [StoreUnavailable] * 3 + [2]
    assert seen.count("ROLLBACK") == 2  # of all, and of the first alone
    theirs.execute("ROLLBACK")
    ours.close()
    theirs.close()
