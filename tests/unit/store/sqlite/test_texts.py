"""What is asked of SQLite differs in its parameters, not in its text: each text is compiled, and 256 of them are kept."""

from collections.abc import Iterator
from typing import Any

import pytest

from reward_push.store.sqlite import lifecycle, replay
from reward_push.store.sqlite.database import MEMORY, Database


class Texts:
    """A connection that notes the texts of what is executed."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.seen: list[str] = []

    def execute(self, text: str, *parameters: Any) -> Any:
        """See ``sqlite3.Connection.execute``."""
        self.seen.append(text)
        return self._connection.execute(text, *parameters)

    def take(self) -> list[str]:
        """Return the texts since the last call."""
        seen, self.seen = self.seen, []
        return seen


@pytest.fixture
def texts() -> Iterator[Texts]:
    database = Database(MEMORY)
    yield Texts(database.open())
    database.close()


def test_whoever_asks_for_what_it_has_missed_and_whenever(texts: Texts) -> None:
    """Many connect and drop: else this would fill the memory with compiled statements."""
    first = replay.Asking(1, "/a", ("all", "streamer:s"), 1_000, None, 100)
    others = [
        first._replace(device=2, now_ms=1_001),
        first._replace(namespace="/b", rooms=("all", "group:g"), now_ms=9_999_999),
        first._replace(cursor=7, since_ms=5, now_ms=3),
    ]
    replay.missed(texts, [first])
    once = texts.take()
    assert once
    for other in others:
        replay.missed(texts, [other])
        assert texts.take() == once


def test_those_who_ask_at_different_moments_are_answered_together(texts: Texts) -> None:
    asking = replay.Asking(1, "/a", ("all",), 1_000, None, 100)
    replay.missed(texts, [asking, asking._replace(now_ms=1_001)])
    together = texts.take()
    replay.missed(texts, [asking, asking])
    assert texts.take() == together


def test_the_schedule_asks_the_same_at_each_moment(texts: Texts) -> None:
    for work in (
        lambda now: lifecycle.claim(texts, [lifecycle.Claim(now, now + 30, 0, 10)]),
        lambda now: lifecycle.expire(texts, [(now, 10)]),
    ):
        work(1_000)
        once = texts.take()
        work(2_000)
        assert texts.take() == once
