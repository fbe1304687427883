"""What these tests share: a Redis, a link to it that may fail, and what is told in the log."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from reward_push.cluster.address import RedisAddress
from reward_push.cluster.connection import calls
from reward_push.cluster.link import RedisLink
from reward_push.cluster.subscriber import Subscriber

from ..faulty_link import FaultyLink
from ..parts import missing
from ..running_redis import RunningRedis
from ..until import PATIENCE_S

USUAL_S = calls.ANSWER_S
"""How long links of nodes wait for an answer."""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    """A Redis for tests that leave it running."""
    with RunningRedis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def redis(shared: RunningRedis) -> RunningRedis:
    """The same, emptied."""
    shared.call("FLUSHALL")
    shared.call("SCRIPT", "FLUSH")
    return shared


@pytest.fixture
def own_redis(tmp_path) -> Iterator[RunningRedis]:
    """A Redis that a test may do anything to."""
    with RunningRedis(tmp_path) as running:
        yield running


@pytest.fixture
def faulty(redis: RunningRedis) -> Iterator[FaultyLink]:
    """A way to the shared Redis that can be cut, stalled and slowed."""
    with FaultyLink(redis.port) as link:
        yield link


@pytest_twisted.async_yield_fixture
async def links():
    """Makes links, ``links(url, **more)``, and stops them."""
    from twisted.internet import reactor

    made = []

    def make(url: str, **more: Any) -> RedisLink:
        link = RedisLink(RedisAddress.parse(url), reactor, **more)
        made.append(link)
        link.start()
        return link

    yield make
    for link in made:
        await link.stop()


@pytest_twisted.async_yield_fixture
async def subscribers():
    """Makes subscribers, ``subscribers(url, received, ready, lost, **more)``, and stops them."""
    from twisted.internet import reactor

    made = []

    def make(url: str, *told: Callable[..., object], **more: Any) -> Subscriber:
        subscriber = Subscriber(RedisAddress.parse(url), reactor, **more)
        made.append(subscriber)
        subscriber.start(*(told or (lambda _channel, _text: None,)))
        return subscriber

    yield make
    for subscriber in made:
        await subscriber.stop()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let answers take as long as a busy machine needs. Tests of what is too long ask for ``usual_patience``."""
    monkeypatch.setattr(calls, "ANSWER_S", PATIENCE_S)


@pytest.fixture
def usual_patience(_patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give links up as nodes do."""
    monkeypatch.setattr(calls, "ANSWER_S", USUAL_S)


@pytest.fixture(params=["hiredis", "without hiredis"])
def each_reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test with hiredis, an extra, and as if it were not installed."""
    from reward_push.cluster.connection import wire

    if not wire.HIREDIS and request.param == "hiredis":
        missing("hiredis is not installed (the extra fast)")
    monkeypatch.setattr(wire, "HIREDIS", request.param == "hiredis")


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What the link and the subscriber write to the log."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if str(event.get("log_namespace", "")).startswith("reward_push.cluster"):
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)
