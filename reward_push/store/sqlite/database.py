"""One SQLite file: opened for one process at a time, checked, migrated, and closed."""

import contextlib
import fcntl
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator

from ...access.interfaces import StoreUnavailable
from ..errors import StoreError, primary_code
from .schema import check, migrate

MEMORY = ":memory:"
"""The path of a store that keeps nothing after its end."""

OLDEST_SQLITE = (3, 33, 0)
"""The first with ``UPDATE … FROM``."""

_BUSY_TIMEOUT_S = 1.0
"""How long to wait for another program that holds the file, such as an operator's ``sqlite3`` shell."""

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # In WAL mode only FULL makes a commit last through a power failure.
    "PRAGMA synchronous = FULL",
    "PRAGMA journal_size_limit = 67108864",
    # No temporary files: a full /tmp is no trouble of ours.
    "PRAGMA temp_store = MEMORY",
)


class Database:
    """A file with our tables, held under an exclusive lock from :meth:`open` to :meth:`close`.

    The lock is an ``flock`` on ``<path>-lock``: SQLite's own locks come and go with each transaction.
    Not to be kept open over a fork. Can be opened again after it was closed.
    """

    def __init__(
        self, path: str, prepare: Callable[[sqlite3.Connection], object] | None = None
    ) -> None:
        """``path`` is made absolute now, so that a later change of directory does not matter.

        ``prepare`` is called with each new connection, for settings beyond ours. Raises
        :class:`StoreError` for what can be no path.
        """
        if "\0" in path:
            msg = f"{path!r} is no path"
            raise StoreError(msg)
        self.path = path if path == MEMORY else os.path.realpath(path)
        self._prepare = prepare
        self._lock: int | None = None
        self._file: tuple[int, int] | None = None
        self._connection: sqlite3.Connection | None = None

    def open(self) -> sqlite3.Connection:
        """Create the file if there is none, and bring it up to date.

        Raises :class:`StoreError`; nothing stays open or locked then. The connection may be used by any
        one thread at a time.
        """
        if self._connection is not None:
            msg = f"{self.path} is open already"
            raise StoreError(msg)
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            wanted = ".".join(map(str, OLDEST_SQLITE))
            msg = f"SQLite {wanted} or newer is needed, this Python has {sqlite3.sqlite_version}"
            raise StoreError(msg)
        try:
            with self.explained():
                if self.path != MEMORY:
                    _refuse_odd(self.path)
                    self._take_lock()
                    self._file = _create(self.path)
                return self._connect()
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what goes wrong with the file into :class:`StoreError`."""
        try:
            yield
        except OSError as error:
            msg = f"{self.path} cannot be opened: {error.strerror}"
            raise StoreError(msg) from error
        except sqlite3.Error as error:
            raise StoreError(_explain(self.path, error)) from error

    def check_file(self) -> None:
        """Raise :class:`StoreUnavailable` when the path no longer leads to the file that is open.

        SQLite would go on writing to a file that nobody can find any more.
        """
        if self._file is None:
            return
        try:
            found = os.stat(self.path)
        except OSError as error:
            msg = f"{self.path} is gone: {error.strerror}"
            raise StoreUnavailable(msg) from None
        if (found.st_dev, found.st_ino) != self._file:
            msg = f"{self.path} was replaced by another file: restart the node"
            raise StoreUnavailable(msg)

    def close(self) -> None:
        """Close the file and give the lock back. Idempotent."""
        connection, self._connection = self._connection, None
        lock, self._lock = self._lock, None
        self._file = None
        if connection is not None:
            # What is committed is safe; a last checkpoint that fails is made up for at the next opening.
            with contextlib.suppress(sqlite3.Error):
                connection.close()
        if lock is not None:
            os.close(lock)

    def _take_lock(self) -> None:
        # The lock file stays behind: to remove it would let two processes lock two files of one name.
        lock = self._lock = os.open(f"{self.path}-lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 20).decode("ascii", "replace").strip()
            by = f"another node (process {holder})" if holder else "another node"
            msg = f"{self.path} is in use by {by}: each node needs a store of its own"
            raise StoreError(msg) from None
        # The process number is a courtesy; the disk may be full.
        with contextlib.suppress(OSError):
            os.ftruncate(lock, 0)
            os.write(lock, b"%d\n" % os.getpid())

    def _connect(self) -> sqlite3.Connection:
        connection = self._connection = sqlite3.connect(
            self.path,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        check(connection, self.path)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        migrate(connection)
        if self._prepare is not None:
            self._prepare(connection)
        return connection


def _refuse_odd(path: str) -> None:
    """Raise :class:`StoreError` for a directory, a device and the like, before a lock is put beside it."""
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            what = "a directory" if stat.S_ISDIR(mode) else "no regular file"
            msg = f"{path} is {what}"
            raise StoreError(msg)


def _create(path: str) -> tuple[int, int]:
    """Make sure of a file that we may write; one that is made is for our eyes only.

    Returns its device and inode. Must only be called under the lock: to close a file that SQLite has
    open elsewhere in the process drops SQLite's locks on it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        found = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return found.st_dev, found.st_ino


def _explain(path: str, error: sqlite3.Error) -> str:
    code = primary_code(error)
    if code == sqlite3.SQLITE_NOTADB:
        return f"{path} is no SQLite database"
    if code == sqlite3.SQLITE_BUSY:
        return f"{path} is in use by another program"
    return f"{path} cannot be used: {error}"
