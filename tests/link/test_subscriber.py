"""The subscriber: what is confirmed, in which order it is heard, and what a new connection restores."""

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import gatherResults
from zope.interface.verify import verifyObject

from reward_push.access.interfaces import StoreUnavailable
from reward_push.cluster.interfaces import ISubscriber

from ..stopwatch import Stopwatch
from .until import until


class Heard:
    """What a subscriber tells."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str | bytes]] = []
        self.states: list[str] = []

    def received(self, channel: str, text: str | bytes) -> None:
        self.texts.append((channel, text))

    def ready(self) -> None:
        self.states.append("ready")

    def lost(self) -> None:
        self.states.append("lost")

    @property
    def told(self):
        return self.received, self.ready, self.lost


@pytest.fixture
def heard() -> Heard:
    return Heard()


def url(link) -> str:
    return f"redis://127.0.0.1:{link.port}"


def listeners(redis, *channels: str) -> list[int]:
    """How many listen to each."""
    return redis.call("PUBSUB", "NUMSUB", *channels)[1::2]


@ensureDeferred
async def test_it_is_the_seam(redis, subscribers, heard):
    subscriber = subscribers(redis.url, *heard.told)
    assert verifyObject(ISubscriber, subscriber)
    await until(lambda: heard.states == ["ready"])
    assert subscriber.trouble() is None


@ensureDeferred
async def test_what_is_published_after_the_confirmation_is_heard(redis, subscribers, heard):
    subscriber = subscribers(redis.url, *heard.told)
    for number in range(100):
        channel = f"c{number}"
        await subscriber.subscribe([channel])
        assert redis.call("PUBLISH", channel, number) == 1
    await until(lambda: len(heard.texts) == 100)
    assert heard.texts == [(f"c{number}", str(number)) for number in range(100)]


@ensureDeferred
async def test_texts_survive(each_reader, redis, subscribers, heard):
    subscriber = subscribers(redis.url, *heard.told)
    await subscriber.subscribe(["ns:/™ x"])
    texts = ["00123", "1e5", "", "subscribe", "™ \U0001f381", "a\r\nb\0", "x" * 300_000]
    for text in texts:
        redis.call("PUBLISH", "ns:/™ x", text)
    redis.call("PUBLISH", "ns:/™ x", b"\x93\xff\x00")
    await until(lambda: len(heard.texts) == len(texts) + 1)
    assert [text for _, text in heard.texts] == [*texts, b"\x93\xff\x00"]
    assert {channel for channel, _ in heard.texts} == {"ns:/™ x"}


@ensureDeferred
async def test_the_order_is_that_of_publishing_over_all_channels(
    each_reader, redis, subscribers, heard
):
    subscriber = subscribers(redis.url, *heard.told)
    await subscriber.subscribe([f"c{number}" for number in range(7)])
    with redis.client() as client:
        for number in range(20_000):
            client.send("PUBLISH", f"c{number % 7}", number)
            if number % 1_000 == 999:
                for _ in range(1_000):
                    client.reply()
    await until(lambda: len(heard.texts) == 20_000)
    assert [text for _, text in heard.texts] == [str(number) for number in range(20_000)]


@ensureDeferred
async def test_what_is_confirmed_already_is_so_at_once(redis, subscribers, heard):
    subscriber = subscribers(redis.url, *heard.told)
    await subscriber.subscribe(["a", "b"])
    assert subscriber.subscribe(["b", "a", "b"]).called
    assert subscriber.subscribe([]).called
    assert not subscriber.subscribe(["a", "c"]).called
    assert len(subscriber) == 3


@ensureDeferred
async def test_subscribing_before_the_connection_waits_for_it(redis, subscribers, heard):
    subscriber = subscribers(redis.url, *heard.told)
    waiting = subscriber.subscribe(["a"])
    assert not waiting.called
    await waiting
    assert listeners(redis, "a") == [1]
    assert heard.states == ["ready"]


@ensureDeferred
async def test_what_is_not_wanted_any_more_is_not_heard(redis, subscribers, heard):
    subscriber = subscribers(redis.url, *heard.told)
    await subscriber.subscribe(["a", "b"])
    subscriber.unsubscribe(["a", "never"])
    await until(lambda: listeners(redis, "a", "b") == [0, 1])
    assert len(subscriber) == 1
    await subscriber.subscribe(["a"])
    assert listeners(redis, "a", "b") == [1, 1]


@ensureDeferred
async def test_changing_ones_mind_ends_as_wanted_last(each_reader, redis, subscribers, heard):
    subscriber = subscribers(redis.url, *heard.told)
    await subscriber.subscribe(["x"])
    for round_ in range(50):
        waiting = [subscriber.subscribe(["a", "b"])]
        subscriber.unsubscribe(["a"])
        if round_ % 2:
            waiting.append(subscriber.subscribe(["a"]))
        if round_ % 3 == 0:
            subscriber.unsubscribe(["b"])
        await gatherResults(waiting)
        wanted = [int(bool(round_ % 2)), int(round_ % 3 != 0)]
        await until(lambda wanted=wanted: listeners(redis, "a", "b") == wanted)
        assert subscriber.subscribe(["x"]).called
        subscriber.unsubscribe(["a", "b"])


@ensureDeferred
async def test_giving_up_waiting_keeps_the_subscription(redis, faulty, subscribers, heard):
    subscriber = subscribers(url(faulty), *heard.told)
    await until(lambda: heard.states)
    faulty.stall()
    waiting = subscriber.subscribe(["a"])
    waiting.addErrback(lambda _: None)
    waiting.cancel()
    faulty.restore()
    await until(lambda: listeners(redis, "a") == [1])
    assert len(subscriber._waiters) == 0


# New connections.


@ensureDeferred
async def test_a_hundred_thousand_channels_are_restored(
    each_reader, redis, faulty, subscribers, heard
):
    subscriber = subscribers(url(faulty), *heard.told)
    names = [f"rp:room:/dropcodes|streamer:s-{number}" for number in range(100_000)]
    await subscriber.subscribe(names)
    sample = [names[0], names[50_000], names[-1]]
    assert listeners(redis, *sample) == [1, 1, 1]
    faulty.cut()
    await until(lambda: heard.states == ["ready", "lost"])
    faulty.restore()
    await until(lambda: heard.states == ["ready", "lost", "ready"])
    assert len(redis.call("PUBSUB", "CHANNELS")) == 100_000
    assert listeners(redis, *sample) == [1, 1, 1]
    subscriber.unsubscribe(names[1:])
    await until(lambda: listeners(redis, names[-1]) == [0])
    assert redis.call("PUBSUB", "CHANNELS") == names[:1]


@ensureDeferred
async def test_who_waited_when_it_was_lost_waits_for_all_again(redis, faulty, subscribers, heard):
    subscriber = subscribers(url(faulty), *heard.told)
    await subscriber.subscribe(["a"])
    faulty.cut()
    waiting = subscriber.subscribe(["a", "b"])
    await until(lambda: heard.states == ["ready", "lost"])
    assert not waiting.called
    faulty.restore()
    await waiting
    assert listeners(redis, "a", "b") == [1, 1]


@ensureDeferred
async def test_ready_comes_after_all_that_was_wanted_and_lost_only_after_ready(
    redis, faulty, subscribers, heard
):
    at_ready: list[list[int]] = []

    def ready() -> None:
        heard.ready()
        at_ready.append(listeners(redis, "a", "b"))

    subscriber = subscribers(url(faulty), heard.received, ready, heard.lost)
    await subscriber.subscribe(["a", "b"])
    for _ in range(3):
        faulty.cut()
        await until(lambda: heard.states[-1] == "lost")
        faulty.restore()
        await until(lambda: heard.states[-1] == "ready")
    assert heard.states == ["ready"] + ["lost", "ready"] * 3
    assert at_ready[1:] == [[1, 1]] * 3


@ensureDeferred
async def test_what_was_given_up_while_away_is_not_restored(redis, faulty, subscribers, heard):
    subscriber = subscribers(url(faulty), *heard.told)
    await subscriber.subscribe(["a", "b"])
    faulty.cut()
    await until(lambda: heard.states[-1] == "lost")
    subscriber.unsubscribe(["a"])
    faulty.restore()
    await until(lambda: heard.states[-1] == "ready")
    assert listeners(redis, "a", "b") == [0, 1]


@ensureDeferred
async def test_a_dropped_connection_is_made_again(redis, subscribers, heard):
    subscriber = subscribers(redis.url, *heard.told)
    await subscriber.subscribe(["a"])
    subscriber.drop()
    assert heard.states == ["ready", "lost"]
    assert subscriber.trouble() == "Redis is away: nothing comes through it"
    assert not subscriber.subscribe(["a"]).called
    await until(lambda: heard.states == ["ready", "lost", "ready"])
    redis.call("PUBLISH", "a", "x")
    await until(lambda: heard.texts == [("a", "x")])


@ensureDeferred
async def test_a_half_open_connection_is_noticed_when_subscribing(
    redis, faulty, subscribers, heard
):
    subscriber = subscribers(url(faulty), *heard.told)
    await subscriber.subscribe(["a"])
    faulty.stall()
    watch = Stopwatch()
    waiting = subscriber.subscribe(["b"])
    await until(lambda: heard.states == ["ready", "lost"])
    assert watch.passed_s > 4.9
    assert watch.lived_s < 6
    assert not waiting.called
    faulty.restore()
    await waiting
    assert listeners(redis, "a", "b") == [1, 1]


@ensureDeferred
async def test_restarts_and_kills_are_survived(own_redis, subscribers, heard):
    subscriber = subscribers(own_redis.url, *heard.told)
    await subscriber.subscribe(["a"])
    for _ in range(3):
        own_redis.restart()
        await until(lambda: heard.states[-1] == "lost")
        await until(lambda: heard.states[-1] == "ready")
        own_redis.call("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: heard.states[-1] == "lost")
        await until(lambda: heard.states[-1] == "ready")
        assert listeners(own_redis, "a") == [1]


@ensureDeferred
async def test_a_listener_that_redis_cuts_for_being_slow_comes_back(own_redis, subscribers, heard):
    own_redis.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0")
    subscriber = subscribers(own_redis.url, *heard.told)
    await subscriber.subscribe(["a"])
    text = "x" * 1_000_000
    with own_redis.client() as client:
        for _ in range(30):  # this process reads nothing meanwhile
            client.send("PUBLISH", "a", text)
        for _ in range(30):
            client.reply()
    await until(lambda: heard.states == ["ready", "lost", "ready"])
    assert listeners(own_redis, "a") == [1]


@ensureDeferred
async def test_stopping_tells_who_waits(redis, faulty, subscribers, heard):
    subscriber = subscribers(url(faulty), *heard.told)
    await until(lambda: heard.states)
    faulty.stall()
    waiting = subscriber.subscribe(["a"])
    await subscriber.stop()
    with pytest.raises(StoreUnavailable):
        await waiting


# Patterns.


@ensureDeferred
async def test_patterns_are_listened_to_besides(redis, faulty, subscribers, heard):
    patterns = ["socket.io#*", "none*"]
    subscriber = subscribers(url(faulty), *heard.told, patterns=patterns)
    await subscriber.subscribe(["socketio"])
    redis.call("PUBLISH", "socket.io#/#", b"\x93\xa3abc")
    redis.call("PUBLISH", "socketio", "{}")
    expected = [("socket.io#/#", b"\x93\xa3abc"), ("socketio", "{}")]
    await until(lambda: heard.texts == expected)
    faulty.cut()
    await until(lambda: heard.states[-1] == "lost")
    faulty.restore()
    await until(lambda: heard.states[-1] == "ready")
    assert redis.call("PUBSUB", "NUMPAT") == 2
    redis.call("PUBLISH", "socket.io#/#", "again")
    await until(lambda: heard.texts[2:] == [("socket.io#/#", "again")])
