"""When keys were used: what is noted, and how it comes into the store."""

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from reward_push.access.interfaces import StoreUnavailable
from reward_push.access.usage import BATCH, KeyUsage


class Noted:
    """The part of a key store that notes use; it can be away, break, or take its time."""

    def __init__(self) -> None:
        self.calls: list[dict[str, int]] = []
        self.fails: Exception | None = None
        self.waiting: Deferred[None] | None = None

    def note_used(self, used: Mapping[str, int]) -> Deferred[None]:
        if self.fails is not None:
            return fail(self.fails)
        self.calls.append(dict(used))
        return succeed(None) if self.waiting is None else self.waiting


class UsageTests(SynchronousTestCase):
    """:class:`KeyUsage` on a store and a clock of its own."""

    def setUp(self) -> None:
        self.now_ms = 1_000
        self.store: Any = Noted()
        self.usage = KeyUsage(self.store, lambda: self.now_ms, max_waiting=3)

    def flush(self, *in_use: str) -> None:
        self.successResultOf(self.usage.flush(in_use))

    def test_last_use_of_each_key_is_written_once(self) -> None:
        self.usage.used("a")
        self.now_ms = 2_000
        self.usage.used("b")
        self.usage.used("a")
        assert self.store.calls == []
        self.flush()
        assert self.store.calls == [{"a": 2_000, "b": 2_000}]
        self.flush()
        assert len(self.store.calls) == 1

    def test_clock_that_is_put_back_takes_nothing_back(self) -> None:
        self.usage.used("a")
        self.now_ms = 500
        self.usage.used("a")
        self.flush()
        assert self.store.calls == [{"a": 1_000}]

    def test_connected_keys_are_in_use_now(self) -> None:
        self.usage.used("a")
        self.now_ms = 9_000
        self.flush("b", "a")
        assert self.store.calls == [{"a": 1_000}, {"b": 9_000, "a": 9_000}]

    def test_what_waits_is_bounded(self) -> None:
        """Who is known already is noted all the same."""
        for name in ("a", "b", "c", "d"):
            self.usage.used(name)
        self.now_ms = 2_000
        self.usage.used("b")
        self.flush()
        assert self.store.calls == [{"a": 1_000, "b": 2_000, "c": 1_000}]
        self.usage.used("d")
        self.flush()
        assert self.store.calls[1:] == [{"d": 2_000}]

    def test_many_keys_go_in_batches(self) -> None:
        usage = KeyUsage(self.store, lambda: self.now_ms)
        for number in range(BATCH + 1):
            usage.used(f"k{number}")
        self.successResultOf(usage.flush(f"c{number}" for number in range(2 * BATCH)))
        assert [len(call) for call in self.store.calls] == [BATCH, 1, BATCH, BATCH]

    def test_while_the_store_is_away_it_waits(self) -> None:
        self.usage.used("a")
        self.store.fails = StoreUnavailable("away")
        self.flush("z")
        self.now_ms = 2_000
        self.usage.used("b")
        self.flush()
        self.store.fails = None
        self.flush()
        assert self.store.calls == [{"a": 1_000, "b": 2_000}]

    def test_what_is_noted_while_the_store_writes_is_kept_apart(self) -> None:
        self.usage.used("a")
        self.store.waiting = Deferred()
        first = self.usage.flush()
        self.now_ms = 2_000
        self.usage.used("a")
        self.assertNoResult(first)
        self.store.waiting.callback(None)
        self.successResultOf(first)
        self.store.waiting = None
        self.flush()
        assert self.store.calls == [{"a": 1_000}, {"a": 2_000}]

    def test_failure_of_ours_is_logged_and_goes_no_further(self) -> None:
        self.usage.used("a")
        self.store.fails = RuntimeError("broken")
        self.flush()
        assert len(self.flushLoggedErrors(RuntimeError)) == 1
