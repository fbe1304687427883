"""The description of the API: valid, whole, and true."""

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from reward_push.access.interfaces import Right
from reward_push.api.keys import KeyCreation
from reward_push.rewards.parsing import MessageParser

from .described import Validator, description_of
from .fakes import NAMESPACES, Api
from .test_resource import PAGES

METHODS = {"get", "post", "delete", "put", "patch"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return description_of(Api().resource)


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def sample(path: str) -> str:
    """A path with something for each parameter."""
    return path.replace("{id}", "a").replace("{streamer}", "s").replace("{key_id}", "a" * 12)


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == "1.2.3"


def test_it_needs_any_backend_key(api: Api) -> None:
    assert api.call("GET", "/v1/openapi.json", key=None).status == 401
    assert api.call("GET", "/v1/openapi.json", key="plugin").status == 403
    for key in ("reader", "publisher", "limited"):
        got = api.call("GET", "/v1/openapi.json", key=key)
        assert (got.status, got.header("Content-Type")) == (200, ["application/json"])
    assert api.call("GET", "/v1/openapi.json?format=yaml").status == 400


def test_every_route_is_described_and_nothing_else(api: Api, document: dict[str, Any]) -> None:
    """But for pages, which are for people."""
    router = api.resource._router  # type: ignore[attr-defined]
    routes = {(method, path) for path, calls in router._fixed.items() for method in calls}
    # A fixed path that a pattern fits takes the methods of both.
    routes -= {("GET", "/v1/messages/batch"), ("DELETE", "/v1/messages/batch")}
    routes |= {
        (method, "/".join(pattern))
        for pattern, handlers in router._patterns.items()
        for method in handlers
    }
    pages = {("GET", path) for path in PAGES}
    assert {(method, path) for method, path, _ in operations(document)} == routes - pages


def test_names_are_unique_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f'"#/components/schemas/{name}' in text, f"{name} is not used"


def test_keys_and_rights_are_as_described(api: Api, document: dict[str, Any]) -> None:
    """Each call without a key, with a plugin's, and with each right alone."""
    alone = {Right.READ: "reader", Right.PUBLISH: "publisher"}
    for method, path, operation in operations(document):
        if not operation["security"]:
            assert api.call(method, sample(path), key=None).status in (200, 503)
            continue
        assert api.call(method, sample(path), key=None).status == 401
        assert api.call(method, sample(path), key="plugin").status == 403
        said = operation.get("description", "")
        needed = next((right for right in Right if f"Needs the right `{right}`" in said), None)
        for right, key in alone.items():
            refused = api.call(method, sample(path), key=key).status == 403
            assert refused is (needed not in (None, right)), (method, path, right)


def test_unknown_parameters_are_refused_where_400_is_said_of_them(
    api: Api, document: dict[str, Any]
) -> None:
    for method, path, operation in operations(document):
        if operation["security"] and method == "GET":
            got = api.call(method, f"{sample(path)}?nonsense=1")
            assert got.status == 400
            for each in operation.get("parameters", ()):
                if each["in"] == "query":
                    got = api.call(method, f"{sample(path)}?{each['name']}=%00&{each['name']}=1")
                    assert got.json["error"]["field"] == each["name"]


def test_where_the_store_may_be_away_503_is_described(api: Api, document: dict[str, Any]) -> None:
    api.keys.away = True
    for method, path, operation in operations(document):
        if operation["security"]:
            assert api.call(method, sample(path)).status == 503


def properties(schema: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The names of a schema of what comes in, and those that must be there."""
    assert schema["additionalProperties"] is False
    return set(schema["properties"]), set(schema["required"])


def test_a_new_message_has_the_fields_that_are_read(document: dict[str, Any]) -> None:
    fields = MessageParser(NAMESPACES)._fields
    named, required = properties(document["components"]["schemas"]["NewMessage"])
    assert named == set(fields)
    assert required == {name for name, field in fields.items() if field.required}


def test_a_new_key_has_the_fields_that_are_read(document: dict[str, Any]) -> None:
    fields = KeyCreation(None, None, NAMESPACES, lambda: 0)._fields  # type: ignore[arg-type]
    plugin, backend = document["components"]["schemas"]["NewKey"]["oneOf"]
    assert properties(plugin)[0] == set(fields) - {"rights"}
    assert properties(backend)[0] == set(fields) - {"streamer", "groups", "max_connections"}


MESSAGE = {"namespace": "/", "event": "e", "to": "all", "data": None}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        *(
            ("/v1/messages", {**MESSAGE, **change})
            for change in (
                {"id": ""},
                {"id": "a b"},
                {"namespace": "/other"},
                {"event": ""},
                {"event": "connect"},
                {"event": "x" * 129},
                {"to": "everybody"},
                {"to": {}},
                {"to": {"streamer": "s", "group": "g"}},
                {"to": {"streamers": []}},
                {"deliver_at": 1_700_000_000},
                {"deliver_at": True},
                {"delay_ms": -1},
                {"delay_ms": 1, "deliver_at": 1_795_550_400_250},
                {"ttl_ms": 0},
                {"ttl_ms": "5"},
                {"once": 1},
                {"ttl": 5},
            )
        ),
        ("/v1/messages", {"namespace": "/"}),
        ("/v1/messages/batch", {"messages": []}),
        ("/v1/messages/batch", {"messages": [MESSAGE] * 1_001}),
        ("/v1/messages/batch", {}),
        ("/v1/keys", {"kind": "plugin"}),
        ("/v1/keys", {"kind": "plugin", "streamer": "**"}),
        ("/v1/keys", {"kind": "plugin", "streamer": "s", "rights": ["read"]}),
        ("/v1/keys", {"kind": "plugin", "streamer": "s", "groups": ["g"] * 33}),
        ("/v1/keys", {"kind": "plugin", "streamer": "s", "name": "\x00"}),
        ("/v1/keys", {"kind": "plugin", "streamer": "s", "name": "x" * 129}),
        ("/v1/keys", {"kind": "plugin", "streamer": "s", "namespaces": []}),
        ("/v1/keys", {"kind": "backend", "rights": []}),
        ("/v1/keys", {"kind": "backend", "rights": ["all"]}),
        ("/v1/keys", {"kind": "backend"}),
    ],
)
def test_what_is_refused_is_not_described_as_good(
    api: Api, document: dict[str, Any], path: str, body: dict[str, Any]
) -> None:
    """The other direction, that what is accepted is described, holds for every request of these tests."""
    got = api.call("POST", path, body)
    assert got.json["error"]["code"] == "invalid_request"
    operation = document["paths"][path]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    with pytest.raises(AssertionError, match="is not as it is described"):
        Validator(document).valid(body, schema, "request")


def test_the_checker_of_these_tests_sees_what_is_not_described(api: Api) -> None:
    described = api._described
    described.check("GET", "/v1/nodes", None, 200, b'{"items":[],"next_cursor":null}')
    for status, body in ((418, b"{}"), (200, b"{}"), (404, b"{}"), (401, b'{"error":{}}')):
        with pytest.raises(AssertionError):
            described.check("GET", "/v1/nodes", None, status, body)
