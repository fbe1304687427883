"""Publishing: kept before delivered, in order, each id once."""

import attrs
import pytest
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from reward_push.access.interfaces import StoreUnavailable
from reward_push.rewards import publisher
from reward_push.rewards.errors import ErrorCode, Refused
from reward_push.rewards.interfaces import IDelivery, IMessageStore, Reason
from reward_push.rewards.message import Receipts, State, record_to_answer
from reward_push.rewards.news import LocalNews
from reward_push.rewards.outcome import Accepted
from reward_push.rewards.publisher import Publisher
from reward_push.rewards.waiting import Waiting

from .fakes import MemoryStore, RecordingDelivery, RecordingSchedule

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
        self.schedule = RecordingSchedule()
        self.now_ms = NOW_MS
        waiting = Waiting(self.delivery, Clock(), lambda: self.now_ms)
        self.publisher = Publisher(
            self.store,
            LocalNews(waiting, self.delivery),
            self.schedule,
            lambda: self.now_ms,
            NAMESPACES,
            flush=lambda: self.store.calls.append("flush"),
        )

    def start(self, *bodies, allowed=None):
        """Publish; the outcomes, or the failure, come into the list returned."""
        results = []
        self.publisher.publish(bodies, allowed).addBoth(results.append)
        return results

    def publish(self, *bodies, allowed=None):
        [outcomes] = self.start(*bodies, allowed=allowed)
        return outcomes

    def cancel(self, message_id, allowed=None):
        """Cancel; return the record, or what it failed with."""
        results = []
        self.publisher.cancel(message_id, allowed).addBoth(results.append)
        [result] = results
        return result.value if isinstance(result, Failure) else result


@pytest.fixture
def bench():
    return Bench()


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
    assert bench.store.settled == [("a", 2)]


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
    bench.store.report_all()
    assert results[0][0].record.receipts.sent == 2
    assert [(event["id"], event["reason"]) for event in logged] == [("a", "no disk")]


def test_what_is_remembered_of_deliveries_is_bounded(bench, monkeypatch):
    monkeypatch.setattr(publisher, "REMEMBERED", 3)
    for number in range(10):
        bench.publish(body(f"m{number}"))
    assert len(bench.store.settled) == 10
    assert list(bench.publisher._sent) == ["m7", "m8", "m9"]
    assert not bench.publisher._line


def test_a_live_message_is_delivered_and_its_end_noted(bench):
    [outcome] = bench.publish(body("a", ttl_ms=500))
    assert outcome.record.state is State.LIVE
    assert outcome.record.receipts.sent == 2
    assert bench.delivery.ids == ["a"]
    assert bench.schedule.ends == [NOW_MS + 500]
    assert bench.store.settled == []  # Its receipts tell.


def test_a_scheduled_message_is_left_to_the_schedule(bench):
    outcomes = bench.publish(body("a", delay_ms=500), body("b", delay_ms=100, ttl_ms=1))
    assert [each.record.state for each in outcomes] == [State.SCHEDULED] * 2
    assert bench.delivery.ids == []
    assert (bench.schedule.due, bench.schedule.ends) == ([NOW_MS + 500, NOW_MS + 100], [])


def test_nothing_is_told_to_the_schedule_before_the_commit_or_for_a_repetition(bench):
    bench.store.holds = True
    bench.start(body("a", delay_ms=500))
    bench.start(body("a", delay_ms=500))
    assert bench.schedule.due == []
    bench.store.report_all()
    assert bench.schedule.due == [NOW_MS + 500]


def test_a_repeated_delay_gets_the_times_of_the_first(bench):
    [first] = bench.publish(body("a", delay_ms=500, ttl_ms=100))
    bench.now_ms += 200
    [again] = bench.publish(body("a", delay_ms=500, ttl_ms=100))
    assert again == Accepted(first.record, fresh=False)
    assert again.record.message.deliver_at_ms == NOW_MS + 500


def test_a_repetition_gets_the_first_answer_whatever_became_of_it(bench):
    """What it is today is another question (``GET``)."""
    bodies = [
        body("short", ttl_ms=100),
        body("later", delay_ms=50, ttl_ms=50),
        body("endless"),
    ]
    first = bench.publish(*bodies)
    states = [State.LIVE, State.SCHEDULED, State.DONE]
    assert [each.record.state for each in first] == states
    bench.store.expire(NOW_MS + 100, 10)
    again = bench.publish(*bodies)
    assert [record_to_answer(each.record) for each in again] == [
        record_to_answer(each.record) for each in first
    ]
    assert not any(each.fresh for each in again)


