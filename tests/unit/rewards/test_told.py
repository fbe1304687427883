"""Proofs of revokes on their way to the store."""

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from reward_push.access.interfaces import StoreUnavailable
from reward_push.rewards import told as module
from reward_push.rewards.told import AT_ONCE, Told


class Store:
    """Answers when it is told to, or at once."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, list[str]]] = []
        self.answers: list[Deferred[None]] = []
        self.at_once: Any = None

    def told(self, device: int, message_ids: list[str]) -> "Deferred[None]":
        self.asked.append((device, message_ids))
        if self.at_once is not None:
            answer: Deferred[None] = self.at_once()
            return answer
        self.answers.append(Deferred())
        return self.answers[-1]


def proved(store: Any, count: int) -> Told:
    told = Told(store)
    for device in range(count):
        told.told(device, "m")
    return told


def test_so_many_are_told_at_a_time_in_order() -> None:
    store = Store()
    told = proved(store, 3 * AT_ONCE)
    assert (len(store.asked), len(told)) == (AT_ONCE, 2 * AT_ONCE)
    for answer in store.answers:
        answer.callback(None)
    assert len(told) == 0
    assert store.asked == [(device, ["m"]) for device in range(3 * AT_ONCE)]
    told.told(7, "n")
    assert store.asked[-1] == (7, ["n"])


def test_a_store_that_answers_at_once_is_asked_one_after_the_other() -> None:
    """And not from within its own answers, which would have no end."""
    store = Store()
    told = proved(store, 10 * AT_ONCE)
    store.at_once = lambda: succeed(None)
    store.answers[0].callback(None)
    assert (len(store.asked), len(told)) == (10 * AT_ONCE, 0)


def test_while_the_store_is_away_nothing_waits_for_it() -> None:
    """No complaint: the devices are owed their revokes still."""
    store = Store()
    told = proved(store, 10 * AT_ONCE)
    store.at_once = lambda: fail(StoreUnavailable("away"))
    store.answers[0].errback(StoreUnavailable("away"))
    assert (len(store.asked), len(told)) == (AT_ONCE, 0)
    for answer in store.answers[1:]:
        answer.errback(StoreUnavailable("away"))
    told.told(7, "n")
    assert store.asked[-1] == (7, ["n"])


def test_what_waits_has_an_end(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    told = proved(Store(), AT_ONCE + 5)
    assert len(told) == 3
