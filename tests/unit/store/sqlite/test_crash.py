"""What the file holds after its process was killed, and a disk that really is full."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from reward_push.store.sqlite.store import open_store

from .invariants import check

ROOT = Path(__file__).parents[4]

FILE_SIZE_LIMIT = """
import json, resource, signal, sys
from reward_push.access.interfaces import StoreUnavailable
from reward_push.store.sqlite.store import SQLiteStore
from tests.unit.store.sqlite.samples import Inbox, record

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
inbox = Inbox()
store = SQLiteStore(sys.argv[1], inbox.call_from_thread, lambda: 1_000)
store.start()
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

def accept(*names):
    [result] = inbox.settle(store.accept([record(name, size=4_000) for name in names]))
    return not isinstance(result, Exception) or str(result)

accept("before")
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
told, refused = [], None
for number in range(1_000):
    names = [f"m{number}-{n}" for n in range(5)]
    answer = accept(*names)
    if answer is not True:
        refused = names
        break
    told += names
report = {"told": told, "refused": refused, "why": answer, "healthy": store.healthy()}
[known] = inbox.settle(store.accept([record("before", b"other")]))
report["reads"] = not isinstance(known, Exception) and known[0].record.message.id == "before"
inbox.get(store.maintain())
report["degraded"] = store.healthy()
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
inbox.get(store.maintain())
report["recovered"] = store.healthy()
report["after"] = accept("after")
inbox.get(store.stop())
print(json.dumps(report))
"""


def contents(path: Path) -> tuple[set[str], set[str]]:
    """The ids of all messages and keys, after the file was opened as a node opens it."""
    with open_store(str(path)):
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        messages = {one for (one,) in connection.execute("SELECT id FROM messages")}
        keys = {one for (one,) in connection.execute("SELECT key_id FROM keys")}
        connection.close()
    return messages, keys


@pytest.mark.parametrize("lines", [1, 150, 1_000])
def test_all_that_was_confirmed_is_there_after_a_kill(tmp_path, lines):
    """And what was posted together is there as a whole or not at all."""
    path = tmp_path / "store.sqlite3"
    crasher = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.store.sqlite.crasher", str(path)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    confirmed = [crasher.stdout.readline() for _ in range(lines)]
    crasher.kill()
    confirmed += crasher.stdout.read().splitlines(keepends=True)
    crasher.wait()
    crasher.stdout.close()
    names = {line.decode().strip() for line in confirmed if line.endswith(b"\n")}
    assert len(names) >= lines
    messages, keys = contents(path)
    batches: dict[int, int] = {}
    for each in messages:
        if each.startswith("b"):
            number = int(each[1:].split("-")[0])
            batches[number] = batches.get(number, 0) + 1
    assert all(size == number % 20 for number, size in batches.items())
    for name in names:
        number = int(name[1:])
        if name.startswith("m"):
            assert name in messages
        elif name.startswith("k"):
            assert name in keys
        else:
            assert batches.get(number, 0) == number % 20


ENDS = {"ended", "cancelled"}


def test_messages_receipts_and_devices_agree_after_each_of_several_kills(tmp_path):
    """Killed anywhere between accepting, claiming, noting, ending: no transaction is there by half."""
    path = tmp_path / "store.sqlite3"
    for start, lines in enumerate((1, 10, 37, 100, 250, 500, 1_000)):
        churner = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.store.sqlite.churner", str(path), str(start)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        confirmed = [churner.stdout.readline() for _ in range(lines)]
        churner.kill()
        confirmed += churner.stdout.read().splitlines(keepends=True)
        churner.wait()
        churner.stdout.close()
        with open_store(str(path)):
            connection = sqlite3.connect(path)
            check(connection)
            messages = {
                name: (state, *counts)
                for name, state, *counts in connection.execute(
                    "SELECT id, state, sent, delivered, acked FROM messages"
                )
            }
            connection.close()
        for line in confirmed:
            if not line.endswith(b"\n"):
                continue
            kind, name, *values = line.decode().split()
            state, *counts = messages[name]
            if kind in ENDS:
                assert state in {"expired", "cancelled", "done"}
            elif kind == "claimed":
                assert state != "scheduled"
            elif kind == "noted":
                level, devices = map(int, values)
                assert counts[level - 1] >= devices
        assert len(confirmed) >= lines


def test_file_that_may_not_grow_is_survived(tmp_path):
    """The kernel refuses the write, as on a full disk."""
    path = tmp_path / "store.sqlite3"
    done = subprocess.run(
        [sys.executable, "-c", FILE_SIZE_LIMIT, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["told"]
    assert report["why"] in {"database or disk is full", "disk I/O error"}
    assert report["healthy"] == report["why"]
    assert report["reads"] is True
    assert report["degraded"] in {"database or disk is full", "disk I/O error"}
    assert report["recovered"] is None
    assert report["after"] is True
    messages, _ = contents(path)
    assert messages == {"before", "after", *report["told"]}
