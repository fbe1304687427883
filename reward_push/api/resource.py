"""The HTTP API as one twisted.web resource, to be mounted at a site's root."""

import time
from collections.abc import Callable, Collection
from typing import NamedTuple
from urllib.parse import unquote

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..access.key_text import without_secrets
from ..ops.health import Health
from ..rewards.errors import ErrorCode, Refused, not_supported
from ..rewards.interfaces import IMessageStore
from ..rewards.presence import IPresence
from ..rewards.publisher import Publisher
from .answers import Answer, error_answer, write_answer
from .auth import Callers, Gate, Keys
from .errors import INTERNAL, ApiError, as_refusal
from .health import HEALTHCHECK, LIST_NODES, READYZ, Nodes, list_nodes, report
from .keys import CREATE_KEY, LIST_KEYS, REVOKE_KEY, KeyCreation, KeyList
from .messages import CANCEL, PUBLISH, PUBLISH_BATCH, Messages
from .metrics import METRICS, MetricsPage, Page
from .openapi import DESCRIBE, Description
from .reports import GET_MESSAGE, LIST_MESSAGES, Flush, MessageReports
from .router import Calls, Route, Router, allow
from .slices import CallSoon
from .streamers import DISCONNECT, GET_STREAMER, Streamers

Observe = Callable[[str, int, float], object]
"""Told of each answer: the call as ``GET /v1/messages/{id}``, the status, and how many seconds it took."""
OTHER = "other"
"""The call of a request that is for none."""


def _observed_by_nobody(_call: str, _status: int, _seconds: float) -> None:
    pass


class Apis(NamedTuple):
    """What the node's ports serve."""

    clients: IResource
    """For the port that clients use."""
    internal: IResource | None
    """For the internal port, if there is one."""


def build_api(
    *,
    publisher: Publisher,
    store: IMessageStore,
    flush: Flush,
    presence: IPresence,
    nodes: Nodes,
    keys: Keys,
    health: Health,
    namespaces: Collection[str],
    now_ms: Callable[[], int],
    version: str,
    metrics: Page,
    gate: Gate | None = None,
    internal: bool = False,
    max_body_bytes: int = 0,
    call_soon: CallSoon | None = None,
    observe: Observe = _observed_by_nobody,
    seconds: Callable[[], float] = time.monotonic,
) -> Apis:
    """Return the resources that serve every path of the API, and 404 for all others.

    ``flush`` brings the receipts noted so far into the store. ``namespaces`` are all the node serves,
    ``/`` among them; ``now_ms`` is the clock keys expire by; ``nodes`` lists the nodes alive; ``version``
    is that of the node; ``gate`` counts wrong keys and calls. ``internal``: whether what backends and
    operators use is served apart from what clients use. ``seconds`` is a monotonic clock;
    ``max_body_bytes`` is the largest body of a call that is no batch; ``call_soon`` calls something in a
    later turn of the reactor: without it, long work goes on without a pause.
    """
    callers = Callers(keys, gate)
    messages = Messages(publisher, callers, max_body_bytes, call_soon)
    reports = MessageReports(store, callers, flush, call_soon)
    streamers = Streamers(presence, callers)
    creation = KeyCreation(keys, callers, namespaces, now_ms)
    key_list = KeyList(keys, callers)
    page = MetricsPage(callers, metrics)
    description = Description(callers)
    health_routes = [
        Route("GET", "/healthcheck", report(health.healthcheck), HEALTHCHECK),
        Route("GET", "/readyz", report(health.readyz), READYZ),
    ]
    calls = [
        Route("POST", "/v1/messages", messages.publish, PUBLISH),
        Route("POST", "/v1/messages/batch", messages.publish_batch, PUBLISH_BATCH),
        Route("GET", "/v1/messages", reports.page, LIST_MESSAGES),
        Route("GET", "/v1/messages/{id}", reports.one, GET_MESSAGE),
        Route("DELETE", "/v1/messages/{id}", messages.cancel, CANCEL),
        Route("GET", "/v1/streamers/{streamer}", streamers.show, GET_STREAMER),
        Route("POST", "/v1/streamers/{streamer}/disconnect", streamers.disconnect, DISCONNECT),
        Route("GET", "/v1/nodes", list_nodes(callers, nodes), LIST_NODES),
        Route("POST", "/v1/keys", creation.create, CREATE_KEY),
        Route("GET", "/v1/keys", key_list.page, LIST_KEYS),
        Route("DELETE", "/v1/keys/{key_id}", key_list.revoke, REVOKE_KEY),
        Route("GET", "/v1/openapi.json", description.show, DESCRIBE),
        Route("GET", "/metrics", page.open, attrs.evolve(METRICS, needs_key=False, right=None))
        if internal
        else Route("GET", "/metrics", page.guarded, METRICS),
        Route("GET", "/console/", _later_open),
    ]
    description.made_of([*health_routes, *calls], version=version, namespaces=namespaces)
    clients = [*health_routes, Route("GET", "/overlay/", _later_open)]
    if not internal:
        return Apis(ApiResource(Router([*clients, *calls]), observe, seconds), None)
    return Apis(
        ApiResource(Router(clients), observe, seconds),
        ApiResource(Router([*health_routes, *calls]), observe, seconds),
    )


class ApiResource(Resource):
    """Hands each request to its handler and writes what comes of it."""

    isLeaf = True  # noqa: N815  (twisted.web)
    _log = Logger()

    def __init__(
        self,
        router: Router,
        observe: Observe = _observed_by_nobody,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._router = router
        self._observe = observe
        self._seconds = seconds

    def render(self, request: Request) -> int:
        """Serve any method: unknown ones get 405 too, not twisted.web's 501."""
        Deferred.fromCoroutine(self._serve(request))
        return NOT_DONE_YET

    async def _serve(self, request: Request) -> None:
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        begun_at = self._seconds()
        method = request.method.decode("latin-1")
        calls = self._router.find(request.path)
        call = None if calls is None else calls.get("GET" if method == "HEAD" else method)
        try:
            if call is None:
                answer = _without_call(method, calls)
            else:
                answer = await call.handler(request, *call.args)
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
        name = OTHER if call is None else call.name
        self._observe(name, answer.status, self._seconds() - begun_at)


def _without_call(method: str, calls: Calls | None) -> Answer:
    """Answer a request that none of the ``calls`` of its path is for."""
    if calls is None:
        msg = "there is nothing at this path"
        raise Refused(ErrorCode.NOT_FOUND, msg)
    headers = {"Allow": (allow(calls),)}
    if method == "OPTIONS":
        return Answer(204, headers=headers)
    msg = f"this path takes {allow(calls)}"
    raise ApiError(ErrorCode.METHOD_NOT_ALLOWED, msg, headers=headers)


async def _later_open(_request: Request) -> Answer:
    msg = "this call is not supported by this version"
    raise not_supported(msg)
