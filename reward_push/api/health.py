"""``GET /healthcheck``, ``/readyz`` and ``/v1/nodes``: how a node is, and which there are."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.server import Request

from ..access.interfaces import Right
from ..ops.health import Report
from .answers import Answer, json_answer
from .auth import Callers, authorize
from .operation import Operation, Said, ref
from .query import read_query
from .router import Handler

HEALTHCHECK = Operation(
    "healthcheck",
    "Whether the node can hold connections: for a balancer",
    {
        200: Said("`ok`, or `degraded` and why.", ref("Health")),
        503: Said("It starts, or it stops.", ref("Health")),
    },
    needs_key=False,
    takes_query=False,
    tag="health",
)

READYZ = Operation(
    "readyz",
    "Whether all is well",
    {
        200: Said("`ok`", ref("Health")),
        503: Said("It starts, it stops, or it is degraded.", ref("Health")),
    },
    needs_key=False,
    takes_query=False,
    tag="health",
)

LIST_NODES = Operation(
    "listNodes",
    "List the nodes alive",
    {200: Said("All of them.", ref("Nodes"))},
    right=Right.READ,
    tag="health",
)

Nodes = Callable[[], Deferred[Sequence[Mapping[str, Any]]]]
"""Lists the nodes alive, their load and age, as JSON objects."""


def report(read: Callable[[], Report]) -> Handler:
    """Return the handler that shows what ``read`` returns, to everybody."""

    async def handler(_request: Request) -> Answer:
        status, body = read()
        return json_answer(status, body)

    return handler


def list_nodes(callers: Callers, nodes: Nodes) -> Handler:
    """Return the handler that lists ``nodes``."""

    async def handler(request: Request) -> Answer:
        await authorize(request, callers, Right.READ)
        read_query(request, {})
        return json_answer(200, {"items": list(await nodes()), "next_cursor": None})

    return handler
