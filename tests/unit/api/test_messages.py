"""POST /v1/messages and /v1/messages/batch, DELETE /v1/messages/{id}."""

import pytest

from .fakes import BODY, NOW


def error(code, message, field=None):
    told = {"code": code, "message": message}
    return {"error": told if field is None else {**told, "field": field}}


def test_a_new_message_is_answered_201_as_understood(api):
    got = api.call("POST", "/v1/messages", {"id": "drop-8842", **BODY})
    assert got.status == 201
    assert got.json == {
        "id": "drop-8842",
        "namespace": "/dropcodes",
        "event": "dropcode",
        "to": {"streamer": "s-42"},
        "data": {"code": "K7Q"},
        "once": False,
        "state": "done",
        "created_at": NOW,
        "deliver_at": NOW,
        "expires_at": None,
        "receipts": {"sent": 2, "delivered": 0, "acked": 0},
    }
    assert api.delivery.ids == ["drop-8842"]


def test_an_answer_is_compact_utf_8_json_that_no_cache_keeps(api):
    got = api.call("POST", "/v1/messages", {**BODY, "data": "é"})
    assert rb'"data":"\u00e9"' in got.body
    assert got.header("Content-Type") == ["application/json"]
    assert got.header("Cache-Control") == ["no-store"]


def test_the_same_again_is_answered_200_with_the_first_answer(api):
    first = api.call("POST", "/v1/messages", {"id": "a", **BODY})
    again = api.call("POST", "/v1/messages", {**BODY, "id": "a"})
    assert (first.status, again.status) == (201, 200)
    assert again.json == first.json
    assert api.delivery.ids == ["a"]


def test_another_body_under_a_known_id_is_409(api):
    api.call("POST", "/v1/messages", {"id": "a", **BODY})
    got = api.call("POST", "/v1/messages", {"id": "a", **BODY, "data": 2})
    assert got.status == 409
    assert got.json == error("conflict", 'there is another message with the id "a"', "id")


def test_a_misspelt_field_is_400_and_names_the_right_one(api):
    got = api.call("POST", "/v1/messages", {**BODY, "ttl": 5})
    assert got.status == 400
    assert got.json == error(
        "invalid_request", 'there is no field "ttl": did you mean "ttl_ms"?', "ttl"
    )
    assert api.store.accepted == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/messages", BODY),
        ("POST", "/v1/messages/batch", {"messages": [BODY]}),
        ("DELETE", "/v1/messages/a", None),
        ("POST", "/v1/keys", {"kind": "plugin", "streamer": "s-42"}),
        ("DELETE", "/v1/keys/aaaaaaaaaaaa", None),
        ("POST", "/v1/streamers/s-42/disconnect", None),
    ],
)
def test_what_is_asked_in_the_query_is_not_ignored(api, method, path, body):
    """``?ttl_ms=500`` would be a message without an end."""
    got = api.call(method, f"{path}?ttl_ms=500", body)
    assert got.status == 400
    assert got.json == error("invalid_request", 'there is no parameter "ttl_ms"', "ttl_ms")
    assert api.store.accepted == []


def test_a_live_message_is_answered_with_its_end(api):
    got = api.call(
        "POST",
        "/v1/messages",
        {"id": "a", **BODY, "ttl_ms": 30_000, "replace": "now", "once": True},
    )
    assert got.status == 201
    assert got.json == {
        "id": "a",
        "namespace": "/dropcodes",
        "event": "dropcode",
        "to": {"streamer": "s-42"},
        "data": {"code": "K7Q"},
        "once": True,
        "replace": "now",
        "state": "live",
        "created_at": NOW,
        "deliver_at": NOW,
        "ttl_ms": 30_000,
        "expires_at": "2026-11-24T20:00:30.250Z",
        "receipts": {"sent": 2, "delivered": 0, "acked": 0},
    }


def test_a_scheduled_message_is_answered_with_its_moment(api):
    got = api.call("POST", "/v1/messages", {**BODY, "delay_ms": 1500})
    assert got.status == 201
    assert (got.json["state"], got.json["deliver_at"]) == ("scheduled", "2026-11-24T20:00:01.750Z")
    assert got.json["receipts"] == {"sent": 0, "delivered": 0, "acked": 0}
    assert api.delivery.ids == []


