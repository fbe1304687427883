"""Publishing: kept before delivered, in order, each id once."""

import pytest
from twisted.logger import globalLogPublisher
from zope.interface.verify import verifyObject

from reward_push.access.interfaces import StoreUnavailable
from reward_push.rewards.errors import ErrorCode, Refused
from reward_push.rewards.interfaces import IDelivery, IMessageStore
from reward_push.rewards.message import State
from reward_push.rewards.publisher import Accepted, Publisher

from .fakes import MemoryStore, RecordingDelivery

NOW_MS = 1_795_550_400_250
NAMESPACES = ("/", "/dropcodes", "/donations")


def body(message_id=None, /, **changes):
    posted = {"namespace": "/dropcodes", "event": "dropcode", "to": "all", "data": 1, **changes}
    return posted if message_id is None else {"id": message_id, **posted}


class Bench:
    """A publisher on in-memory ends."""

    def __init__(self):
        self.store = MemoryStore()
        self.delivery = RecordingDelivery(sockets=2)
        self.publisher = Publisher(self.store, self.delivery, lambda: NOW_MS, NAMESPACES)

    def start(self, *bodies, allowed=None):
        """Publish; the outcomes, or the failure, come into the list returned."""
        results = []
        self.publisher.publish(bodies, allowed).addBoth(results.append)
        return results

    def publish(self, *bodies, allowed=None):
        [outcomes] = self.start(*bodies, allowed=allowed)
        return outcomes


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def logged():
    """The events logged at warning or above."""
    events = []

    def observe(event):
        if event["log_level"].name in {"warn", "error", "critical"}:
            events.append(event)

    globalLogPublisher.addObserver(observe)
    yield events
    globalLogPublisher.removeObserver(observe)


def test_the_ends_keep_their_interfaces(bench):
    assert verifyObject(IMessageStore, bench.store)
    assert verifyObject(IDelivery, bench.delivery)


def test_a_new_message_is_kept_then_delivered_then_settled(bench):
    bench.store.holds = True
    results = bench.start(body("a"))
    assert (bench.store.accepted, bench.delivery.ids, results) == ([["a"]], [], [])
    bench.store.report()
    [[outcome]] = results
    assert bench.delivery.ids == ["a"]
    assert outcome.fresh
    assert outcome.record.state is State.DONE
    assert outcome.record.receipts.sent == 2
    assert bench.store.settled == [outcome.record]


def test_what_reached_nobody_needs_no_settling(bench):
    bench.delivery.sockets = 0
    [outcome] = bench.publish(body("a"))
    assert outcome.record.receipts.sent == 0
    assert bench.store.settled == []


def test_the_same_again_gets_the_first_answer_and_is_not_delivered_again(bench):
    [first] = bench.publish(body("a", data={"x": 1, "y": 2}))
    [again] = bench.publish(body("a", data={"y": 2.0, "x": 1}))
    assert again == Accepted(first.record, fresh=False)
    assert bench.delivery.ids == ["a"]


def test_another_body_under_a_known_id_is_a_conflict(bench):
    bench.publish(body("a"))
    [outcome] = bench.publish(body("a", data=2))
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.field) == (ErrorCode.CONFLICT, "id")
    assert outcome.message == 'there is another message with the id "a"'
    assert bench.delivery.ids == ["a"]


def test_a_batch_is_one_commit_and_its_good_messages_go_through(bench):
    outcomes = bench.publish(body("a"), {"id": "b"}, body("c", event="connect"), body("d"), 5)
    assert bench.store.accepted == [["a", "d"]]
    assert bench.delivery.ids == ["a", "d"]
    codes = [getattr(outcome, "code", None) for outcome in outcomes]
    bad = ErrorCode.INVALID_REQUEST
    assert codes == [None, bad, bad, None, bad]
    assert [outcome.record.message.id for outcome in outcomes if isinstance(outcome, Accepted)] == [
        "a",
        "d",
    ]


def test_a_call_without_any_good_message_leaves_the_store_alone(bench):
    [outcome] = bench.publish({})
    assert outcome.code is ErrorCode.INVALID_REQUEST
    assert bench.store.accepted == []


def test_an_id_twice_in_a_batch_is_as_if_posted_one_after_the_other(bench):
    first, again, other = bench.publish(body("a"), body("a"), body("a", data=2))
    assert first.fresh
    assert again == Accepted(first.record, fresh=False)
    assert again.record.receipts.sent == 2
    assert other.code is ErrorCode.CONFLICT
    assert bench.delivery.ids == ["a"]


def test_messages_without_an_id_are_never_the_same(bench):
    first, second = bench.publish(body(), body())
    assert first.fresh
    assert second.fresh
    assert first.record.message.id != second.record.message.id


