"""What a body may be."""

import json

import pytest

from .fakes import BODY
from .test_messages import error


def post(api, body):
    return api.call("POST", "/v1/messages", body=body)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/x-www-form-urlencoded",
        "text/plain",
    ],
)
def test_any_content_type_is_taken(api, content_type):
    got = api.call("POST", "/v1/messages", BODY, headers={"Content-Type": content_type})
    assert got.status == 201


@pytest.mark.parametrize("body", [None, b"", b" \r\n"])
def test_an_empty_body_is_named(api, body):
    got = post(api, body)
    assert got.status == 400
    assert got.json == error("invalid_request", "the body is empty; a JSON object is expected")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":1e400}',
        b'{"a":1,"a":2}',
        b'{"%s":1,"%s":2}' % (b"k" * 9000, b"k" * 9000),
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b"\xff\xfe{\x00}\x00",
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b"[" * 10_000 + b" " * 100_000,
        b"to=all&event=x",
    ],
)
def test_what_is_no_json_is_named(api, body):
    got = post(api, body)
    assert got.status == 400
    told = got.json["error"]
    assert told["code"] == "invalid_request"
    assert told["message"].startswith("the body is not valid JSON: ")
    assert len(told["message"]) < 300


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[]", "an array"),
        (b'"x"', "a string"),
        (b"5", "a number"),
        (b"null", "null"),
        (b"true", "a boolean"),
    ],
)
def test_a_body_is_an_object(api, body, kind):
    got = post(api, body)
    assert got.status == 400
    assert got.json == error("invalid_request", f"the body must be a JSON object, not {kind}")


def test_a_charset_other_than_utf_8_is_refused(api):
    got = api.call(
        "POST", "/v1/messages", BODY, headers={"Content-Type": "application/json; charset=latin1"}
    )
    assert got.status == 400
    assert got.json == error("invalid_request", 'the body must be UTF-8, not "latin1"')


@pytest.mark.parametrize("coding", ["gzip", "identity, br"])
def test_a_compressed_body_is_refused(api, coding):
    got = api.call("POST", "/v1/messages", BODY, headers={"Content-Encoding": coding})
    assert got.status == 400
    assert got.json == error(
        "invalid_request", "compressed bodies are not accepted: leave Content-Encoding out"
    )


def test_identity_is_no_compression(api):
    got = api.call("POST", "/v1/messages", BODY, headers={"Content-Encoding": "Identity"})
    assert got.status == 201


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" + b"1," * 33_000 + b"1]",
        b'{"a":"' + b"," * 70_000 + b'"}',
    ],
)
def test_a_large_body_with_more_values_than_can_be_meant_is_not_parsed(api, body):
    got = post(api, body)
    assert got.status == 413
    assert got.json == error("too_large", "the body has too many values")


def test_a_large_body_with_few_values_is_parsed(api):
    """White space, long strings, escapes: that takes no time."""
    for data in (b" " * 500_000 + b'"x"', b'"' + b"\\u0041" * 2000 + b'"' + b"\n" * 100_000):
        body = b'{"namespace":"/dropcodes","event":"e","to":"all","data":' + data + b"}"
        assert post(api, body).status == 201


def test_the_most_values_that_can_be_meant(api):
    """16 KiB of data, a thousand streamers, indented."""
    data = [0] * 8191
    body = {
        **BODY,
        "data": data,
        "to": {"streamers": [f"s-{n}".ljust(64, "x") for n in range(1000)]},
    }
    got = post(api, json.dumps(body, indent=4).encode())
    assert got.status == 201
    assert got.json["data"] == data


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/messages/a"),
        ("POST", "/v1/streamers/s/disconnect"),
        ("DELETE", "/v1/keys/aaaaaaaaaaaa"),
    ],
)
def test_calls_that_take_no_body(api, method, path):
    """What would be ignored is refused; nothing, and nothing in an object, is fine."""
    plain = api.call(method, path)
    assert api.call(method, path, body=b"{}").status == plain.status
    got = api.call(method, path, body=b'{"why": "x"}')
    assert (got.status, got.json["error"]["field"]) == (400, "why")
    assert api.call(method, path, body=b"why=x").status == 400
