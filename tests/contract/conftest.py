"""The stores under contract, each opened empty on the real reactor."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from reward_push.store.redis.store import RedisStore
from reward_push.store.sqlite.store import SQLiteStore

from ..running_redis import RunningRedis
from ..until import PATIENCE_S


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    """A Redis for all of them."""
    with RunningRedis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest_twisted.async_yield_fixture(params=["file", "memory", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A running store with nothing in it. It is an ``IMessageStore`` and an ``IKeyStore``."""
    from twisted.internet import reactor

    if request.param == "redis":
        server = request.getfixturevalue("redis")
        # Imported here: the Redis library takes the reactor that there is when it is imported.
        from reward_push.cluster.connection import calls

        from ..open_link import open_link

        # What the store does is looked at, and not how long a busy machine takes for it.
        monkeypatch.setattr(calls, "ANSWER_S", PATIENCE_S)
        link = await open_link(reactor, server.url)
        await link.command("FLUSHALL")
        opened: Any = RedisStore(link, "rp:", lambda: 1_000, deadline_ms=in_a_minute_ms)
        opened.start()
        yield opened
        await opened.stop()
        await link.stop()
    else:
        path = ":memory:" if request.param == "memory" else str(tmp_path / "store.sqlite3")
        opened = SQLiteStore(path, reactor.callFromThread, lambda: 1_000)
        opened.start()
        yield opened
        await opened.stop()


def in_a_minute_ms() -> int:
    """Until when Redis may do what it is asked now."""
    return time.time_ns() // 1_000_000 + 60_000
