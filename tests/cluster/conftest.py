"""What these tests share: one Redis, and two small nodes on it."""

from collections.abc import Iterator

import pytest

from ..protocol import wire
from ..running_redis import RunningRedis
from .running_small_node import RunningSmallNode


@pytest.fixture(autouse=True)
def _hung_up() -> Iterator[None]:
    """Close the connections that a test has opened and left open."""
    before = wire.OPEN.copy()
    yield
    for connection in wire.OPEN - before:
        connection.close()


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    """A Redis for the whole run."""
    with RunningRedis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="session")
def owner(redis: RunningRedis) -> Iterator[RunningSmallNode]:
    """The node that has the sessions."""
    with RunningSmallNode("owner", redis.port) as node:
        yield node


@pytest.fixture(scope="session")
def other(redis: RunningRedis, owner: RunningSmallNode) -> Iterator[RunningSmallNode]:
    """The node that clients talk to."""
    with RunningSmallNode("other", redis.port) as node:
        yield node
