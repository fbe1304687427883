"""``GET /metrics``: what Prometheus scrapes."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.web.server import Request

from ..access.interfaces import Right
from .answers import Answer
from .auth import Callers, authorize
from .operation import Operation, Said
from .query import read_query

Page = Callable[[str], "Deferred[tuple[bytes, str]]"]
"""Takes an ``Accept`` header; returns the page and its content type."""


METRICS = Operation(
    "metrics",
    "Figures for Prometheus",
    {200: Said("Prometheus' text, or OpenMetrics.", {"type": "string"}, "text/plain")},
    right=Right.READ,
    tag="health",
)


class MetricsPage:
    """The handlers that show metrics."""

    def __init__(self, callers: Callers, page: Page) -> None:
        self._callers = callers
        self._page = page

    async def guarded(self, request: Request) -> Answer:
        """Show them to who may read."""
        await authorize(request, self._callers, Right.READ)
        return await self.open(request)

    async def open(self, request: Request) -> Answer:
        """Show them to everybody: for a port that only the operator reaches."""
        read_query(request, {})
        accepted = request.requestHeaders.getRawHeaders(b"accept", [])
        body, content_type = await self._page(b",".join(accepted).decode("latin-1"))
        return Answer(200, body, content_type=content_type)
