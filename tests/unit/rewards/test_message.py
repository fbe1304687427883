"""Messages as values: the stored form and the answer."""

import pytest

from reward_push.rewards.message import (
    TO_ALL,
    Audience,
    AudienceKind,
    Message,
    MessageRecord,
    Receipts,
    State,
    message_from_json,
    message_to_json,
    record_to_answer,
)

NOW_MS = 1_795_550_400_250

AUDIENCES = [
    (TO_ALL, "all"),
    (Audience(AudienceKind.STREAMER, ("s-42",)), {"streamer": "s-42"}),
    (Audience(AudienceKind.STREAMERS, ("s-42", "s-43")), {"streamers": ["s-42", "s-43"]}),
    (Audience(AudienceKind.GROUP, ("eu",)), {"group": "eu"}),
]


def message(**changes):
    fields = {
        "id": "m1",
        "namespace": "/dropcodes",
        "event": "dropcode",
        "to": TO_ALL,
        "data": {"code": "K7Q-PLX"},
        "created_at_ms": NOW_MS,
        "deliver_at_ms": NOW_MS,
    }
    return Message(**{**fields, **changes})


@pytest.mark.parametrize(("audience", "to"), AUDIENCES)
def test_an_audience_is_written_as_it_is_posted(audience, to):
    assert audience.to_json() == to


@pytest.mark.parametrize("to", [audience for audience, _ in AUDIENCES])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"expires_at_ms": NOW_MS + 30_000, "replace": "current-code", "once": True},
        {"data": None},
    ],
)
def test_the_stored_form_reads_back(to, changes):
    stored = message(to=to, **changes)
    assert message_from_json(message_to_json(stored)) == stored


def test_the_stored_form_leaves_out_what_says_nothing():
    assert message_to_json(message()) == {
        "id": "m1",
        "namespace": "/dropcodes",
        "event": "dropcode",
        "to": "all",
        "data": {"code": "K7Q-PLX"},
        "created_at_ms": NOW_MS,
        "deliver_at_ms": NOW_MS,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "everybody"},
        {"to": {"streamer": "a", "group": "b"}},
        {"to": {"planet": "a"}},
        {"to": {"streamers": 5}},
        {"to": None},
        {"colour": "red"},
    ],
)
def test_what_is_no_stored_message_is_refused(changes):
    with pytest.raises(ValueError, match="not a stored message"):
        message_from_json({**message_to_json(message()), **changes})


@pytest.mark.parametrize("stored", [{}, {"to": "all"}, None])
def test_what_lacks_fields_is_refused(stored):
    with pytest.raises(ValueError, match="not a stored message"):
        message_from_json(stored)


def test_the_answer_shows_the_message_and_what_became_of_it():
    record = MessageRecord(message(), b"", State.DONE, Receipts(3, 2, 1), NOW_MS)
    assert record_to_answer(record) == {
        "id": "m1",
        "namespace": "/dropcodes",
        "event": "dropcode",
        "to": "all",
        "data": {"code": "K7Q-PLX"},
        "once": False,
        "state": "done",
        "created_at": "2026-11-24T20:00:00.250Z",
        "deliver_at": "2026-11-24T20:00:00.250Z",
        "expires_at": None,
        "receipts": {"sent": 3, "delivered": 2, "acked": 1},
    }


def test_the_answer_of_a_message_with_an_end_names_it():
    posted = message(
        deliver_at_ms=NOW_MS + 1000, expires_at_ms=NOW_MS + 31_000, replace="current", once=True
    )
    answer = record_to_answer(MessageRecord(posted, b"", State.SCHEDULED))
    assert answer["state"] == "scheduled"
    assert answer["deliver_at"] == "2026-11-24T20:00:01.250Z"
    assert answer["expires_at"] == "2026-11-24T20:00:31.250Z"
    assert answer["ttl_ms"] == 30_000
    assert answer["replace"] == "current"
    assert answer["once"] is True


def test_data_is_kept_out_of_logs():
    assert "K7Q-PLX" not in repr(message())
