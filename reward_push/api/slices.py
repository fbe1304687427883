"""Long work in slices, so that a node does everything else in between."""

import time
from collections.abc import Callable

from twisted.internet.defer import Deferred

SLICE_S = 0.005
"""How long work goes on before something else has its turn."""

CallSoon = Callable[[Callable[[], object]], object]
"""Calls something in a later turn of the reactor."""


class Slices:
    """The slices of one piece of work."""

    def __init__(self, call_soon: CallSoon | None) -> None:
        """``call_soon`` of ``None``: never pause."""
        self._call_soon = call_soon
        self._until = time.perf_counter() + SLICE_S

    async def pause(self) -> None:
        """Let others have their turn if this slice is used up."""
        if self._call_soon is None or time.perf_counter() < self._until:
            return
        turn: Deferred[None] = Deferred()
        self._call_soon(lambda: turn.callback(None))
        await turn
        self._until = time.perf_counter() + SLICE_S
