"""GET /v1/messages and /v1/messages/{id}."""

import pytest

from reward_push.rewards.interfaces import Level, Receipt

from .fakes import BODY, NOW, NOW_MS
from .test_messages import UNAVAILABLE, error


def post(api, message_id, **changes):
    got = api.call("POST", "/v1/messages", {"id": message_id, **BODY, **changes})
    assert got.status == 201
    return got.json


def ids(got):
    assert got.status == 200
    return [item["id"] for item in got.json["items"]]


def test_a_message_with_a_row_for_each_device(api):
    posted = post(api, "a", ttl_ms=30_000)
    for key_id, streamer, name in [("k2", "s-42", None), ("k1", "s-42", "obs"), ("k1", "s-1", "x")]:
        api.store.open_device(key_id, streamer, name, NOW_MS)
    api.store.note(
        {
            "a": [
                Receipt(number, level, NOW_MS + number)
                for level, number in zip(Level, api.store.devices, strict=True)
            ]
        }
    )
    got = api.call("GET", "/v1/messages/a")
    assert got.status == 200
    at = "2026-11-24T20:00:00.2{}Z".format
    numbers = list(api.store.devices)
    assert got.json == {
        **posted,
        "receipts": {"sent": 3, "delivered": 2, "acked": 1},
        "devices": [
            {
                "streamer": "s-1",
                "key_id": "k1",
                "device": "x",
                "state": "acked",
                "at": at(50 + numbers[2]),
            },
            {
                "streamer": "s-42",
                "key_id": "k1",
                "device": "obs",
                "state": "delivered",
                "at": at(50 + numbers[1]),
            },
            {
                "streamer": "s-42",
                "key_id": "k2",
                "device": None,
                "state": "sent",
                "at": at(50 + numbers[0]),
            },
        ],
    }


def test_a_message_nobody_had_yet(api):
    posted = post(api, "a", delay_ms=1000)
    assert api.call("GET", "/v1/messages/a").json == {**posted, "devices": []}


@pytest.mark.parametrize("path", ["/v1/messages/a", "/v1/messages"])
def test_what_is_known_of_receipts_is_in_the_store_before_it_is_asked(api, path):
    post(api, "a", ttl_ms=30_000)
    api.store.calls.clear()
    api.flushing = True
    answers = api.start("GET", path)
    assert (answers, api.store.calls) == ([], [])
    api.flushes.pop().callback(None)
    api.flush()
    assert answers[0].status == 200


@pytest.mark.parametrize("message_id", ["nobody", "a%20b", "%FF", "x" * 65, "..%2F"])
def test_an_unknown_message_is_404(api, message_id):
    got = api.call("GET", f"/v1/messages/{message_id}")
    assert (got.status, got.json["error"]["code"]) == (404, "not_found")


def test_a_limited_key_sees_only_messages_of_its_namespaces(api):
    post(api, "a")
    post(api, "b", namespace="/donations")
    assert api.call("GET", "/v1/messages/a", key="limited").status == 200
    foreign = api.call("GET", "/v1/messages/b", key="limited")
    assert foreign.status == 404
    assert foreign.json == error("not_found", 'there is no message with the id "b"')
    assert ids(api.call("GET", "/v1/messages", key="limited")) == ["a"]


def test_the_list_has_the_newest_first_and_goes_on_at_its_cursor(api):
    for number in range(7):
        post(api, f"m{number}")
    got = api.call("GET", "/v1/messages?limit=3")
    assert ids(got) == ["m6", "m5", "m4"]
    assert got.json["items"][0] == api.call("POST", "/v1/messages", {"id": "m6", **BODY}).json
    post(api, "new")
    second = api.call("GET", f"/v1/messages?limit=3&cursor={got.json['next_cursor']}")
    assert ids(second) == ["m3", "m2", "m1"]
    third = api.call("GET", f"/v1/messages?limit=3&cursor={second.json['next_cursor']}")
    assert ids(third) == ["m0"]
    assert third.json["next_cursor"] is None


def test_a_page_has_50_unless_asked_for_up_to_200(api):
    for number in range(201):
        post(api, f"m{number}")
    assert len(ids(api.call("GET", "/v1/messages"))) == 50
    assert len(ids(api.call("GET", "/v1/messages?limit=200"))) == 200


def test_an_empty_list(api):
    assert api.call("GET", "/v1/messages").json == {"items": [], "next_cursor": None}


