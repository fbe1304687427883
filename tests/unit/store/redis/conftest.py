"""A real Redis for all of these tests, emptied before each, and stores on it."""

from collections.abc import Iterator

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from reward_push.cluster.connection import calls
from tests.open_link import open_link
from tests.redis_client import RedisClient
from tests.running_redis import RunningRedis
from tests.until import PATIENCE_S

from .listener import Listener
from .opened import Opened


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    with RunningRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(running: RunningRedis) -> Iterator[RedisClient]:
    """A look behind the stores' back."""
    with running.client() as client:
        client.call("FLUSHALL")
        client.call("SCRIPT", "FLUSH")
        yield client


@pytest.fixture
def two(
    running: RunningRedis, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Opened, Opened]]:
    """Two nodes' stores on one Redis. Their links wait for as long as a busy machine takes."""
    from twisted.internet import reactor

    monkeypatch.setattr(calls, "ANSWER_S", PATIENCE_S)

    def connect() -> Opened:
        return Opened(blockon(Deferred.fromCoroutine(open_link(reactor, running.url))))

    both = connect(), connect()
    yield both
    for each in both:
        each.close()


@pytest.fixture
def opened(two: tuple[Opened, Opened]) -> Opened:
    """One node's store."""
    return two[0]


@pytest.fixture
def listener(running: RunningRedis, redis: RedisClient) -> Iterator[Listener]:
    """Hears what is published from now on."""
    listening = Listener(running)
    yield listening
    listening.close()
