"""The real SQLite store, whose thread works, and whose answers come, when a test says so.

Between its calls, its commits and its answers a test can let anything happen, the same way each time.
"""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from twisted.internet.defer import Deferred

from reward_push.store.sqlite.store import SQLiteStore

PATIENCE_S = 30.0
FILE = "store.sqlite3"


class _Gate:
    """The store's way back to the reactor's thread: its own thread waits here until it may go on."""

    def __init__(self) -> None:
        self._arrived: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = SimpleQueue()
        self._go = threading.Semaphore(0)
        self._waiting = False
        self.open = False
        """Whether everybody may pass, and nothing is taken any more."""

    def __call__(self, call: Callable[..., object], *args: Any) -> None:
        """Called by the store's thread."""
        if not self.open:
            self._arrived.put((call, args))
            self._go.acquire()

    def next(self) -> Callable[[], object]:
        """Let the thread go on to its next arrival, and return what it brings."""
        self.let_go()
        call, args = self._arrived.get(timeout=PATIENCE_S)
        self._waiting = True
        return lambda: call(*args)

    def let_go(self) -> None:
        """Let the thread go on, if it waits."""
        if self._waiting:
            self._waiting = False
            self._go.release()


class SteppedStore:
    """Implements what the store does, by the store itself.

    ``watch`` maps names of methods to functions that are called with the arguments, and return a
    function for the result, or ``None``.
    """

    def __init__(
        self,
        folder: Path,
        now_ms: Callable[[], int],
        watch: dict[str, Callable[..., Callable[[Any], None] | None]],
    ) -> None:
        self.folder = folder
        self.is_away = False
        self._watch = watch
        self._gate = _Gate()
        self._store = SQLiteStore(
            str(folder / FILE), self._gate, now_ms, retention_s=None, prepare=_unsynced
        )
        self._asked = True
        self._pending: Callable[[], object] | None = None
        before = set(threading.enumerate())
        self._store.start()
        [self._thread] = set(threading.enumerate()) - before
        self.commit()
        self.answer()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)
        watch = self._watch.get(name)

        def call(*args: Any) -> Any:
            self._asked = True
            told = watch(*args) if watch else None
            result = method(*args)
            if told is not None:
                result.addCallback(_pass_on, told)
            return result

        return call

    def commit(self) -> bool:
        """Let the thread do all that waits for it, in one go; return whether there was anything."""
        if not self._asked or self._pending is not None:
            return False
        self._asked = False
        # Calls that are answered at once leave nothing to wait for; this one does.
        self._store.get_key("-").addErrback(lambda _: None)
        self._pending = self._gate.next()
        return True

    def answer(self) -> bool:
        """Bring the answers of the last commit; return whether there were any."""
        if self._pending is None:
            return False
        answers, self._pending = self._pending, None
        answers()
        return True

    def settle(self) -> None:
        """Work and answer until nothing is asked any more."""
        while self.answer() or self.commit():
            pass

    def go_away(self) -> None:
        """Everything fails from now on."""
        self.is_away = True
        (self.folder / FILE).rename(self.folder / "away")

    def come_back(self) -> None:
        """Everything works again."""
        self.is_away = False
        (self.folder / "away").rename(self.folder / FILE)

    def stop(self) -> None:
        """As at a node's end."""
        stopped: list[None] = []
        waiting: Deferred[None] = self._store.stop()
        waiting.addCallback(stopped.append)
        while not stopped:
            self.answer()
            self._pending = self._gate.next()
            self.answer()
        self._let_end()

    def crash(self, image: Path) -> None:
        """Copy what is on the disk now to ``image``; what was not committed is lost."""
        if self.is_away:
            self.come_back()
        image.mkdir()
        for name in (FILE, f"{FILE}-wal"):
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, image / name)
        self._pending = None
        self._store.stop()
        self._let_end()

    def _let_end(self) -> None:
        self._gate.open = True
        self._gate.let_go()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


def _unsynced(connection: sqlite3.Connection) -> None:
    """Nobody pulls the plug in these tests; the rest of the crashes is real enough."""
    connection.execute("PRAGMA synchronous = OFF")


def _pass_on(result: Any, told: Callable[[Any], None]) -> Any:
    told(result)
    return result