def test_a_count_that_is_not_remembered_is_not_told(bench):
    """By a node that has started since, or is another one."""
    [first] = bench.publish(body("a", ttl_ms=100))
    bench.publisher._sent.clear()
    bench.store.expire(NOW_MS + 100, 10)
    [again] = bench.publish(body("a", ttl_ms=100))
    assert again.record == attrs.evolve(first.record, receipts=Receipts())


def test_what_is_new_and_over_is_too_late_and_leaves_the_store_as_it_is(bench):
    [outcome] = bench.publish(body("a", deliver_at=NOW_MS - 100, ttl_ms=100))
    assert (outcome.code, outcome.field) == (ErrorCode.TOO_LATE, "deliver_at")
    assert bench.store.rows == {}
    assert bench.delivery.ids == []


def test_a_repetition_after_the_end_is_the_same_message_not_too_late(bench):
    """A backend that missed its 201 asks again, maybe much later."""
    [first] = bench.publish(body("a", deliver_at=NOW_MS, ttl_ms=100))
    bench.now_ms += 1000
    again, other = bench.publish(
        body("a", deliver_at=NOW_MS, ttl_ms=100), body("a", deliver_at=NOW_MS, ttl_ms=99)
    )
    assert again == Accepted(first.record, fresh=False)
    assert other.code is ErrorCode.CONFLICT


def test_late_ones_among_good_ones(bench):
    late = {"deliver_at": NOW_MS - 100, "ttl_ms": 100}
    bench.publish(body("old"))
    outcomes = bench.publish(body("x", **late), body("a"), body(**late), body("old"), body("b"))
    assert [getattr(each, "code", None) for each in outcomes] == [
        ErrorCode.TOO_LATE,
        None,
        ErrorCode.TOO_LATE,
        None,
        None,
    ]
    assert bench.delivery.ids == ["old", "a", "b"]


def test_that_a_late_one_cannot_be_looked_up_does_not_lose_the_others(bench):
    bench.store.fails = {"get"}
    good, late = bench.publish(body("a"), body("b", deliver_at=NOW_MS - 100, ttl_ms=100))
    assert good.fresh
    assert bench.delivery.ids == ["a"]
    assert late.code is ErrorCode.UNAVAILABLE


def test_a_failed_commit_with_a_late_one_fails_the_call(bench):
    bench.store.away = True
    [failure] = bench.start(body("a"), body("b", deliver_at=NOW_MS - 100, ttl_ms=100))
    assert failure.check(StoreUnavailable)
    assert bench.delivery.ids == []


def test_a_live_message_supersedes_and_the_revoke_follows_it(bench):
    bench.publish(body("a", ttl_ms=500, replace="now"))
    bench.publish(body("b", ttl_ms=500, replace="now"))
    assert bench.delivery.log == ["a", "b", "-a"]
    [ended] = bench.delivery.revoked
    assert (ended.reason, ended.message_id) == (Reason.REPLACED, "a")


def test_receipts_are_flushed_before_anything_is_superseded(bench):
    bench.publish(body("a", ttl_ms=500))
    bench.publish(body("b", ttl_ms=500, replace="now"))
    assert bench.store.calls == ["accept", "flush", "accept"]


def test_what_has_no_end_supersedes_too(bench):
    bench.publish(body("a", ttl_ms=500, replace="now"))
    bench.publish(body("b", replace="now"))
    assert bench.delivery.log == ["a", "b", "-a"]
    bench.publish(body("c", replace="now"))
    assert bench.delivery.log == ["a", "b", "-a", "c"]


def test_only_the_last_of_a_batch_with_one_replace_is_shown(bench):
    outcomes = bench.publish(
        body("a", ttl_ms=500, replace="now"),
        body("b", ttl_ms=500, replace="other"),
        body("c", ttl_ms=500, replace="now"),
    )
    assert bench.delivery.log == ["b", "c", "-a"]
    assert [(each.fresh, each.record.state) for each in outcomes] == [
        (True, State.CANCELLED),
        (True, State.LIVE),
        (True, State.LIVE),
    ]


