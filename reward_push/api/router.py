"""From a method and a path to its handler."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from .answers import Answer

Handler = Callable[..., Awaitable[Answer]]
"""``handler(request, *args)``: an ``arg`` for each ``{…}`` of the route's path, percent-decoded."""

_Methods = dict[str, Handler]


class Match(NamedTuple):
    """A known path: its handlers by method, and the arguments found in it."""

    handlers: Mapping[str, Handler]
    args: tuple[str, ...]

    @property
    def allow(self) -> str:
        """The value of an ``Allow`` header."""
        implied = {"OPTIONS", "HEAD"} if "GET" in self.handlers else {"OPTIONS"}
        return ", ".join(sorted({*self.handlers, *implied}))


class Router:
    """Routes with ``{…}`` for a segment that varies; a path without one is found in a dictionary."""

    def __init__(self) -> None:
        self._fixed: dict[str, _Methods] = {}
        self._patterns: dict[tuple[str, ...], _Methods] = {}

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Serve ``method`` on ``path`` (HEAD comes with GET, OPTIONS with all)."""
        if "{" in path:
            methods = self._patterns.setdefault(tuple(path.split("/")), {})
        else:
            methods = self._fixed.setdefault(path, {})
        methods[method] = handler

    def find(self, path: bytes) -> Match | None:
        """Find a request's raw path; ``None`` when it is unknown."""
        text = path.decode("latin-1")
        handlers = self._fixed.get(text)
        if handlers is not None:
            return Match(handlers, ())
        segments = text.split("/")
        for pattern, handlers in self._patterns.items():
            args = _fit(pattern, segments)
            if args is not None:
                return Match(handlers, args)
        return None


def _fit(pattern: tuple[str, ...], segments: list[str]) -> tuple[str, ...] | None:
    if len(pattern) != len(segments):
        return None
    args = []
    for wanted, segment in zip(pattern, segments, strict=True):
        if wanted.startswith("{") and segment:
            args.append(unquote(segment, errors="replace"))
        elif wanted != segment:
            return None
    return tuple(args)
