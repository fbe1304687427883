"""The heartbeat of one session (Engine.IO protocol, "Heartbeat").

Revision 3: the client pings, the server answers and counts the silence. Revision 4: the server pings
``ping_interval_s`` after the last pong and counts the wait for the next. Any valid packet is a sign
of life.

Nobody can make a client of revision 3 ping in time: browsers let the timers of a hidden page run once a
minute. It would fall silent for longer than balancers bear. So one whose ping is late is asked by a ping of the
WebSocket itself, which its browser answers, not its page.
"""

from enum import Enum, auto

from .options import EngineOptions

LATE_S = 0.1
"""A node later than this with a ping does not take it off the client's time."""
OVERDUE_S = 5.0
"""How late a client's own ping may be before it is asked. Less than any balancer's idle timeout allows
beyond the heartbeat, and nothing that a client in time ever costs."""


class Beat(Enum):
    """What has to be done at a heartbeat's deadline."""

    PING = auto()
    """Send a ping and call :meth:`Heartbeat.pinged`."""
    ASK = auto()
    """Ask the client's transport for a sign of life and call :meth:`Heartbeat.overdue`."""
    DEAD = auto()
    """The client did not answer in time."""


class Heartbeat:
    """One deadline, and what it means. Times are monotonic seconds."""

    __slots__ = ("_asked_at", "_awaiting_pong", "_options", "_server_pings", "at", "rtt_s")

    at: float
    """The deadline."""
    rtt_s: float | None
    """How long the client took for its last answer to a question of ours; ``None``: none yet."""

    def __init__(self, now: float, options: EngineOptions, *, server_pings: bool) -> None:
        self._options = options
        self._server_pings = server_pings
        self._asked_at: float | None = None
        self.rtt_s = None
        self.restart(now)

    def restart(self, now: float) -> None:
        """Begin anew, as after an upgrade."""
        self._awaiting_pong = False
        self.at = now + self._options.ping_interval_s
        if not self._server_pings:
            self.at += min(OVERDUE_S, self._options.ping_timeout_s)

    def alive(self, now: float) -> None:
        """The client has shown a sign of life."""
        if self._awaiting_pong or not self._server_pings:
            self.restart(now)

    def asked(self, now: float) -> None:
        """Something was sent that the client answers at once."""
        self._asked_at = now

    def answered(self, now: float) -> bool:
        """It has answered; return whether it was asked."""
        if self._asked_at is None:
            return False
        self.rtt_s = now - self._asked_at
        self._asked_at = None
        return True

    @property
    def is_asking(self) -> bool:
        """Whether something is under way that the client answers at once."""
        return self._asked_at is not None

    @property
    def may_ping(self) -> bool:
        """Whether it is for the server to ping, and no ping is under way."""
        return self._server_pings and not self._awaiting_pong

    def pinged(self, now: float) -> None:
        """A ping was sent: the wait for its answer begins.

        It counts from the ping's own time, not from the tick that noticed it, unless the node was late.
        """
        self._awaiting_pong = True
        self.asked(now)
        self.postpone(self.at if 0 <= now - self.at < LATE_S else now)

    def overdue(self) -> None:
        """The client's own ping is late: what is left of its time begins."""
        self._awaiting_pong = True
        self.at += self._options.ping_timeout_s - OVERDUE_S

    def postpone(self, now: float) -> None:
        """Wait for a whole time-out from ``now``."""
        self.at = now + self._options.ping_timeout_s

    def extend(self, moved_at: float) -> None:
        """The client was seen to read at ``moved_at``: it has a whole time-out from there, at least."""
        self.at = max(self.at, moved_at + self._options.ping_timeout_s)

    def due(self) -> Beat:
        """Return what the passed deadline asks for."""
        if self._awaiting_pong:
            return Beat.DEAD
        if self._server_pings:
            return Beat.PING
        return Beat.ASK if self._options.ping_timeout_s > OVERDUE_S else Beat.DEAD