def test_lists_by_state_and_by_streamer(api):
    post(api, "live", ttl_ms=1000)
    post(api, "done")
    post(api, "later", delay_ms=1000, to={"streamers": ["s-1", "s-2"]})
    post(api, "all", to="all")
    assert ids(api.call("GET", "/v1/messages?state=live")) == ["live"]
    assert ids(api.call("GET", "/v1/messages?state=scheduled")) == ["later"]
    assert ids(api.call("GET", "/v1/messages?state=expired")) == []
    assert ids(api.call("GET", "/v1/messages?streamer=s-42")) == ["done", "live"]
    assert ids(api.call("GET", "/v1/messages?streamer=s-2")) == ["later"]
    assert ids(api.call("GET", "/v1/messages?streamer=s-42&state=done")) == ["done"]


def test_for_a_limited_key_pages_of_others_are_passed_over_within_bounds(api):
    post(api, "first")
    for number in range(25):
        post(api, f"m{number}", namespace="/donations")
    post(api, "last")
    got = api.call("GET", "/v1/messages?limit=2", key="limited")
    assert ids(got) == ["last"]
    following = f"/v1/messages?limit=2&cursor={got.json['next_cursor']}"
    got = api.call("GET", following, key="limited")
    assert ids(got) == []  # Ten pages are read at most; the cursor leads on.
    got = api.call("GET", f"/v1/messages?limit=2&cursor={got.json['next_cursor']}", key="limited")
    assert ids(got) == ["first"]
    assert got.json["next_cursor"] is None


CURSOR = "cursor must be the next_cursor of an earlier answer"


@pytest.mark.parametrize(
    ("query", "message", "field"),
    [
        ("colour=1", 'there is no parameter "colour"', "colour"),
        ("stat=live", 'there is no parameter "stat": did you mean "state"?', "stat"),
        ("limit=1&limit=2", "limit came more than once", "limit"),
        ("limit=0", 'limit must be a whole number from 1 to 200, not "0"', "limit"),
        ("limit=201", 'limit must be a whole number from 1 to 200, not "201"', "limit"),
        ("limit=", 'limit must be a whole number from 1 to 200, not ""', "limit"),
        ("limit=-1", 'limit must be a whole number from 1 to 200, not "-1"', "limit"),
        ("limit=1.0", 'limit must be a whole number from 1 to 200, not "1.0"', "limit"),
        ("limit=%D9%A3", 'limit must be a whole number from 1 to 200, not "٣"', "limit"),
        ("state=", None, "state"),
        ("state=Live", None, "state"),
        ("streamer=", None, "streamer"),
        ("streamer=*", None, "streamer"),
        ("cursor=", CURSOR, "cursor"),
        ("cursor=5", CURSOR, "cursor"),
        ("cursor=AAAAAAAAAAA=", CURSOR, "cursor"),
        ("cursor=AAAAAAAAAAB", CURSOR, "cursor"),
        ("cursor=__________8", CURSOR, "cursor"),
        ("cursor=%C3%A9", CURSOR, "cursor"),
        ("cursor=" + "A" * 1000, CURSOR, "cursor"),
    ],
)
def test_what_is_wrong_with_a_query_is_named(api, query, message, field):
    got = api.call("GET", f"/v1/messages?{query}")
    assert got.status == 400
    told = got.json["error"]
    assert (told["code"], told["field"]) == ("invalid_request", field)
    assert message in (None, told["message"])


def test_too_many_parameters(api):
    got = api.call("GET", "/v1/messages?" + "&".join(f"p{each}=1" for each in range(33)))
    assert got.status == 400
    assert got.json == error("invalid_request", "the query has more than 32 parameters")


def test_a_single_message_takes_no_parameters(api):
    assert api.call("GET", "/v1/messages/a?x=1").status == 400


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/a"])
def test_reading_takes_the_right_read(api, path):
    post(api, "a")
    assert api.call("GET", path, key=None).status == 401
    assert api.call("GET", path, key="plugin").status == 403
    got = api.call("GET", path, key="publisher")
    assert got.status == 403
    assert got.json == error("forbidden", 'this key has not the right "read"')
    assert api.call("GET", path, key="reader").status == 200


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/a"])
def test_without_a_store_503(api, path):
    api.store.away = True
    got = api.call("GET", path)
    assert (got.status, got.json) == (503, UNAVAILABLE)


def test_times_are_those_of_the_message(api):
    posted = post(api, "a", ttl_ms=1000)
    assert posted["created_at"] == NOW
    assert api.call("GET", "/v1/messages/a").json["created_at"] == NOW
