"""Every answer in these tests is held against the API's own description: so it cannot drift from the code."""

import json as jsonlib
from functools import cache
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator
from twisted.internet.testing import StringTransport
from twisted.web.server import Site

ASK = b"GET /v1/openapi.json HTTP/1.1\r\nHost: n\r\nAuthorization: ApiKey backend\r\n\r\n"
EVERYWHERE = {404, 405}
"""Statuses of paths and methods that there are not."""


def description_of(resource: Any) -> dict[str, Any]:
    """What an API says of itself."""
    transport = StringTransport()
    channel = Site(resource).buildProtocol(None)
    assert channel is not None
    channel.makeConnection(transport)
    channel.dataReceived(ASK)
    head, _, body = transport.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK"), head
    described: dict[str, Any] = jsonlib.loads(body)
    return described


class Described:
    """Judges requests and answers by an API's description, which is that of the first API asked."""

    def __init__(self, resource: Any) -> None:
        self._document, self._validator = _of_first(resource)

    def check(self, method: str, path: str, sent: Any, status: int, body: bytes) -> None:
        """Fail when an answer is not described, or what was sent and accepted is not."""
        operation = self.operation(method, path.partition("?")[0])
        if operation is None:
            return
        answers = operation["responses"]
        assert str(status) in answers, f"{method} {path}: {status} is not described"
        [(media_type, content)] = answers[str(status)]["content"].items()
        if method != "HEAD" and media_type == "application/json":
            self._validator.valid(jsonlib.loads(body), content["schema"], f"answer {status}")
        if sent is not None and status < 300:
            wanted = operation["requestBody"]["content"]["application/json"]["schema"]
            self._validator.valid(sent, wanted, "request")

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """The description of a call; of two paths that fit, the one without a parameter."""
        method = "get" if method == "HEAD" else method.lower()
        paths = self._document["paths"]
        fitting = sorted((each for each in paths if fits(each, path)), key=lambda each: "{" in each)
        return next((paths[each][method] for each in fitting if method in paths[each]), None)


class Validator:
    """Validates values by schemas of one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = document["components"]
        self._cache: dict[str, Draft202012Validator] = {}

    def valid(self, value: Any, schema: Any, what: str) -> None:
        """Fail, saying where, unless ``value`` is as ``schema`` says."""
        name = jsonlib.dumps(schema, sort_keys=True)
        if name not in self._cache:
            self._cache[name] = Draft202012Validator({**schema, "components": self._components})
        errors = [
            f"{error.json_path}: {error.message}" for error in self._cache[name].iter_errors(value)
        ]
        assert errors == [], f"{what} is not as it is described"


_first: list[tuple[dict[str, Any], Validator]] = []


def _of_first(resource: Any) -> tuple[dict[str, Any], Validator]:
    if not _first:
        document = description_of(resource)
        _first.append((document, Validator(document)))
    return _first[0]


@cache
def fits(template: str, path: str) -> bool:
    """Whether a path is one of those that ``template`` stands for."""
    wanted, segments = template.split("/"), unquote(path).split("/")
    return len(wanted) == len(segments) and all(
        each.startswith("{") or each == segment
        for each, segment in zip(wanted, segments, strict=True)
    )
