"""The HTTP API as one twisted.web resource, to be mounted at a site's root."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..access.interfaces import Right
from ..access.key_text import without_secrets
from ..ops.health import Health, Report
from ..rewards.errors import ErrorCode, Refused, not_supported
from ..rewards.interfaces import IMessageStore, IPresence
from ..rewards.publisher import Publisher
from .answers import Answer, error_answer, json_answer, write_answer
from .auth import Callers, Gate, Keys, authorize
from .errors import INTERNAL, ApiError, as_refusal
from .keys import KeyCreation, KeyList
from .messages import Messages
from .query import read_query
from .reports import Flush, MessageReports
from .router import Handler, Route, Router, allow
from .slices import CallSoon
from .streamers import Streamers

LATER: tuple[tuple[str, str, Right | None], ...] = (("GET", "/v1/openapi.json", None),)
"""Calls with a key that the interface describes and this version answers ``not_supported``."""

LATER_OPEN = ("/metrics", "/console/", "/overlay/")
"""The same for pages without a key."""


def build_api(
    *,
    publisher: Publisher,
    store: IMessageStore,
    flush: Flush,
    presence: IPresence,
    nodes: Callable[[], Sequence[Mapping[str, Any]]],
    keys: Keys,
    health: Health,
    namespaces: Collection[str],
    now_ms: Callable[[], int],
    gate: Gate | None = None,
    max_body_bytes: int = 0,
    call_soon: CallSoon | None = None,
) -> IResource:
    """Return the resource that serves every path of the API, and 404 for all others.

    ``flush`` brings the receipts noted so far into the store. ``namespaces`` are all the node serves,
    ``/`` among them; ``now_ms`` is the clock keys expire by; ``nodes`` lists the nodes alive; ``gate`` counts
    wrong keys and calls; ``max_body_bytes`` is the largest body of a call that is no batch; ``call_soon``
    calls something in a later turn of the reactor: without it, long work goes on without a pause.
    """
    callers = Callers(keys, gate)
    messages = Messages(publisher, callers, max_body_bytes, call_soon)
    reports = MessageReports(store, callers, flush, call_soon)
    streamers = Streamers(presence, callers)
    creation = KeyCreation(keys, callers, namespaces, now_ms)
    key_list = KeyList(keys, callers)
    return ApiResource(
        Router(
            [
                Route("GET", "/healthcheck", _report(health.healthcheck)),
                Route("GET", "/readyz", _report(health.readyz)),
                Route("POST", "/v1/messages", messages.publish),
                Route("POST", "/v1/messages/batch", messages.publish_batch),
                Route("GET", "/v1/messages", reports.page),
                Route("GET", "/v1/messages/{id}", reports.one),
                Route("DELETE", "/v1/messages/{id}", messages.cancel),
                Route("GET", "/v1/streamers/{streamer}", streamers.show),
                Route("POST", "/v1/streamers/{streamer}/disconnect", streamers.disconnect),
                Route("GET", "/v1/nodes", _nodes(callers, nodes)),
                Route("POST", "/v1/keys", creation.create),
                Route("GET", "/v1/keys", key_list.page),
                Route("DELETE", "/v1/keys/{key_id}", key_list.revoke),
                *(Route(method, path, _later(callers, right)) for method, path, right in LATER),
                *(Route("GET", path, _later_open) for path in LATER_OPEN),
            ]
        )
    )


class ApiResource(Resource):
    """Hands each request to its handler and writes what comes of it."""

    isLeaf = True  # noqa: N815  (twisted.web)
    _log = Logger()

    def __init__(self, router: Router) -> None:
        super().__init__()
        self._router = router

    def render(self, request: Request) -> int:
        """Serve any method: unknown ones get 405 too, not twisted.web's 501."""
        Deferred.fromCoroutine(self._serve(request))
        return NOT_DONE_YET

    async def _serve(self, request: Request) -> None:
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        try:
            answer = await self._handle(request)
        except Exception as error:
            refused = as_refusal(error)
            if refused is None:
                # The path alone: a query may hold a key. Somebody may even have put one into the path.
                path = without_secrets(unquote(request.path, "latin-1"))
                self._log.failure(
                    "{method} {path} failed", method=request.method, path=ascii(path)[1:-1]
                )
                refused = INTERNAL
            answer = error_answer(refused)
        if not gone:
            write_answer(request, answer)

    async def _handle(self, request: Request) -> Answer:
        calls = self._router.find(request.path)
        if calls is None:
            msg = "there is nothing at this path"
            raise Refused(ErrorCode.NOT_FOUND, msg)
        method = request.method.decode("latin-1")
        call = calls.get("GET" if method == "HEAD" else method)
        if call is not None:
            return await call.handler(request, *call.args)
        headers = {"Allow": (allow(calls),)}
        if method == "OPTIONS":
            return Answer(204, headers=headers)
        msg = f"this path takes {allow(calls)}"
        raise ApiError(ErrorCode.METHOD_NOT_ALLOWED, msg, headers=headers)


def _report(report: Callable[[], Report]) -> Handler:
    async def handler(_request: Request) -> Answer:
        status, body = report()
        return json_answer(status, body)

    return handler


def _nodes(callers: Callers, nodes: Callable[[], Sequence[Mapping[str, Any]]]) -> Handler:
    """Show the nodes alive, their load and age."""

    async def handler(request: Request) -> Answer:
        await authorize(request, callers, Right.READ)
        read_query(request, {})
        return json_answer(200, {"items": list(nodes()), "next_cursor": None})

    return handler


def _later(callers: Callers, right: Right | None) -> Handler:
    async def handler(request: Request, *_args: str) -> Answer:
        await authorize(request, callers, right)
        return await _later_open(request)

    return handler


async def _later_open(_request: Request) -> Answer:
    msg = "this call is not supported by this version"
    raise not_supported(msg)
