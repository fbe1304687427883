"""The stores under contract, each opened empty on the real reactor."""

from pathlib import Path

import pytest
import pytest_twisted

from reward_push.store.sqlite.store import SQLiteStore


@pytest_twisted.async_yield_fixture(params=["file", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path):
    """A running store with nothing in it. It is an ``IMessageStore`` and an ``IKeyStore``."""
    from twisted.internet import reactor

    path = ":memory:" if request.param == "memory" else str(tmp_path / "store.sqlite3")
    opened = SQLiteStore(path, reactor.callFromThread, lambda: 1_000)
    opened.start()
    yield opened
    await opened.stop()