def test_another_audience_namespace_or_name_is_not_superseded(bench):
    bench.publish(
        body("a", ttl_ms=500, replace="now"),
        body("b", ttl_ms=500, replace="now", namespace="/donations"),
        body("c", ttl_ms=500, replace="now", to={"streamer": "s"}),
        body("d", ttl_ms=500, replace="then"),
        body("e", ttl_ms=500),
    )
    assert bench.delivery.log == ["a", "b", "c", "d", "e"]


def test_a_scheduled_message_supersedes_nothing_yet(bench):
    bench.publish(body("a", ttl_ms=500, replace="now"))
    bench.publish(body("b", ttl_ms=500, replace="now", delay_ms=100))
    assert bench.delivery.log == ["a"]


def test_a_broken_revocation_takes_nothing_else_along(bench, logged):
    bench.publish(body("a", ttl_ms=500, replace="now"))
    bench.delivery.breaks_on = "a"
    [outcome] = bench.publish(body("b", ttl_ms=500, replace="now"))
    assert outcome.fresh
    assert [event["id"] for event in logged] == ["a"]


@pytest.mark.parametrize("changes", [{"ttl_ms": 500}, {"delay_ms": 500}])
def test_a_live_or_scheduled_message_is_cancelled_once(bench, changes):
    bench.publish(body("a", **changes))
    bench.store.calls.clear()
    record = bench.cancel("a")
    assert record.state is State.CANCELLED
    assert record.ended_at_ms == NOW_MS
    assert bench.store.calls == ["flush", "cancel"]
    [ended] = bench.delivery.revoked
    assert (ended.reason, ended.message_id) == (Reason.CANCELLED, "a")
    assert bench.cancel("a") == record
    assert len(bench.delivery.revoked) == 1


def test_a_superseded_message_counts_as_cancelled(bench):
    bench.publish(body("a", ttl_ms=500, replace="now"))
    bench.publish(body("b", ttl_ms=500, replace="now"))
    assert bench.cancel("a").state is State.CANCELLED


def test_what_ended_otherwise_cannot_be_cancelled(bench):
    bench.publish(body("a"), body("b", ttl_ms=100))
    bench.store.expire(NOW_MS + 100, 10)
    for message_id, state in [("a", "done"), ("b", "expired")]:
        refused = bench.cancel(message_id)
        assert refused.code is ErrorCode.CONFLICT
        assert refused.message == (
            f'message "{message_id}" is {state}: it cannot be cancelled any more'
        )
    assert bench.delivery.revoked == []


@pytest.mark.parametrize("message_id", ["nobody", "", "a b", "x" * 65, "é"])
def test_what_is_unknown_cannot_be_cancelled(bench, message_id):
    refused = bench.cancel(message_id)
    assert refused.code is ErrorCode.NOT_FOUND


def test_a_key_limited_to_namespaces_cancels_only_there_and_learns_nothing(bench):
    bench.publish(body("a", ttl_ms=500), body("b", ttl_ms=500, namespace="/donations"))
    assert bench.cancel("a", ("/dropcodes",)).state is State.CANCELLED
    foreign, unknown = bench.cancel("b", ("/dropcodes",)), bench.cancel("c", ("/dropcodes",))
    assert foreign.code is unknown.code is ErrorCode.NOT_FOUND
    assert foreign.message.replace("b", "c") == unknown.message.replace("b", "c")
    assert bench.store.state("b") is State.LIVE


def test_without_a_store_nothing_is_cancelled(bench):
    bench.publish(body("a", ttl_ms=500))
    bench.store.away = True
    assert isinstance(bench.cancel("a"), StoreUnavailable)
    assert bench.delivery.revoked == []


def test_a_cancellation_right_behind_its_message_follows_its_delivery(bench):
    bench.store.holds = True
    bench.start(body("a", ttl_ms=500))
    bench.publisher.cancel("a")
    bench.store.report_all()
    assert bench.delivery.log == ["a", "-a"]


def test_what_becomes_of_posted_messages_is_counted(bench):
    """By one word each; what was not accepted because the store is away, too."""
    bench.publish(body("a"), body("a"), body("a", data=2), body("b", delay_ms=1000))
    bench.publish(body(event=""))
    bench.publish(body(), allowed={"/donations"})
    bench.store.away = True
    bench.publish(body(), body(event=""))
    assert bench.publisher.outcomes == {
        "live": 1,
        "repeated": 1,
        "conflict": 1,
        "scheduled": 1,
        "invalid_request": 1,
        "forbidden": 1,
        "unavailable": 2,
    }
