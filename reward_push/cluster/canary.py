"""Does this node still hear? It sends itself a number through Redis and waits for it to come back.

A link to Redis can be dead without either end being told: then nothing comes, and nothing fails. The
number is that of the last news, so its return also tells up to where everything has been heard.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

EVERY_S = 1.0
LATE_S = 5.0
"""A link whose canary is older than this is dropped, so that another is made."""


class Canary:
    """Sends canaries while the node listens, and notices when one does not come."""

    def __init__(
        self,
        send: "Callable[[], Deferred[int]]",
        clock: IReactorTime,
        late: Callable[[], object],
    ) -> None:
        """``send`` sends one; ``late`` is called when none has come for :data:`LATE_S`."""
        self._send = send
        self._clock = clock
        self._late = late
        self._came_at_s: float | None = None
        self._loop = LoopingCall(self._beat)
        self._loop.clock = clock

    def start(self) -> None:
        """Listening begins now: send one at once. Again is no harm."""
        self.stop()
        self._came_at_s = self._clock.seconds()
        self._loop.start(EVERY_S)

    def stop(self) -> None:
        """Nobody listens now."""
        if self._loop.running:
            self._loop.stop()
        self._came_at_s = None

    def came(self) -> None:
        """One has come back."""
        if self._came_at_s is not None:
            self._came_at_s = self._clock.seconds()

    def age_s(self) -> float | None:
        """Return how long ago the last one came; ``None``: nobody listens."""
        return None if self._came_at_s is None else self._clock.seconds() - self._came_at_s

    def _beat(self) -> None:
        age_s = self.age_s()
        if age_s is not None and age_s > LATE_S:
            self._late()
        else:
            # That it could not be sent shows in that it does not come.
            maybeDeferred(self._send).addErrback(lambda _: None)
