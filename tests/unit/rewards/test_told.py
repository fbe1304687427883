"""Proofs of revokes on their way to the store."""

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from reward_push.access.interfaces import StoreUnavailable
from reward_push.rewards import told as module
from reward_push.rewards.told import A_CALL, AT_ONCE, Told


class Store:
    """Answers when it is told to, or at once."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[int]]] = []
        self.answers: list[Deferred[None]] = []
        self.at_once: Any = None

    def told(self, message_id: str, devices: list[int]) -> "Deferred[None]":
        self.asked.append((message_id, devices))
        if self.at_once is not None:
            answer: Deferred[None] = self.at_once()
            return answer
        self.answers.append(Deferred())
        return self.answers[-1]

    def devices(self) -> list[int]:
        """Everyone that it was told of, each time."""
        return sorted(device for _, devices in self.asked for device in devices)


def proved(store: Any, count: int) -> Told:
    told = Told(store)
    for device in range(count):
        told.told(device, "m")
    return told


def test_the_first_are_told_at_once_the_others_together() -> None:
    store = Store()
    count = AT_ONCE + A_CALL + 7
    told = proved(store, count)
    assert store.asked == [("m", [device]) for device in range(AT_ONCE)]
    assert len(told) == A_CALL + 7
    for answer in store.answers[:2]:
        answer.callback(None)
    assert [len(devices) for _, devices in store.asked[AT_ONCE:]] == [A_CALL, 7]
    assert store.devices() == list(range(count))
    assert len(told) == 0


def test_each_message_has_calls_of_its_own() -> None:
    store = Store()
    told = proved(store, AT_ONCE)
    for device, message_id in ((1, "n"), (2, "o"), (3, "n")):
        told.told(device, message_id)
    for answer in store.answers:
        answer.callback(None)
    assert store.asked[AT_ONCE:] == [("n", [1, 3]), ("o", [2])]


def test_a_store_that_answers_at_once_is_asked_one_after_the_other() -> None:
    """And not from within its own answers, which would have no end."""
    store = Store()
    told = proved(store, 2_000 * A_CALL // 10)
    store.at_once = lambda: succeed(None)
    store.answers[0].callback(None)
    assert (len(store.devices()), len(told)) == (2_000 * A_CALL // 10, 0)


def test_while_the_store_is_away_nothing_waits_for_it() -> None:
    """No complaint: the devices are owed their revokes still."""
    store = Store()
    told = proved(store, 10 * A_CALL)
    store.at_once = lambda: fail(StoreUnavailable("away"))
    store.answers[0].errback(StoreUnavailable("away"))
    assert (len(store.asked), len(told)) == (AT_ONCE, 0)
    for answer in store.answers[1:]:
        answer.errback(StoreUnavailable("away"))
    told.told(7, "n")
    assert store.asked[-1] == ("n", [7])


def test_what_waits_has_an_end(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    told = proved(Store(), AT_ONCE + 5)
    assert len(told) == 3
