"""A node listens to what it has sockets for, and stops a while after they have gone."""

from typing import Any

from twisted.internet.task import Clock

from reward_push.access.interfaces import StoreUnavailable
from reward_push.cluster.subscriptions import CONFIRM_S, LINGER_S, Subscriptions

from .fakes import FakeSubscriber


class Bench:
    def __init__(self) -> None:
        self.clock = Clock()
        self.subscriber = FakeSubscriber()
        self.subscriptions = Subscriptions(self.subscriber, self.clock)

    def add(self, *channels: str) -> list[Any]:
        results: list[Any] = []
        self.subscriptions.add(channels).addBoth(results.append)
        return results


def test_channels_are_subscribed_to_while_needed() -> None:
    bench = Bench()
    assert bench.add("a", "b") == [None]
    assert bench.add("b") == [None]
    bench.subscriptions.remove(["a", "b"])
    bench.clock.advance(LINGER_S)
    assert bench.subscriber.channels == {"b"}
    assert len(bench.subscriptions) == 1
    bench.subscriptions.remove(["b"])
    bench.clock.advance(LINGER_S)
    assert bench.subscriber.channels == set()
    assert bench.clock.getDelayedCalls() == []


def test_a_client_that_comes_back_soon_finds_its_channel() -> None:
    bench = Bench()
    bench.add("a")
    bench.subscriptions.remove(["a"])
    bench.clock.advance(LINGER_S / 2)
    bench.add("a")
    bench.clock.advance(LINGER_S * 2)
    assert bench.subscriber.channels == {"a"}
    bench.subscriptions.remove(["a"])
    bench.clock.advance(LINGER_S - 0.1)
    assert bench.subscriber.channels == {"a"}
    bench.clock.advance(0.1)
    assert bench.subscriber.channels == set()


def test_each_channel_lingers_from_its_own_end() -> None:
    bench = Bench()
    bench.add("a", "b")
    bench.subscriptions.remove(["a"])
    bench.clock.advance(1)
    bench.subscriptions.remove(["b"])
    bench.clock.advance(LINGER_S - 1)
    assert bench.subscriber.channels == {"b"}
    bench.clock.advance(1)
    assert bench.subscriber.channels == set()


def test_a_confirmation_is_not_waited_for_without_end() -> None:
    bench = Bench()
    bench.subscriber.connected = False
    added = bench.add("a")
    bench.clock.advance(CONFIRM_S - 0.1)
    assert added == []
    bench.clock.advance(0.1)
    assert added[0].check(StoreUnavailable)
    assert bench.subscriber.channels == {"a"}
    bench.subscriptions.remove(["a"])
    bench.clock.advance(LINGER_S)
    assert bench.subscriber.channels == set()


def test_a_confirmation_that_comes_in_time() -> None:
    bench = Bench()
    bench.subscriber.connected = False
    added = bench.add("a")
    bench.subscriber.confirm()
    assert added == [None]
    assert bench.clock.getDelayedCalls() == []


def test_once_stopped_nothing_is_given_up() -> None:
    bench = Bench()
    bench.add("a")
    bench.subscriptions.remove(["a"])
    bench.subscriptions.stop()
    bench.subscriptions.stop()
    assert bench.clock.getDelayedCalls() == []
