"""Where an HTTP connection is in its life, and how long that may take."""

from enum import Enum

from .options import SiteOptions

ABORT_S = 15.0
"""How long a connection that we gave up may take to flush and close."""


class Phase(Enum):
    """What a connection is waiting for; each has its own deadline."""

    IDLE = "idle"
    """The next request."""
    HEAD = "head"
    """The rest of a request's head."""
    BODY = "body"
    """The rest of a request's body."""
    BUSY = "busy"
    """Our own answer: no deadline, a poll is held as long as its session likes."""
    CLOSING = "closing"
    """The end of a connection whose last answer was written."""
    GIVEN_UP = "given up"
    """The end of a connection that was idle for too long."""
    GONE = "gone"
    """Nothing: the transport has gone over to another protocol."""


ENDING = frozenset({Phase.CLOSING, Phase.GIVEN_UP, Phase.GONE})
"""Phases in which no input is taken."""


def time_for(phase: Phase, options: SiteOptions) -> float:
    """Return how long a connection may be in ``phase``, in seconds; 0: for ever."""
    match phase:
        case Phase.IDLE | Phase.CLOSING:
            return options.keep_alive_s
        case Phase.HEAD:
            return options.header_timeout_s
        case Phase.BODY:
            return options.body_timeout_s
        case Phase.GIVEN_UP:
            return ABORT_S
        case _:
            return 0.0
