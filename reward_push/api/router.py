"""From a method and a path to its handler."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from .answers import Answer
from .operation import Operation

Handler = Callable[..., Awaitable[Answer]]
"""``handler(request, *args)``: an ``arg`` for each ``{…}`` of the route's path, percent-decoded."""


class Route(NamedTuple):
    """One call of the API."""

    method: str
    path: str
    """Segments in braces vary: ``/v1/messages/{id}``."""
    handler: Handler
    operation: Operation | None = None
    """What the description says of it; ``None``: it is a page, and not described."""


class Call(NamedTuple):
    """A handler and the arguments found in the path."""

    handler: Handler
    name: str
    """Its method and its route's path, braces and all."""
    args: tuple[str, ...] = ()


Calls = Mapping[str, Call]
"""What can be done with one path, by method."""


class Router:
    """Finds paths without a variable segment in a dictionary, others by trying the patterns in turn.

    Where a path is both (``/v1/messages/batch`` is a message's too), it takes the methods of both.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        fixed: dict[str, dict[str, Call]] = {}
        self._patterns: dict[tuple[str, ...], dict[str, Handler]] = {}
        for method, path, handler, _ in routes:
            if "{" in path:
                self._patterns.setdefault(tuple(path.split("/")), {})[method] = handler
            else:
                fixed.setdefault(path, {})[method] = Call(handler, f"{method} {path}")
        self._fixed: dict[str, Calls] = {
            path: {**(self._fit(path) or {}), **calls} for path, calls in fixed.items()
        }

    def find(self, path: bytes) -> Calls | None:
        """Return what can be done with a request's raw path; ``None`` when it is unknown."""
        text = path.decode("latin-1")
        return self._fixed.get(text) or self._fit(text)

    def _fit(self, asked: str) -> Calls | None:
        segments = asked.split("/")
        for pattern, handlers in self._patterns.items():
            args = _arguments(pattern, segments)
            if args is not None:
                path = "/".join(pattern)
                return {
                    method: Call(handler, f"{method} {path}", args)
                    for method, handler in handlers.items()
                }
        return None


def allow(calls: Calls) -> str:
    """Return the value of an ``Allow`` header: HEAD comes with GET, OPTIONS with every path."""
    implied = {"OPTIONS", "HEAD"} if "GET" in calls else {"OPTIONS"}
    return ", ".join(sorted({*calls, *implied}))


def _arguments(pattern: tuple[str, ...], segments: list[str]) -> tuple[str, ...] | None:
    if len(pattern) != len(segments):
        return None
    args = []
    for wanted, segment in zip(pattern, segments, strict=True):
        if wanted.startswith("{") and segment:
            args.append(unquote(segment, errors="replace"))
        elif wanted != segment:
            return None
    return tuple(args)