def test_a_message_whose_life_is_over_is_422(api):
    got = api.call(
        "POST", "/v1/messages", {**BODY, "deliver_at": "2026-11-24T20:00:00Z", "ttl_ms": 250}
    )
    assert got.status == 422
    assert got.json == error(
        "too_late",
        "its life is over: deliver_at and ttl_ms end at 2026-11-24T20:00:00.250Z",
        "deliver_at",
    )


def test_two_ways_to_say_when_are_400(api):
    got = api.call("POST", "/v1/messages", {**BODY, "deliver_at": NOW, "delay_ms": 5})
    assert got.status == 400
    assert got.json == error(
        "invalid_request",
        "deliver_at and delay_ms exclude each other: give one of them",
        "delay_ms",
    )


def test_data_over_16_kib_is_413(api):
    got = api.call("POST", "/v1/messages", {**BODY, "data": "x" * 16383})
    assert got.status == 413
    assert got.json == error(
        "too_large", "data has 16385 bytes of JSON; at most 16384 are allowed", "data"
    )


def test_a_key_limited_to_namespaces_gets_403_elsewhere(api):
    assert api.call("POST", "/v1/messages", BODY, key="limited").status == 201
    got = api.call("POST", "/v1/messages", {**BODY, "namespace": "/donations"}, key="limited")
    assert got.status == 403
    assert got.json == error(
        "forbidden", 'this key may not publish to namespace "/donations"', "namespace"
    )


def test_an_unknown_namespace_is_400(api):
    got = api.call("POST", "/v1/messages", {**BODY, "namespace": "/dropcode"})
    assert got.status == 400
    assert got.json == error(
        "invalid_request",
        'namespace must be one of "/", "/dropcodes", "/donations", not "/dropcode": '
        'did you mean "/dropcodes"?',
        "namespace",
    )


UNAVAILABLE = error("unavailable", "the store is not available; nothing was accepted, try again")


@pytest.mark.parametrize(
    ("path", "json"),
    [("/v1/messages", BODY), ("/v1/messages/batch", {"messages": [BODY, {}]})],
)
def test_without_a_store_nothing_is_accepted_and_the_answer_is_503(api, path, json):
    api.store.away = True
    got = api.call("POST", path, json)
    assert got.status == 503
    assert got.json == UNAVAILABLE
    assert api.delivery.ids == []


def test_without_a_store_a_key_cannot_be_looked_up_503(api):
    api.keys.away = True
    got = api.call("POST", "/v1/messages", BODY)
    assert got.status == 503
    assert got.json == UNAVAILABLE


def test_the_answer_waits_for_the_commit(api):
    api.store.holds = True
    answers = api.start("POST", "/v1/messages", BODY)
    assert answers == []
    api.store.report()
    api.flush()
    assert [got.status for got in answers] == [201]


def test_a_batch_has_one_result_a_message_in_order(api):
    got = api.call(
        "POST",
        "/v1/messages/batch",
        {
            "messages": [
                {"id": "a", **BODY},
                {"id": "b", **BODY, "event": "connect"},
                {"id": "a", **BODY},
                {"id": "a", **BODY, "data": 2},
                {"id": "c", **BODY, "ttl_ms": 1, "deliver_at": "2026-11-24T20:00:00Z"},
                {"id": "d", **BODY, "data": "x" * 16384},
                "e",
                {"id": "f", **BODY},
            ]
        },
    )
    assert got.status == 200
    results = got.json["results"]
    assert [result["status"] for result in results] == [201, 400, 200, 409, 422, 413, 400, 201]
    assert results[0] == {"status": 201, "message": {**results[0]["message"], "id": "a"}}
    assert results[2] == {"status": 200, "message": results[0]["message"]}
    assert results[1] == {
        "status": 400,
        **error("invalid_request", 'event "connect" is a reserved name', "event"),
    }
    assert [results[index]["error"]["code"] for index in (3, 4, 5, 6)] == [
        "conflict",
        "too_late",
        "too_large",
        "invalid_request",
    ]
    assert results[6]["error"] == {
        "code": "invalid_request",
        "message": "a message must be an object, not a string",
    }
    assert results[7]["message"]["receipts"] == {"sent": 2, "delivered": 0, "acked": 0}
    assert api.delivery.ids == ["a", "f"]


