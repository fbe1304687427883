"""Who may call."""

import pytest

from .fakes import BODY
from .test_messages import error

CHALLENGE = ['ApiKey realm="reward-push"', 'Bearer realm="reward-push"']

UNAUTHORIZED = [
    ({}, "a backend key is needed: Authorization: ApiKey <key>"),
    ({"Authorization": "Basic YTpi"}, "a backend key is needed: Authorization: ApiKey <key>"),
    ({"Authorization": "ApiKey nobody"}, "the key is wrong, revoked or expired"),
    ({"Authorization": "ApiKey \xff\xfe"}, "the key is wrong, revoked or expired"),
    (
        {"Authorization": ["ApiKey backend", "ApiKey backend"]},
        "the Authorization header came more than once",
    ),
]


@pytest.mark.parametrize(("headers", "message"), UNAUTHORIZED)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/batch", "/v1/keys"])
def test_without_a_valid_key_401(api, path, headers, message):
    got = api.call("POST", path, BODY, key=None, headers=headers)
    assert got.status == 401
    assert got.json == error("unauthorized", message)
    assert got.header("WWW-Authenticate") == CHALLENGE


@pytest.mark.parametrize("scheme", ["ApiKey", "Bearer", "apikey"])
def test_both_schemes_serve(api, scheme):
    headers = {"Authorization": f"{scheme} backend"}
    assert api.call("POST", "/v1/messages", BODY, key=None, headers=headers).status == 201


def test_a_plugin_key_is_403(api):
    got = api.call("POST", "/v1/messages", BODY, key="plugin")
    assert got.status == 403
    assert got.json == error("forbidden", "this is a plugin's key: the API needs a backend key")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/batch"])
def test_a_key_without_the_right_is_403(api, path):
    got = api.call("POST", path, BODY, key="reader")
    assert got.status == 403
    assert got.json == error("forbidden", 'this key has not the right "publish"')


def test_a_key_in_the_query_does_not_count(api):
    assert api.call("POST", "/v1/messages?apiKey=backend", BODY, key=None).status == 401


def test_who_may_not_call_learns_nothing_of_the_body(api):
    assert api.call("POST", "/v1/messages", body=b"{", key="reader").status == 403
