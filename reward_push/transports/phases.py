"""Where an HTTP connection is in its life."""

from enum import Enum


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
