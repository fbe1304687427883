"""How fast one client sends, and what is done about it.

A client that is too fast is not read from until its bucket is full again. One that is so again and again is
sent away: it does not slow down, and what it sends only waits elsewhere.
"""

from ..rate import Rate
from .backlog import NEVER

MAX_PAUSE_S = 5.0
"""The longest pause. The client's answers wait in it, too."""

STRIKES = 3
"""The third time it is too fast, it has to go."""

FORGIVEN_S = 60.0
"""How long a client is remembered to have been too fast."""

_ROUNDING_S = 1e-6


class Meter:
    """Counts what one client sends. Times are monotonic seconds."""

    __slots__ = ("_forgiven_at", "_full_at", "_strikes")

    def __init__(self) -> None:
        self._full_at = 0.0
        self._forgiven_at = 0.0
        self._strikes = 0

    def count(self, rate: Rate, now: float, longest_s: float) -> float:
        """The client has sent something. Return how long not to read from it: 0.0 nearly always.

        At most ``longest_s``; :data:`.backlog.NEVER` when the client has to go.
        """
        full_at = self._full_at = rate.take(self._full_at, now)
        full_in_s = full_at - now
        if full_in_s <= rate.window_s + _ROUNDING_S:
            return 0.0
        if now >= self._forgiven_at:
            self._strikes = 0
        self._strikes += 1
        self._forgiven_at = now + FORGIVEN_S
        return NEVER if self._strikes == STRIKES else min(full_in_s, longest_s)

    def give_back(self, rate: Rate) -> None:
        """What was counted last turns out not to count."""
        self._full_at = rate.give_back(self._full_at)
