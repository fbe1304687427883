"""The end of the key that a socket was let in by: then its client has to come back with a better one."""

from collections.abc import Callable

from zope.interface import implementer

from ..access.claims import Token
from ..access.interfaces import Key
from ..engineio.interfaces import ITimed, IWheel
from ..socketio.socket import Socket

REFRESH = "refresh"
"""The event that asks for a fresh token, and the one that brings it."""

ASK_AHEAD_MS = 60_000
"""How long before a token's end its client is asked for a fresh one; at half of its time if that is later."""

LOOK_S = 60.0
"""A wall clock that was set forward is noticed after this long. And so the ends of many keys, each at a moment of its own
and some of them far away, take no more places in the wheel than there are ticks in that time."""


@implementer(ITimed)
class KeyEnd:
    """Closes the connection of ``socket`` at the end of ``key``, which has one.

    A key ends by the wall clock (``now_ms``), which may be set: it decides, the wheel only wakes. The
    client of a signed token is asked for a fresh one in time, once.
    """

    __slots__ = ("_ask_at_left_ms", "_now_ms", "_socket", "_wheel", "bucket", "due", "key")

    def __init__(self, key: Key, socket: Socket, wheel: IWheel, now_ms: Callable[[], int]) -> None:
        self.bucket = 0
        self._socket = socket
        self._wheel = wheel
        self._now_ms = now_ms
        self._ask_at_left_ms: int | None = None
        self._go_by(key)

    @property
    def left_ms(self) -> int:
        """How long it is until the end."""
        return (self.key.expires_at_ms or 0) - self._now_ms()

    def renew(self, key: Key) -> None:
        """Go by ``key`` from now on."""
        self._go_by(key)
        self._wheel.file(self)

    def expire(self, now: float) -> None:
        """See :class:`..engineio.interfaces.ITimed`."""
        left_ms = self.left_ms
        if left_ms <= 0:
            self._socket.client.evict()
            return
        if self._ask_at_left_ms is not None and left_ms <= self._ask_at_left_ms:
            self._ask_at_left_ms = None
            self._socket.emit(REFRESH, {"ttl_ms": left_ms})
        self._wait(now)
        self._wheel.file(self)

    def _go_by(self, key: Key) -> None:
        self.key = key
        asks = isinstance(key, Token)
        self._ask_at_left_ms = min(ASK_AHEAD_MS, self.left_ms // 2) if asks else None
        self._wait(self._wheel.now())

    def _wait(self, now: float) -> None:
        left_s = (self.left_ms - (self._ask_at_left_ms or 0)) / 1000
        self.due = now + min(left_s, LOOK_S)
