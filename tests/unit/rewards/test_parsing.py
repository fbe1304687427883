"""From what a backend posted to a message, or to the refusal that names what is wrong with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_push.rewards.errors import ErrorCode, Refused
from reward_push.rewards.message import (
    TO_ALL,
    Audience,
    AudienceKind,
    Message,
    MessageRecord,
    State,
)
from reward_push.rewards.names import is_name
from reward_push.rewards.parsing import RESERVED_EVENTS, MessageParser, make_id, too_late

from .test_digest import JSON

NOW_MS = 1_795_550_400_250
PARSER = MessageParser(("/", "/dropcodes"))
BODY = {"namespace": "/dropcodes", "event": "dropcode", "to": "all", "data": {"code": "K7Q"}}


def refusal(changes, without=()):
    body = {name: value for name, value in {**BODY, **changes}.items() if name not in without}
    with pytest.raises(Refused) as caught:
        PARSER.parse(body, NOW_MS)
    return caught.value


def test_a_message_is_due_at_once_and_done_once_sent():
    record = PARSER.parse({"id": "drop-8842", **BODY, "once": False}, NOW_MS)
    assert record.message == Message(
        id="drop-8842",
        namespace="/dropcodes",
        event="dropcode",
        to=TO_ALL,
        data={"code": "K7Q"},
        created_at_ms=NOW_MS,
        deliver_at_ms=NOW_MS,
    )
    assert (record.state, record.ended_at_ms) == (State.DONE, NOW_MS)


def test_an_id_is_made_up_when_there_is_none():
    ids = {PARSER.parse(BODY, NOW_MS).message.id for _ in range(100)}
    assert len(ids) == 100
    assert all(map(is_name, ids))
    assert len(make_id()) * 4 >= 96


@pytest.mark.parametrize("data", [None, False, 0, "", [], {}, "é" * 8190, [[[1.5]]]])
def test_data_is_any_json(data):
    assert PARSER.parse({**BODY, "data": data}, NOW_MS).message.data == data


@pytest.mark.parametrize(
    ("to", "audience"),
    [
        ("all", TO_ALL),
        ({"streamer": "s-42"}, Audience(AudienceKind.STREAMER, ("s-42",))),
        ({"streamers": ["b", "a", "b"]}, Audience(AudienceKind.STREAMERS, ("b", "a"))),
        ({"streamers": ["a"]}, Audience(AudienceKind.STREAMERS, ("a",))),
        ({"group": "eu"}, Audience(AudienceKind.GROUP, ("eu",))),
    ],
)
def test_audiences(to, audience):
    assert PARSER.parse({**BODY, "to": to}, NOW_MS).message.to == audience


def test_a_thousand_streamers_are_the_most():
    streamers = [f"s-{number}" for number in range(1001)]
    record = PARSER.parse({**BODY, "to": {"streamers": streamers[:1000]}}, NOW_MS)
    assert record.message.to.names == tuple(streamers[:1000])
    refused = refusal({"to": {"streamers": streamers}})
    assert refused.message == "to.streamers must have 1 to 1000 items, not 1001"


NAME = "must be 1 to 64 of A-Z a-z 0-9 . _ : -"


@pytest.mark.parametrize(
    ("changes", "message", "field"),
    [
        ({"namespce": 1}, 'there is no field "namespce": did you mean "namespace"?', "namespce"),
        ({"ttl": 5}, 'there is no field "ttl": did you mean "ttl_ms"?', "ttl"),
        ({"id": ""}, f'id {NAME}, not ""', "id"),
        ({"id": 5}, f"id {NAME}, not a number", "id"),
        ({"id": None}, f"id {NAME}, not null", "id"),
        ({"id": "a b"}, f'id {NAME}, not "a b"', "id"),
        (
            {"namespace": "dropcodes"},
            'namespace must be one of "/", "/dropcodes", not "dropcodes": did you mean "/dropcodes"?',
            "namespace",
        ),
        ({"namespace": 1}, 'namespace must be one of "/", "/dropcodes", not a number', "namespace"),
        ({"event": ""}, "event must be 1 to 128 characters long, not 0", "event"),
        ({"event": "x" * 129}, "event must be 1 to 128 characters long, not 129", "event"),
        ({"event": ["x"]}, "event must be a string, not an array", "event"),
        ({"to": "s-42"}, 'to must be "all" or an object like {"streamer": …}, not "s-42"', "to"),
        ({"to": None}, 'to must be "all" or an object like {"streamer": …}, not null', "to"),
        (
            {"to": ["s-42"]},
            'to must be "all" or an object like {"streamer": …}, not an array',
            "to",
        ),
        ({"to": {}}, "to must have one of streamer, streamers and group, not none", "to"),
        (
            {"to": {"streamer": "a", "group": "b"}},
            "to must have one of streamer, streamers and group, not 2",
            "to",
        ),
        (
            {"to": {"steamer": "a"}},
            'there is no field "to.steamer": did you mean "streamer"?',
            "to.steamer",
        ),
        ({"to": {"streamer": "*"}}, f'to.streamer {NAME}, not "*"', "to.streamer"),
        ({"to": {"group": ""}}, f'to.group {NAME}, not ""', "to.group"),
        (
            {"to": {"streamers": []}},
            "to.streamers must have 1 to 1000 items, not 0",
            "to.streamers",
        ),
        ({"to": {"streamers": "a"}}, "to.streamers must be an array, not a string", "to.streamers"),
        (
            {"to": {"streamers": ["a", "b", "c", 4]}},
            f"to.streamers[3] {NAME}, not a number",
            "to.streamers[3]",
        ),
        ({"once": 0}, "once must be true or false, not a number", "once"),
        ({"once": None}, "once must be true or false, not null", "once"),
        ({"data": float("inf")}, "data is no JSON, or nested too deeply", "data"),
    ],
)
def test_what_is_wrong_is_named(changes, message, field):
    refused = refusal(changes)
    assert refused.code is ErrorCode.INVALID_REQUEST
    assert (refused.message, refused.field) == (message, field)


@pytest.mark.parametrize("field", ["namespace", "event", "to", "data"])
def test_required_fields(field):
    refused = refusal({}, without=[field])
    assert refused.code is ErrorCode.INVALID_REQUEST
    assert (refused.message, refused.field) == (f"{field} is missing", field)


@pytest.mark.parametrize("body", [None, 5, "x", [BODY], True])
def test_a_message_is_an_object(body):
    with pytest.raises(Refused, match="a message must be an object, not ") as caught:
        PARSER.parse(body, NOW_MS)
    assert caught.value.field is None


@pytest.mark.parametrize("event", sorted(RESERVED_EVENTS))
def test_reserved_events(event):
    refused = refusal({"event": event})
    assert refused.code is ErrorCode.INVALID_REQUEST
    assert (refused.message, refused.field) == (f'event "{event}" is a reserved name', "event")


def test_the_reserved_events_are_those_of_the_protocol_and_ours():
    assert sorted(RESERVED_EVENTS) == [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "refresh",
        "removeListener",
        "revoke",
    ]


DAY_MS = 86_400_000
AT = "2026-11-24T20:00:01.250Z"
"""A second after ``NOW_MS``."""


@pytest.mark.parametrize(
    ("changes", "state", "deliver_at", "expires_at"),
    [
        ({}, State.DONE, 0, None),
        ({"ttl_ms": 1}, State.LIVE, 0, 1),
        ({"ttl_ms": 30_000}, State.LIVE, 0, 30_000),
        ({"ttl_ms": 30_000.0}, State.LIVE, 0, 30_000),
        ({"delay_ms": 0}, State.DONE, 0, None),
        ({"delay_ms": 0, "ttl_ms": 5}, State.LIVE, 0, 5),
        ({"delay_ms": 1}, State.SCHEDULED, 1, None),
        ({"delay_ms": 1500, "ttl_ms": 10}, State.SCHEDULED, 1500, 1510),
        ({"deliver_at": AT}, State.SCHEDULED, 1000, None),
        ({"deliver_at": NOW_MS + 1000, "ttl_ms": 7}, State.SCHEDULED, 1000, 1007),
        ({"deliver_at": "2026-11-24T21:00:01.25+01:00"}, State.SCHEDULED, 1000, None),
        ({"deliver_at": NOW_MS, "ttl_ms": 1}, State.LIVE, 0, 1),
        ({"deliver_at": NOW_MS}, State.DONE, 0, None),
        # Past: live with what is left, done at once without an end.
        ({"deliver_at": NOW_MS - 999, "ttl_ms": 1000}, State.LIVE, -999, 1),
        ({"deliver_at": NOW_MS - 30 * DAY_MS}, State.DONE, -30 * DAY_MS, None),
        ({"deliver_at": NOW_MS - 1000, "ttl_ms": 1000}, State.EXPIRED, -1000, 0),
        # Bounds.
        ({"ttl_ms": 366 * DAY_MS}, State.LIVE, 0, 366 * DAY_MS),
        ({"delay_ms": 366 * DAY_MS}, State.SCHEDULED, 366 * DAY_MS, None),
        ({"deliver_at": NOW_MS + 366 * DAY_MS}, State.SCHEDULED, 366 * DAY_MS, None),
    ],
)
def test_when_a_message_begins_and_ends(changes, state, deliver_at, expires_at):
    record = PARSER.parse({**BODY, **changes}, NOW_MS)
    end = None if expires_at is None else NOW_MS + expires_at
    assert record.message.deliver_at_ms == NOW_MS + deliver_at
    assert record.message.expires_at_ms == end
    assert record.message.created_at_ms == NOW_MS
    assert record.state is state
    ended = state in (State.DONE, State.EXPIRED)
    assert record.ended_at_ms == (NOW_MS if ended else None)


@pytest.mark.parametrize(
    ("changes", "message", "field"),
    [
        ({"ttl_ms": 0}, "ttl_ms must be from 1 to 31622400000", "ttl_ms"),
        ({"ttl_ms": 366 * DAY_MS + 1}, "ttl_ms must be from 1 to 31622400000", "ttl_ms"),
        ({"ttl_ms": "5"}, "ttl_ms must be a whole number, not a string", "ttl_ms"),
        ({"ttl_ms": 1.5}, "ttl_ms must be a whole number, not a fraction", "ttl_ms"),
        ({"ttl_ms": None}, "ttl_ms must be a whole number, not null", "ttl_ms"),
        ({"ttl_ms": True}, "ttl_ms must be a whole number, not a boolean", "ttl_ms"),
        ({"delay_ms": -1}, "delay_ms must be from 0 to 31622400000", "delay_ms"),
        ({"delay_ms": 366 * DAY_MS + 1}, "delay_ms must be from 0 to 31622400000", "delay_ms"),
        (
            {"deliver_at": AT, "delay_ms": 1000},
            "deliver_at and delay_ms exclude each other: give one of them",
            "delay_ms",
        ),
        (
            {"deliver_at": NOW_MS + 366 * DAY_MS + 1},
            "deliver_at must be at most 366 days ahead",
            "deliver_at",
        ),
        (
            {"deliver_at": "2026-11-24T20:00:01"},
            "deliver_at has no zone: end it with Z or an offset like +01:00",
            "deliver_at",
        ),
        (
            {"deliver_at": NOW_MS // 1000},
            f"deliver_at must be epoch milliseconds; {NOW_MS // 1000} looks like seconds",
            "deliver_at",
        ),
        (
            {"deliver_at": None},
            "deliver_at must be an RFC 3339 string or epoch milliseconds, not null",
            "deliver_at",
        ),
        ({"replace": ""}, f'replace {NAME}, not ""', "replace"),
        ({"replace": "x" * 65}, f'replace {NAME}, not "{"x" * 39}…"', "replace"),
        ({"replace": None}, f"replace {NAME}, not null", "replace"),
    ],
)
def test_what_is_wrong_with_a_lifetime_is_named(changes, message, field):
    refused = refusal(changes)
    assert refused.code is ErrorCode.INVALID_REQUEST
    assert (refused.message, refused.field) == (message, field)


@pytest.mark.parametrize("ttl", [{}, {"ttl_ms": 30_000}])
def test_replace_and_once_go_with_and_without_an_end(ttl):
    message = PARSER.parse({**BODY, **ttl, "replace": "current", "once": True}, NOW_MS).message
    assert (message.replace, message.once) == ("current", True)


def test_the_same_delay_is_the_same_message_at_another_time():
    first = PARSER.parse({**BODY, "delay_ms": 1000}, NOW_MS)
    again = PARSER.parse({"delay_ms": 1000.0, **BODY}, NOW_MS + 5000)
    assert first.digest == again.digest
    assert first.message.deliver_at_ms != again.message.deliver_at_ms


def test_a_message_that_is_over_is_refused_in_words():
    record = PARSER.parse({**BODY, "deliver_at": NOW_MS - 250, "ttl_ms": 1}, NOW_MS)
    refused = too_late(record.message)
    assert refused.code is ErrorCode.TOO_LATE
    assert refused.field == "deliver_at"
    assert refused.message == (
        "its life is over: deliver_at and ttl_ms end at 2026-11-24T20:00:00.001Z"
    )


def test_an_unknown_field_is_named_before_one_that_is_wrong():
    assert refusal({"ttl_ms": 0, "colour": 1}, without=["to"]).field == "colour"


def test_data_may_have_16_kib_when_written_compactly():
    exact = ["é" * 4000, " " * (16384 - len('["",""]') - 2 * 4000)]
    assert PARSER.parse({**BODY, "data": exact}, NOW_MS).message.data == exact
    refused = refusal({"data": [exact[0], exact[1] + " "]})
    assert refused.code is ErrorCode.TOO_LARGE
    assert refused.message == "data has 16385 bytes of JSON; at most 16384 are allowed"
    assert refused.field == "data"


def test_data_nested_too_deeply_is_refused_whatever_the_interpreter_takes():
    nested = []
    for _ in range(200_000):
        nested = [nested]
    refused = refusal({"data": nested})
    assert (refused.code, refused.field) in [
        (ErrorCode.INVALID_REQUEST, "data"),
        (ErrorCode.TOO_LARGE, "data"),
    ]


def test_every_depth_ends_in_a_message_or_a_refusal():
    """Also where the interpreter's limit lies between the data and the message around it."""
    nested = []
    kinds = set()
    for _ in range(1100):
        nested = [nested]
        try:
            kinds.add(type(PARSER.parse({**BODY, "data": nested}, NOW_MS)))
        except Refused as refused:
            kinds.add(type(refused))
    assert kinds <= {MessageRecord, Refused}


def test_a_lone_surrogate_in_data_is_refused():
    assert refusal({"data": "\ud800"}).field == "data"


@given(
    JSON
    | st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            [*BODY, "id", "once", "ttl_ms", "deliver_at", "delay_ms", "replace"], JSON
        ),
    )
)
def test_any_json_is_a_message_or_refused(body):
    try:
        outcome = PARSER.parse(body, NOW_MS)
    except Refused as refused:
        outcome = refused
    assert isinstance(outcome, MessageRecord | Refused)