def test_a_key_limited_to_namespaces_publishes_only_there(bench):
    outcomes = bench.publish(
        body("a"),
        body("b", namespace="/donations"),
        body("c", namespace="/nowhere"),
        allowed=("/dropcodes",),
    )
    assert bench.delivery.ids == ["a"]
    assert outcomes[1].code is ErrorCode.FORBIDDEN
    assert outcomes[1].field == "namespace"
    assert outcomes[1].message == 'this key may not publish to namespace "/donations"'
    assert outcomes[2].code is ErrorCode.INVALID_REQUEST


def test_delivery_keeps_the_order_of_the_calls_when_commits_are_reported_in_another(bench):
    bench.store.holds = True
    first = bench.start(body("a"), body("b"))
    second = bench.start(body("c"))
    third = bench.start(body("d"))
    bench.store.report(2)
    bench.store.report(1)
    assert bench.delivery.ids == []
    assert (first, second, third) == ([], [], [])
    bench.store.report(0)
    assert bench.delivery.ids == ["a", "b", "c", "d"]
    assert len(first) == len(second) == len(third) == 1


def test_a_call_made_while_answers_are_given_takes_its_place_at_the_end(bench):
    bench.store.holds = True
    order = []

    def publish_more(_outcomes):
        order.append("first answered")
        bench.store.holds = False
        bench.publisher.publish([body("c")]).addCallback(lambda _: order.append("third answered"))

    bench.publisher.publish([body("a")]).addCallback(publish_more)
    bench.publisher.publish([body("b")]).addCallback(lambda _: order.append("second answered"))
    bench.store.report(1)
    bench.store.report(0)
    assert bench.delivery.ids == ["a", "b", "c"]
    assert order == ["first answered", "second answered", "third answered"]


def test_the_same_id_in_two_calls_under_way_is_one_message(bench):
    bench.store.holds = True
    first = bench.start(body("a"))
    again = bench.start(body("a"))
    bench.store.report()  # the first commit; its receipts are not kept yet
    bench.store.report()  # the second commit, read before the receipts
    assert again == [[Accepted(first[0][0].record, fresh=False)]]
    assert again[0][0].record.receipts.sent == 2
    assert bench.delivery.ids == ["a"]


def test_what_a_call_was_told_before_the_receipts_were_kept_is_not_its_answer(bench):
    """Even when the receipts' commit is reported before the call's own."""
    bench.store.holds = True
    first = bench.start(body("a"))
    again = bench.start(body("a"))
    bench.store.report()
    bench.store.report(1)  # the receipts
    bench.store.report()  # the second call
    assert again == [[Accepted(first[0][0].record, fresh=False)]]
    assert again[0][0].record.receipts.sent == 2
    assert bench.publisher._unsettled == {}


def test_without_a_store_nothing_is_accepted_or_delivered(bench):
    bench.store.away = True
    [failure] = bench.start(body("a"), body("b"))
    assert failure.check(StoreUnavailable)
    assert bench.delivery.ids == []
    bench.store.away = False
    [outcome] = bench.publish(body("a"))
    assert outcome.fresh


def test_one_failed_commit_does_not_hold_up_the_next(bench):
    bench.store.holds = True
    first = bench.start(body("a"))
    second = bench.start(body("b"))
    deferred, _ = bench.store.held.pop(0)
    bench.store.report()
    assert second == []
    deferred.errback(StoreUnavailable("no disk"))
    assert first[0].check(StoreUnavailable)
    assert bench.delivery.ids == ["b"]
    assert second[0][0].fresh


def test_a_broken_delivery_takes_nothing_else_along(bench, logged):
    bench.delivery.breaks_on = "b"
    outcomes = bench.publish(body("a"), body("b"), body("c"))
    assert bench.delivery.ids == ["a", "c"]
    assert [outcome.record.receipts.sent for outcome in outcomes] == [2, 0, 2]
    assert [event["id"] for event in logged] == ["b"]


def test_receipts_that_cannot_be_kept_are_logged_and_the_message_stands(bench, logged):
    bench.store.holds = True
    results = bench.start(body("a"))
    bench.store.away = True
    bench.store.report()
    assert results[0][0].record.receipts.sent == 2
    assert [(event["id"], event["reason"]) for event in logged] == [("a", "no disk")]


@pytest.mark.parametrize("late", [False, True])
def test_what_is_settled_is_forgotten(bench, late):
    """The memory of the publisher does not grow with the messages it has seen."""
    bench.store.holds = late
    for number in range(10):
        bench.start(body(f"m{number}"))
    while bench.store.held:
        bench.store.report()
    assert len(bench.store.settled) == 10
    assert bench.publisher._unsettled == {}
    assert not bench.publisher._line
