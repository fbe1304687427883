"""The script of the directory, in a real Redis."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from reward_push.cluster.beat import BEAT

from ...running_redis import RunningRedis


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    with RunningRedis(tmp_path_factory.mktemp("redis")) as redis:
        yield redis


@pytest.fixture
def redis(running: RunningRedis) -> RunningRedis:
    running.call("FLUSHALL")
    return running


def beat(
    redis: RunningRedis,
    node: str,
    record: str,
    expiry_ms: int = 6000,
    most: int = 10,
    secret: str = "",
) -> Any:
    return redis.call("EVAL", BEAT.source, 0, "p:", node, record, expiry_ms, most, secret)


def test_it_writes_and_reads(redis: RunningRedis) -> None:
    """What the record was before, and all records, the latest first."""
    assert beat(redis, "a", "A1") == ["", "", ["A1"]]
    before, _, records = beat(redis, "b", "B1")
    assert (before, sorted(records)) == ("", ["A1", "B1"])
    before, _, records = beat(redis, "a", "A2")
    assert (before, sorted(records)) == ("A1", ["A2", "B1"])
    assert 5000 < redis.call("PTTL", "p:node:a") <= 6000
    assert sorted(redis.call("KEYS", "*")) == ["p:node:a", "p:node:b", "p:nodes"]


def test_what_is_over_leaves_nothing(redis: RunningRedis) -> None:
    beat(redis, "a", "A1", 1)
    deadline = time.monotonic() + 10
    while beat(redis, "b", "B1")[2] != ["B1"]:
        assert time.monotonic() < deadline
    assert redis.call("ZRANGE", "p:nodes", 0, -1) == ["b"]
    while redis.call("EXISTS", "p:node:a"):
        assert time.monotonic() < deadline


def test_it_reads_so_many_at_most(redis: RunningRedis) -> None:
    for number in range(5):
        beat(redis, f"n{number}", f"N{number}")
    records = beat(redis, "a", "A", 60_000, 3)[2]
    assert len(records) == 3
    assert records[0] == "A"


def test_the_secret_of_the_first_is_kept(redis: RunningRedis) -> None:
    assert beat(redis, "a", "A", secret="1")[1] == "1"
    assert beat(redis, "b", "B", secret="2")[1] == "1"
    assert beat(redis, "c", "C")[1] == ""
    assert redis.call("TTL", "p:secret") == -1
