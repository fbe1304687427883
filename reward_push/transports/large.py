"""Large bodies: asked about before they come, and so many at a time."""

import attrs

LARGE_BYTES = 64 * 1024
"""A body of more than this is large."""

MAX_LARGE = 16
"""Large bodies that may be under way, or in use, at one time."""

RETRY_AFTER_S = 1
"""When to come again if there are too many."""


@attrs.frozen
class Unwelcome:
    """What a request is answered with whose body is not wanted."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class LargeBodies:
    """Counts those of a site."""

    __slots__ = ("_most", "now")

    def __init__(self, most: int = MAX_LARGE) -> None:
        self._most = most
        self.now = 0
        """Under way, or in use."""

    def begin(self) -> bool:
        """Count one more; return False, and do not, when there are too many."""
        if self.now >= self._most:
            return False
        self.now += 1
        return True

    def end(self) -> None:
        """One is not needed any more."""
        self.now -= 1
