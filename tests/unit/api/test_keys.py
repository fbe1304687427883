"""Keys over the API: made, listed, revoked."""

import pytest

from reward_push.access.interfaces import Key, KeyKind, Right

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
            "max_connections": 3,
            "name": "OBS, living room",
        },
    )
    assert got.status == 201
    assert got.json == {
        "key_id": "k1",
        "kind": "plugin",
        "streamer": "s-42",
        "groups": ["eu", "vip"],
        "max_connections": 3,
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
            "max_connections": 3,
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


# Listing


def stored(number, **changes):
    return Key(
        f"{'abcdefgh'[number] * 12}",
        KeyKind.PLUGIN,
        NOW_MS - number,
        streamer=f"s-{number}",
        **changes,
    )


LIMITED = ("/dropcodes",)


def ids(got):
    return [each["key_id"] for each in got.json["items"]]


def test_keys_are_listed_without_their_secrets(api):
    plugin = stored(0, name="OBS", groups=("eu",), namespaces=LIMITED, expires_at_ms=NOW_MS + 1)
    backend = Key("b" * 12, KeyKind.BACKEND, NOW_MS, rights=frozenset({Right.READ}))
    api.keys.stored = [plugin, backend]
    api.keys.used = {backend.key_id: NOW_MS}
    got = api.call("GET", "/v1/keys")
    assert got.status == 200
    assert got.json == {
        "items": [
            {
                "key_id": "aaaaaaaaaaaa",
                "kind": "plugin",
                "streamer": "s-0",
                "groups": ["eu"],
                "namespaces": ["/dropcodes"],
                "name": "OBS",
                "created_at": NOW,
                "expires_at": "2026-11-24T20:00:00.251Z",
                "last_used_at": None,
            },
            {
                "key_id": "bbbbbbbbbbbb",
                "kind": "backend",
                "rights": ["read"],
                "created_at": NOW,
                "last_used_at": NOW,
            },
        ],
        "next_cursor": None,
    }


def test_the_list_goes_on_where_its_cursor_says(api):
    api.keys.stored = [stored(number) for number in range(5)]
    first = api.call("GET", "/v1/keys?limit=2")
    second = api.call("GET", f"/v1/keys?limit=2&cursor={first.json['next_cursor']}")
    third = api.call("GET", f"/v1/keys?limit=2&cursor={second.json['next_cursor']}")
    assert [ids(got) for got in (first, second, third)] == [
        ["a" * 12, "b" * 12],
        ["c" * 12, "d" * 12],
        ["e" * 12],
    ]
    assert third.json["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "message", "field"),
    [
        ("limit=0", 'limit must be a whole number from 1 to 200, not "0"', "limit"),
        ("limit=201", 'limit must be a whole number from 1 to 200, not "201"', "limit"),
        ("cursor=x", "cursor must be the next_cursor of an earlier answer", "cursor"),
        (
            "cursor=AAAAAAAAAGQ",
            "cursor must be the next_cursor of an earlier answer",
            "cursor",
        ),
        ("streamer=s", 'there is no parameter "streamer"', "streamer"),
        ("limit=1&limit=1", "limit came more than once", "limit"),
    ],
)
def test_a_wrong_query_is_named(api, query, message, field):
    got = api.call("GET", f"/v1/keys?{query}")
    assert (got.status, got.json) == (400, error("invalid_request", message, field))


def test_a_limited_key_sees_only_keys_within_its_namespaces(api):
    """However many others lie between; where too many do, a page is empty and the list goes on."""
    api.keys.stored = [
        stored(0),
        stored(1, namespaces=("/donations",)),
        stored(2, namespaces=("/dropcodes", "/donations")),
        stored(3, namespaces=LIMITED),
        stored(4, namespaces=()),
    ]
    got = api.call("GET", "/v1/keys?limit=1", key="limited")
    assert ids(got) == ["d" * 12]
    got = api.call("GET", f"/v1/keys?limit=1&cursor={got.json['next_cursor']}", key="limited")
    assert ids(got) == ["e" * 12]
    assert got.json["next_cursor"] is None
    api.keys.stored = [
        Key(f"{'a' * 10}{x}{y}", KeyKind.PLUGIN, 0, streamer="s") for x in "abc" for y in "abcdefg"
    ]
    got = api.call("GET", "/v1/keys?limit=2", key="limited")
    assert ids(got) == []
    assert got.json["next_cursor"] is not None
    got = api.call("GET", f"/v1/keys?limit=2&cursor={got.json['next_cursor']}", key="limited")
    assert (ids(got), got.json["next_cursor"]) == ([], None)


# Revoking


def test_a_key_is_revoked_once(api):
    """The answer is what it was; a second time there is no such key."""
    api.keys.stored = [stored(0, name="OBS")]
    got = api.call("DELETE", "/v1/keys/aaaaaaaaaaaa")
    assert got.status == 200
    assert got.json == {
        "key_id": "aaaaaaaaaaaa",
        "kind": "plugin",
        "streamer": "s-0",
        "groups": [],
        "name": "OBS",
        "created_at": NOW,
    }
    got = api.call("DELETE", "/v1/keys/aaaaaaaaaaaa")
    assert (got.status, got.json) == (404, error("not_found", "there is no such key"))
    assert api.keys.revoked == ["aaaaaaaaaaaa"] * 2


@pytest.mark.parametrize(
    "key_id", ["config", "k1", "AAAAAAAAAAAA", "a" * 13, "%00", "rpk_aaaa", "🔑"]
)
def test_what_is_no_key_id_is_not_found_and_no_store_is_asked(api, key_id):
    got = api.call("DELETE", f"/v1/keys/{key_id}")
    assert (got.status, got.json) == (404, error("not_found", "there is no such key"))
    assert api.keys.revoked == []


def test_revoking_takes_no_parameters(api):
    api.keys.stored = [stored(0)]
    assert api.call("DELETE", "/v1/keys/aaaaaaaaaaaa?really=1").status == 400
    assert api.keys.revoked == []


def test_a_limited_key_revokes_only_keys_within_its_namespaces(api):
    api.keys.stored = [
        stored(0),
        stored(1, namespaces=("/donations",)),
        stored(2, namespaces=LIMITED),
    ]
    for key_id in ("aaaaaaaaaaaa", "bbbbbbbbbbbb", "zzzzzzzzzzzz"):
        got = api.call("DELETE", f"/v1/keys/{key_id}", key="limited")
        assert (got.status, got.json) == (404, error("not_found", "there is no such key"))
    assert len(api.keys.stored) == 3
    assert api.call("DELETE", "/v1/keys/cccccccccccc", key="limited").status == 200
    assert [each.key_id for each in api.keys.stored] == ["aaaaaaaaaaaa", "bbbbbbbbbbbb"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/keys"), ("DELETE", "/v1/keys/aaaaaaaaaaaa")]
)
def test_both_take_the_right_admin_and_a_store(api, method, path):
    api.keys.stored = [stored(0)]
    assert api.call(method, path, key=None).status == 401
    assert api.call(method, path, key="plugin").status == 403
    got = api.call(method, path, key="reader")
    assert got.json == error("forbidden", 'this key has not the right "admin"')
    api.keys.away = True
    got = api.call(method, path)
    assert (got.status, got.json) == (503, UNAVAILABLE)