def test_a_batch_by_a_limited_key_is_judged_message_by_message(api):
    got = api.call(
        "POST",
        "/v1/messages/batch",
        {"messages": [{**BODY, "namespace": "/donations"}, BODY]},
        key="limited",
    )
    assert [result["status"] for result in got.json["results"]] == [403, 201]


def test_a_thousand_messages_are_the_most(api):
    got = api.call("POST", "/v1/messages/batch", {"messages": [BODY] * 1000})
    assert [result["status"] for result in got.json["results"]] == [201] * 1000
    assert sum(map(len, api.store.accepted)) == 1000
    got = api.call("POST", "/v1/messages/batch", {"messages": [BODY] * 1001})
    assert got.status == 400
    assert got.json == error(
        "invalid_request", "messages must have 1 to 1000 items, not more", "messages"
    )
    got = api.call("POST", "/v1/messages/batch", {"messages": [{}] * 1001})
    assert got.json == error(
        "invalid_request", "messages must have 1 to 1000 items, not 1001", "messages"
    )


@pytest.mark.parametrize(
    ("json", "message", "field"),
    [
        ({"messages": []}, "messages must have 1 to 1000 items, not 0", "messages"),
        ({"messages": {}}, "messages must be an array, not an object", "messages"),
        ({}, "messages is missing", "messages"),
        ({"message": []}, 'there is no field "message": did you mean "messages"?', "message"),
        ([BODY], "the body must be a JSON object, not an array", None),
    ],
)
def test_a_batch_of_another_shape_is_400(api, json, message, field):
    got = api.call("POST", "/v1/messages/batch", json)
    assert got.status == 400
    assert got.json == error("invalid_request", message, field)


@pytest.mark.parametrize("changes", [{"ttl_ms": 30_000}, {"delay_ms": 1500}])
def test_a_message_is_cancelled_and_again(api, changes):
    posted = api.call("POST", "/v1/messages", {"id": "a", **BODY, **changes})
    got = api.call("DELETE", "/v1/messages/a")
    assert got.status == 200
    assert got.json == {
        **posted.json,
        "state": "cancelled",
        "receipts": {"sent": 0, "delivered": 0, "acked": 0},
    }
    again = api.call("DELETE", "/v1/messages/a")
    assert (again.status, again.json) == (200, got.json)
    assert [each.message_id for each in api.delivery.revoked] == ["a"]


def test_what_had_ended_otherwise_is_409(api):
    api.call("POST", "/v1/messages", {"id": "a", **BODY})
    got = api.call("DELETE", "/v1/messages/a")
    assert got.status == 409
    assert got.json == error("conflict", 'message "a" is done: it cannot be cancelled any more')


@pytest.mark.parametrize("message_id", ["a", "a%20b", "%FF", "x" * 65])
def test_an_unknown_message_cannot_be_cancelled(api, message_id):
    got = api.call("DELETE", f"/v1/messages/{message_id}")
    assert (got.status, got.json["error"]["code"]) == (404, "not_found")
    assert "there is no message with the id" in got.json["error"]["message"]


def test_a_limited_key_cancels_only_in_its_namespaces(api):
    for message_id, namespace in [("a", "/dropcodes"), ("b", "/donations")]:
        api.call(
            "POST",
            "/v1/messages",
            {"id": message_id, **BODY, "namespace": namespace, "ttl_ms": 30_000},
        )
    assert api.call("DELETE", "/v1/messages/a", key="limited").status == 200
    assert api.call("DELETE", "/v1/messages/b", key="limited").status == 404
    assert api.call("DELETE", "/v1/messages/b").status == 200


def test_cancelling_takes_the_right_publish(api):
    assert api.call("DELETE", "/v1/messages/a", key=None).status == 401
    got = api.call("DELETE", "/v1/messages/a", key="reader")
    assert got.status == 403
    assert got.json == error("forbidden", 'this key has not the right "publish"')
    assert api.call("DELETE", "/v1/messages/a", key="publisher").status == 404


def test_without_a_store_nothing_is_cancelled_and_the_answer_is_503(api):
    api.store.away = True
    assert api.call("DELETE", "/v1/messages/a").status == 503
