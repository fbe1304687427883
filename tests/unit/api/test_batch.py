"""Batches: a few messages at a time, in order, with a result for each."""

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail

from reward_push.access.interfaces import AnswerLost, StoreUnavailable
from reward_push.api.batch import CHUNK, IN_FLIGHT, MAX_LARGE
from reward_push.api.body import LARGE_BYTES
from reward_push.api.slices import SLICE_S, Slices
from reward_push.rewards.outcome import unavailable

from ..rewards.fakes import MemoryStore
from .fakes import BODY, Api
from .test_messages import error

LARGE = [{**BODY, "id": f"m-{n}", "data": [n, "x" * 150]} for n in range(300)]
BATCH = "/v1/messages/batch"

assert LARGE_BYTES < len(json.dumps(LARGE)) < 100_000, "the stub keeps larger ones in files"


def fail_calls(
    monkeypatch: pytest.MonkeyPatch,
    *numbers: int,
    how: type[StoreUnavailable] = StoreUnavailable,
) -> None:
    """Let the store be away at these calls of ``accept``, counted from 0."""
    accept, count = MemoryStore.accept, iter(range(10_000))

    def accept_or_fail(store: MemoryStore, records: Any) -> Any:
        if next(count) in numbers:
            return fail(how("no disk"))
        return accept(store, records)

    monkeypatch.setattr(MemoryStore, "accept", accept_or_fail)


def test_a_large_batch_is_published_in_order_and_answered_message_by_message(api: Api) -> None:
    bodies: list[Any] = [*LARGE]
    bodies[100] = {**BODY, "event": "connect"}
    bodies[200] = "no message"
    bodies[299] = LARGE[0]
    got = api.call("POST", BATCH, {"messages": bodies})
    assert got.status == 200
    statuses = [result["status"] for result in got.json["results"]]
    assert statuses == [201] * 100 + [400] + [201] * 99 + [400] + [201] * 98 + [200]
    for number in (0, 99, 101, 298):
        message = got.json["results"][number]["message"]
        assert (message["id"], message["data"][0]) == (f"m-{number}", number)
    assert api.delivery.ids == [f"m-{n}" for n in range(300) if n not in (100, 200, 299)]


def test_it_is_the_same_small_or_large(api: Api) -> None:
    """White space makes no difference."""
    small = {"messages": LARGE[:20]}
    body = json.dumps(small, indent=100).encode()
    assert LARGE_BYTES < len(body) < 100_000
    assert api.call("POST", BATCH, body=body).status == 200
    again = api.call("POST", BATCH, small)
    assert [result["status"] for result in again.json["results"]] == [200] * 20


@pytest.mark.parametrize("end", [b"", b"]", b"]}}", b",]}", b',{"a":1,"a":2}]}', b'],"more":1}'])
def test_nothing_is_published_of_what_turns_out_to_be_no_batch(api: Api, end: bytes) -> None:
    body = json.dumps({"messages": LARGE}).encode()[:-2] + end
    got = api.call("POST", BATCH, body=body)
    assert got.status == 400
    assert got.json["error"]["code"] == "invalid_request"
    assert api.store.accepted == []


def test_only_so_many_wait_for_the_store(api: Api) -> None:
    api.store.holds = True
    answers = api.start("POST", BATCH, {"messages": [BODY] * 800})
    assert list(map(len, api.store.accepted)) == [CHUNK] * IN_FLIGHT
    api.store.report_all()
    api.flush()
    assert [got.status for got in answers] == [200]
    assert sum(map(len, api.store.accepted)) == 800


def test_large_messages_go_a_few_at_a_time(api: Api) -> None:
    big = [{**BODY, "data": "x" * 15_000} for _ in range(6)]
    assert api.call("POST", BATCH, {"messages": big}).status == 200
    assert list(map(len, api.store.accepted)) == [2] * 3


def test_only_so_many_large_batches_are_worked_on_at_one_time(api: Api) -> None:
    """Small ones do not wait for them."""
    api.store.holds = True
    answers = [api.start("POST", BATCH, {"messages": LARGE}) for _ in range(MAX_LARGE + 1)]
    assert len(api.store.accepted) == MAX_LARGE * IN_FLIGHT
    small = api.start("POST", BATCH, {"messages": [BODY]})
    assert len(api.store.accepted) == MAX_LARGE * IN_FLIGHT + 1
    api.store.report_all()
    api.flush()
    assert [got.status for each in (*answers, small) for got in each] == [200] * (MAX_LARGE + 2)


@pytest.mark.parametrize("away", [(0,), (2,), (5,), (1, 4)])
def test_what_the_store_did_not_take_is_told_message_by_message(
    api: Api, monkeypatch: pytest.MonkeyPatch, away: tuple[int, ...]
) -> None:
    """Some were accepted: a 503 would say that none was."""
    fail_calls(monkeypatch, *away)
    got = api.call("POST", BATCH, {"messages": [{**BODY, "id": f"m-{n}"} for n in range(300)]})
    assert got.status == 200
    for number, result in enumerate(got.json["results"]):
        if number // CHUNK in away:
            assert result == {"status": 503, **error("unavailable", unavailable().message)}
        else:
            assert (result["status"], result["message"]["id"]) == (201, f"m-{number}")


def test_what_may_have_been_taken_is_told_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_calls(monkeypatch, 1, how=AnswerLost)
    got = api.call(
        "POST", BATCH, {"messages": [{**BODY, "id": f"m-{n}"} for n in range(CHUNK + 1)]}
    )
    told = error("unavailable", unavailable(unsure=True).message)
    assert got.json["results"][-1] == {"status": 503, **told}
    assert "it may have this message" in told["error"]["message"]


def test_a_store_that_took_nothing_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for messages in (LARGE, [BODY] * 120):
        fail_calls(monkeypatch, *range(1000))
        got = api.call("POST", BATCH, {"messages": messages})
        assert got.status == 503
        assert got.json["error"]["code"] == "unavailable"


def test_a_place_is_given_back_whatever_happens(api: Api) -> None:
    for _ in range(2 * MAX_LARGE):
        bad = json.dumps({"messages": LARGE}).encode()[:-1]
        assert api.call("POST", BATCH, body=bad).status == 400
    assert api.call("POST", BATCH, {"messages": LARGE}).status == 200


# Slices


def test_work_pauses_when_its_slice_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("reward_push.api.slices.time.perf_counter", lambda: now[0])
    later: list[Any] = []
    done: list[int] = []

    async def work() -> None:
        slices = Slices(later.append)
        for step in range(10):
            now[0] += SLICE_S * 0.4
            done.append(step)
            await slices.pause()

    Deferred.fromCoroutine(work())
    counts = [len(done)]
    while later:
        later.pop()()
        counts.append(len(done))
    assert counts == [3, 6, 9, 10]


def test_without_a_reactor_it_goes_on() -> None:
    async def work() -> str:
        slices = Slices(None)
        for _ in range(10):
            await slices.pause()
        return "done"

    assert Deferred.fromCoroutine(work()).result == "done"
