"""GET /v1/streamers/{streamer}, and its disconnect."""

import pytest
from zope.interface.verify import verifyObject

from reward_push.rewards.presence import IPresence, PresentSocket

from .fakes import NOW_MS
from .test_messages import error

SOCKETS = [
    PresentSocket("s2", "/dropcodes", "obs", "websocket", 4, NOW_MS + 5, 12.3456, "aB3x_9"),
    PresentSocket("s1", "/donations", None, "polling", 3, NOW_MS, None, "aB3x_9"),
]
NAME = "must be 1 to 64 of A-Z a-z 0-9 . _ : -"


@pytest.fixture
def present(api):
    api.presence.sockets["s-42"] = list(SOCKETS)
    return api


def test_presence_keeps_its_interface(api):
    assert verifyObject(IPresence, api.presence)


def test_an_online_streamer_with_its_sockets_oldest_first(present):
    got = present.call("GET", "/v1/streamers/s-42")
    assert got.status == 200
    assert got.json == {
        "streamer": "s-42",
        "online": True,
        "sockets": [
            {
                "socket_id": "s1",
                "namespace": "/donations",
                "device": None,
                "transport": "polling",
                "revision": 3,
                "since": "2026-11-24T20:00:00.250Z",
                "rtt_ms": None,
                "node": "aB3x_9",
            },
            {
                "socket_id": "s2",
                "namespace": "/dropcodes",
                "device": "obs",
                "transport": "websocket",
                "revision": 4,
                "since": "2026-11-24T20:00:00.255Z",
                "rtt_ms": 12.3,
                "node": "aB3x_9",
            },
        ],
    }


def test_nodes_that_did_not_answer_are_named(present):
    present.presence.silent = ("n2",)
    assert present.call("GET", "/v1/streamers/s-42").json["silent_nodes"] == ["n2"]


def test_a_streamer_without_sockets_is_offline(api):
    got = api.call("GET", "/v1/streamers/nobody")
    assert got.status == 200
    assert got.json == {"streamer": "nobody", "online": False, "sockets": []}


def test_a_limited_key_sees_and_closes_only_its_namespaces(present):
    got = present.call("GET", "/v1/streamers/s-42", key="limited")
    assert [each["socket_id"] for each in got.json["sockets"]] == ["s2"]
    got = present.call("POST", "/v1/streamers/s-42/disconnect", key="limited")
    assert got.json == {"closed": 1}
    assert present.presence.disconnected == [("s-42", ("/dropcodes",))]


def test_disconnecting_tells_how_many_were_closed(present):
    got = present.call("POST", "/v1/streamers/s-42/disconnect")
    assert (got.status, got.json) == (200, {"closed": 2})
    got = present.call("POST", "/v1/streamers/s-42/disconnect")
    assert (got.status, got.json) == (200, {"closed": 0})
    assert present.presence.disconnected == [("s-42", None)] * 2


@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("POST", "/disconnect")])
def test_what_is_no_streamer_is_400(api, method, tail):
    got = api.call(method, f"/v1/streamers/a%20b{tail}")
    assert got.status == 400
    assert got.json == error("invalid_request", f'streamer {NAME}, not "a b"', "streamer")


def test_rights(api):
    assert api.call("GET", "/v1/streamers/s", key=None).status == 401
    assert api.call("GET", "/v1/streamers/s", key="publisher").status == 403
    assert api.call("GET", "/v1/streamers/s", key="reader").status == 200
    assert api.call("POST", "/v1/streamers/s/disconnect", key=None).status == 401
    got = api.call("POST", "/v1/streamers/s/disconnect", key="reader")
    assert got.status == 403
    assert got.json == error("forbidden", 'this key has not the right "admin"')


def test_parameters_are_refused(api):
    assert api.call("GET", "/v1/streamers/s?limit=5").status == 400
