"""``GET /v1/openapi.json``: the description of the API (OpenAPI 3.1), made of the routes themselves."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from twisted.web.server import Request

from ..access.interfaces import Right
from ..rewards.errors import ErrorCode
from ..strict_json import dumps
from .answers import Answer
from .auth import Callers, authorize
from .errors import STATUS
from .operation import Operation, Said, ref
from .query import read_query
from .router import Route
from .schemas import NAME_SCHEMA, schemas

_INTRODUCTION = """\
What backends and operators call. Everything is JSON in UTF-8. Unknown fields and parameters are refused. \
Calls carry a backend key, `Authorization: ApiKey <key>` or `Bearer <key>`, which has some of the rights \
`publish`, `read` and `admin`.
"""

_SECURITY: list[dict[str, list[str]]] = [{"ApiKey": []}, {"Bearer": []}]
"""Either of the two."""

_SECURITY_SCHEMES = {
    "ApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`ApiKey <backend key>`",
    },
    "Bearer": {"type": "http", "scheme": "bearer", "description": "The backend key."},
}

_IN_PATH: Mapping[str, Mapping[str, Any]] = {
    "id": {"schema": {"type": "string"}, "description": "A message's id."},
    "streamer": {"schema": NAME_SCHEMA, "description": "A streamer's name."},
    "key_id": {"schema": {"type": "string"}, "description": "A key's id.", "example": "a" * 12},
}

_MEANINGS = {
    ErrorCode.INVALID_REQUEST: "the request has to be corrected",
    ErrorCode.NOT_SUPPORTED: "this version does not do that",
    ErrorCode.UNAUTHORIZED: "no key, or it is wrong, revoked or expired",
    ErrorCode.FORBIDDEN: "the key may not do this",
    ErrorCode.NOT_FOUND: "there is nothing of this name, or not for this key",
    ErrorCode.CONFLICT: "it is, or has ended, otherwise",
    ErrorCode.TOO_LARGE: "the body, or a part of it, is too large",
    ErrorCode.TOO_LATE: "its life is over",
    ErrorCode.RATE_LIMITED: "too many calls, or too many wrong keys: see Retry-After",
    ErrorCode.INTERNAL: "a fault of the node's",
    ErrorCode.UNAVAILABLE: "the store is away: nothing was accepted",
}


DESCRIBE = Operation(
    "describe",
    "This description",
    {200: Said("OpenAPI 3.1.", {"type": "object"})},
    tag="description",
)


class Description:
    """The handler that shows the description."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self._body = b""

    def made_of(
        self, routes: Iterable[Route], *, version: str, namespaces: Collection[str]
    ) -> None:
        """Describe ``routes``; its own is one of them."""
        document = describe(routes, version=version, namespaces=namespaces)
        self._body = dumps(document).encode()

    async def show(self, request: Request) -> Answer:
        """Answer with the description."""
        await authorize(request, self._callers, None)
        read_query(request, {})
        return Answer(200, self._body)


def describe(
    routes: Iterable[Route], *, version: str, namespaces: Collection[str]
) -> dict[str, Any]:
    """Return the description of those of ``routes`` that have an operation."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if route.operation is not None:
            described = _operation(route.path, route.operation)
            paths.setdefault(route.path, {})[route.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "reward-push", "version": version, "description": _INTRODUCTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas(namespaces),
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _operation(path: str, operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": {**_answers(operation), **_errors(operation)},
        "security": _SECURITY if operation.needs_key else [],
    }
    said = [operation.description, _right(operation)]
    if any(said):
        described["description"] = " ".join(filter(None, said))
    parameters = [*_path_parameters(path), *_query_parameters(operation)]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        content = {"application/json": {"schema": operation.body}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _right(operation: Operation) -> str:
    right: Right | None = operation.right
    return "" if right is None else f"Needs the right `{right}`."


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, **_IN_PATH[name]} for name in names]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "in": "query",
            "required": False,
            "schema": each.schema,
            "description": each.description,
        }
        for each in operation.parameters
    ]


def _answers(operation: Operation) -> dict[str, Any]:
    return {
        str(status): {
            "description": said.description,
            "content": {said.media_type: {"schema": said.schema}},
        }
        for status, said in operation.answers.items()
    }


def _errors(operation: Operation) -> dict[str, Any]:
    by_status: dict[int, list[ErrorCode]] = {}
    for code in operation.all_refusals():
        by_status.setdefault(STATUS[code], []).append(code)
    return {
        str(status): {
            "description": "; ".join(f"`{code}`: {_MEANINGS[code]}" for code in codes),
            "content": {"application/json": {"schema": ref("Error")}},
        }
        for status, codes in sorted(by_status.items())
    }
