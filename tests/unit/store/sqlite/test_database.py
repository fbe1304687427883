"""Opening, locking and closing the file."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from reward_push.access.interfaces import StoreUnavailable
from reward_push.store.errors import StoreError
from reward_push.store.sqlite.database import MEMORY, Database
from reward_push.store.sqlite.schema import SCHEMA_VERSION

NOBODY = 65534

HOLDER = """
import sys
from reward_push.store.sqlite.store import open_store
with open_store(sys.argv[1]):
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "store.sqlite3")


@pytest.fixture
def unprivileged():
    """A directory of a user whom file modes bind, and this process acting as that user."""
    directory = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    if root:
        os.chown(directory, NOBODY, -1)
        os.seteuid(NOBODY)
    yield directory
    if root:
        os.seteuid(0)
    directory.chmod(0o700)
    shutil.rmtree(directory)


def opened_and_closed(path: str) -> None:
    database = Database(path)
    database.open()
    database.close()


def refusal(path: str) -> str:
    """The text with which ``path`` is refused: one line, and nothing stays locked."""
    with pytest.raises(StoreError) as caught:
        Database(path).open()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_new_file_is_for_our_eyes_only(path):
    umask = os.umask(0)
    try:
        database = Database(path)
        database.open().execute("INSERT INTO probe VALUES (1, x'00')")
        modes = {
            name: os.stat(path + name).st_mode & 0o777 for name in ("", "-wal", "-shm", "-lock")
        }
        database.close()
    finally:
        os.umask(umask)
    assert modes == {"": 0o600, "-wal": 0o600, "-shm": 0o600, "-lock": 0o600}


def test_commits_are_synced_to_a_write_ahead_log(path):
    database = Database(path)
    connection = database.open()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    database.close()


def test_what_was_written_is_there_when_opened_again(path):
    database = Database(path)
    database.open().execute("INSERT INTO probe VALUES (1, x'00')")
    database.close()
    assert database.open().execute("SELECT count(*) FROM probe").fetchone() == (1,)
    database.close()


def test_memory_makes_no_file_and_starts_empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    database = Database(MEMORY)
    database.open().execute("INSERT INTO probe VALUES (1, x'00')")
    database.check_file()
    other = Database(MEMORY)
    assert other.open().execute("SELECT count(*) FROM probe").fetchone() == (0,)
    database.close()
    other.close()
    assert list(tmp_path.iterdir()) == []


def test_later_change_of_directory_does_not_matter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    database = Database("store.sqlite3")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    database.open()
    database.close()
    assert (tmp_path / "store.sqlite3").exists()


def test_name_with_characters_special_to_uris_is_taken_as_it_is(tmp_path):
    name = "a?mode=ro#b%20 é.sqlite3"
    opened_and_closed(str(tmp_path / name))
    assert (tmp_path / name).exists()


def test_second_opening_in_one_process_is_refused_and_harmless(path):
    first = Database(path)
    connection = first.open()
    expected = f"{path} is in use by another node (process {os.getpid()}): each node needs a store of its own"
    assert refusal(path) == expected
    with pytest.raises(StoreError, match="is open already"):
        first.open()
    connection.execute("INSERT INTO probe VALUES (1, x'00')")
    assert refusal(path) == expected
    first.close()
    opened_and_closed(path)


def test_link_to_a_file_in_use_is_refused(tmp_path, path):
    first = Database(path)
    first.open()
    (tmp_path / "link").symlink_to(path)
    assert "is in use by another node" in refusal(str(tmp_path / "link"))
    first.close()


def test_file_in_use_by_another_process_is_refused_until_that_ends(path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "open\n"
    assert f"is in use by another node (process {holder.pid})" in refusal(path)
    holder.communicate()
    assert holder.returncode == 0
    opened_and_closed(path)


def test_file_in_use_here_is_refused_to_another_process(path):
    database = Database(path)
    database.open()
    other = subprocess.run(
        [sys.executable, "-c", HOLDER, path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    database.close()
    assert other.returncode == 1
    assert f"is in use by another node (process {os.getpid()})" in other.stderr


def test_killed_process_leaves_no_lock(path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "open\n"
    holder.kill()
    holder.communicate()
    opened_and_closed(path)


def test_file_held_by_another_program_is_refused(path):
    opened_and_closed(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert refusal(path) == f"{path} is in use by another program"
    other.close()
    opened_and_closed(path)


@pytest.mark.parametrize(
    "content", [b"no database at all\n" * 100, b"SQLite format 4\0" + bytes(100)]
)
def test_file_that_is_no_database_is_refused_and_untouched(path, content):
    Path(path).write_bytes(content)
    assert refusal(path) == f"{path} is no SQLite database"
    assert Path(path).read_bytes() == content


def test_database_of_another_program_is_refused_and_untouched(path):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE notes (text)")
    other.commit()
    other.close()
    content = Path(path).read_bytes()
    assert refusal(path) == f"{path} is a SQLite database of another program"
    assert Path(path).read_bytes() == content


def test_newer_file_is_refused_and_untouched(path):
    database = Database(path)
    database.open().execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    content = Path(path).read_bytes()
    assert "was written by a newer version of reward-push" in refusal(path)
    assert Path(path).read_bytes() == content


def test_directory_is_refused_and_gets_no_lock(tmp_path):
    (tmp_path / "dir").mkdir()
    assert refusal(str(tmp_path / "dir")) == f"{tmp_path / 'dir'} is a directory"
    assert [each.name for each in tmp_path.iterdir()] == ["dir"]


def test_device_is_refused():
    assert refusal("/dev/null") == "/dev/null is no regular file"


def test_missing_directory_is_refused(tmp_path):
    path = tmp_path / "missing" / "store.sqlite3"
    assert refusal(str(path)) == f"{path} cannot be opened: No such file or directory"


def test_text_that_is_no_path_is_refused():
    with pytest.raises(StoreError, match=r"is no path$"):
        Database("a\0b")


def test_directory_without_write_permission_is_refused(unprivileged):
    unprivileged.chmod(0o500)
    path = str(unprivileged / "store.sqlite3")
    assert refusal(path) == f"{path} cannot be opened: Permission denied"


def test_file_without_write_permission_is_refused(unprivileged):
    path = str(unprivileged / "store.sqlite3")
    opened_and_closed(path)
    os.chmod(path, 0o400)
    assert refusal(path) == f"{path} cannot be opened: Permission denied"
    os.chmod(path, 0o600)
    opened_and_closed(path)


def test_too_old_sqlite_is_refused(path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 32, 3))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.32.3")
    assert refusal(path) == "SQLite 3.33.0 or newer is needed, this Python has 3.32.3"


def test_file_that_is_moved_away_is_missed_until_it_is_back(path):
    database = Database(path)
    database.open()
    database.check_file()
    os.rename(path, path + ".away")
    with pytest.raises(StoreUnavailable, match="is gone: No such file"):
        database.check_file()
    Path(path).touch()
    with pytest.raises(StoreUnavailable, match="was replaced by another file: restart the node"):
        database.check_file()
    os.replace(path + ".away", path)
    database.check_file()
    database.close()


def test_closing_twice_is_harmless(path):
    database = Database(path)
    database.close()
    database.open()
    database.close()
    database.close()


def test_failure_of_the_preparation_closes_and_unlocks(path):
    def prepare(connection):
        connection.execute("no statement")

    with pytest.raises(StoreError, match="syntax error"):
        Database(path, prepare).open()
    opened_and_closed(path)
