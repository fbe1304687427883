"""POST /v1/keys."""

import pytest

from reward_push.access.interfaces import KeyKind, Right

from .fakes import NOW, NOW_MS
from .test_messages import UNAVAILABLE, error

PLUGIN = {"kind": "plugin", "streamer": "s-42"}
BACKEND = {"kind": "backend", "rights": ["publish"]}


def test_a_plugin_key_with_everything(api):
    got = api.call(
        "POST",
        "/v1/keys",
        {
            **PLUGIN,
            "namespaces": ["/dropcodes"],
            "groups": ["eu", "vip", "eu"],
            "expires_at": "2027-01-01T00:00:00Z",
            "name": "OBS, living room",
        },
    )
    assert got.status == 201
    assert got.json == {
        "key_id": "k1",
        "kind": "plugin",
        "streamer": "s-42",
        "groups": ["eu", "vip"],
        "namespaces": ["/dropcodes"],
        "name": "OBS, living room",
        "created_at": NOW,
        "expires_at": "2027-01-01T00:00:00.000Z",
        "key": "rpk_k1_secret",
    }
    assert api.keys.created == [
        {
            "kind": KeyKind.PLUGIN,
            "name": "OBS, living room",
            "streamer": "s-42",
            "groups": ("eu", "vip"),
            "namespaces": ("/dropcodes",),
            "rights": frozenset(),
            "expires_at_ms": 1_798_761_600_000,
        }
    ]


def test_a_plugin_key_with_nothing_but_its_streamer(api):
    got = api.call("POST", "/v1/keys", PLUGIN)
    assert got.json == {
        "key_id": "k1",
        "kind": "plugin",
        "streamer": "s-42",
        "groups": [],
        "created_at": NOW,
        "key": "rpk_k1_secret",
    }


def test_a_gateway_key(api):
    got = api.call("POST", "/v1/keys", {**PLUGIN, "streamer": "*"})
    assert got.status == 201
    assert got.json["streamer"] == "*"


def test_a_backend_key(api):
    got = api.call(
        "POST",
        "/v1/keys",
        {
            "kind": "backend",
            "rights": ["admin", "read", "publish"],
            "namespaces": ["/", "/dropcodes"],
        },
    )
    assert got.status == 201
    assert got.json == {
        "key_id": "k1",
        "kind": "backend",
        "rights": ["publish", "read", "admin"],
        "namespaces": ["/", "/dropcodes"],
        "created_at": NOW,
        "key": "rpk_k1_secret",
    }
    [created] = api.keys.created
    assert created["rights"] == frozenset(Right)
    assert created["streamer"] is None


def test_the_end_of_a_key_may_come_in_epoch_milliseconds(api):
    got = api.call("POST", "/v1/keys", {**PLUGIN, "expires_at": NOW_MS + 1})
    assert got.json["expires_at"] == "2026-11-24T20:00:00.251Z"


NAME = "must be 1 to 64 of A-Z a-z 0-9 . _ : -"


@pytest.mark.parametrize(
    ("json", "message", "field"),
    [
        ({}, "kind is missing", "kind"),
        (
            {**PLUGIN, "kind": "admin"},
            'kind must be one of "plugin", "backend", not "admin"',
            "kind",
        ),
        ({"kind": "plugin"}, "streamer is missing: a plugin key needs it", "streamer"),
        ({"kind": "backend"}, "rights is missing: a backend key needs it", "rights"),
        ({**PLUGIN, "rights": ["read"]}, "a plugin key has no rights", "rights"),
        ({**BACKEND, "streamer": "s"}, "a backend key has no streamer", "streamer"),
        ({**BACKEND, "groups": []}, "a backend key has no groups", "groups"),
        (
            {**PLUGIN, "stream": "s"},
            'there is no field "stream": did you mean "streamer"?',
            "stream",
        ),
        ({**PLUGIN, "streamer": "**"}, f'streamer {NAME}, not "**"', "streamer"),
        ({**PLUGIN, "streamer": 42}, f"streamer {NAME}, not a number", "streamer"),
        ({**PLUGIN, "groups": "eu"}, "groups must be an array, not a string", "groups"),
        ({**PLUGIN, "groups": ["eu", "*"]}, f'groups[1] {NAME}, not "*"', "groups[1]"),
        ({**PLUGIN, "groups": ["g"] * 33}, "groups must have 0 to 32 items, not 33", "groups"),
        ({**PLUGIN, "name": ""}, "name must be 1 to 128 characters long, not 0", "name"),
        ({**PLUGIN, "name": "x" * 129}, "name must be 1 to 128 characters long, not 129", "name"),
        ({**PLUGIN, "name": "a\x1b[2J"}, "name must not contain control characters", "name"),
        ({**PLUGIN, "name": None}, "name must be a string, not null", "name"),
        ({**BACKEND, "rights": []}, "rights must have 1 to 3 items, not 0", "rights"),
        (
            {**BACKEND, "rights": ["publish", "reed"]},
            'rights[1] must be one of "publish", "read", "admin", not "reed": did you mean "read"?',
            "rights[1]",
        ),
        ({**PLUGIN, "namespaces": []}, "namespaces must have 1 to 3 items, not 0", "namespaces"),
        (
            {**PLUGIN, "namespaces": ["/other"]},
            'namespaces[0] must be one of "/", "/dropcodes", "/donations", not "/other"',
            "namespaces[0]",
        ),
        ({**PLUGIN, "expires_at": NOW}, "expires_at must be in the future", "expires_at"),
        ({**PLUGIN, "expires_at": 0}, "expires_at must be in the future", "expires_at"),
        (
            {**PLUGIN, "expires_at": "2027-01-01T00:00:00"},
            "expires_at has no zone: end it with Z or an offset like +01:00",
            "expires_at",
        ),
    ],
)
def test_what_is_wrong_is_named(api, json, message, field):
    got = api.call("POST", "/v1/keys", json)
    assert got.status == 400
    assert got.json == error("invalid_request", message, field)
    assert api.keys.created == []


@pytest.mark.parametrize("key", ["reader", "publisher"])
def test_it_takes_the_right_admin(api, key):
    got = api.call("POST", "/v1/keys", PLUGIN, key=key)
    assert got.status == 403
    assert got.json == error("forbidden", 'this key has not the right "admin"')


def test_a_limited_key_creates_only_keys_within_its_namespaces(api):
    got = api.call("POST", "/v1/keys", {**PLUGIN, "namespaces": ["/dropcodes"]}, key="limited")
    assert got.status == 201
    got = api.call("POST", "/v1/keys", PLUGIN, key="limited")
    assert got.status == 403
    assert got.json == error(
        "forbidden",
        "this key is limited to namespaces: name some of them for the new key",
        "namespaces",
    )
    wider = {**BACKEND, "namespaces": ["/dropcodes", "/donations"]}
    got = api.call("POST", "/v1/keys", wider, key="limited")
    assert got.status == 403
    assert got.json == error(
        "forbidden", 'this key may not create a key for namespace "/donations"', "namespaces"
    )
    assert len(api.keys.created) == 1


def test_without_a_store_503(api):
    api.keys.away = True
    got = api.call("POST", "/v1/keys", PLUGIN)
    assert got.status == 503
    assert got.json == UNAVAILABLE
