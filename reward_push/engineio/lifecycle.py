"""The life of a session as one table. Everything that may change a session's state stands here.

Two rules. An event that has no row for the current state raises and changes nothing. Whoever wants
something done sends an event; nobody else compares states to find out what may happen.

A polling session meets its WebSocket like this (Engine.IO protocol, "Upgrade")::

    POLLING ──PROBE_OPENED──▶ PROBING ──PROBED──▶ UPGRADING ──UPGRADED──▶ WEBSOCKET
       ▲                         │                    │
       └───────── PROBE_FAILED ──┴────────────────────┘

A session that the server closes while no poll is there to take the goodbye waits in ``CLOSING``.
"""

from enum import Enum, auto


class State(Enum):
    """Where a session is in its life."""

    OPENING = auto()
    """Registered; its first transport is not usable yet."""
    POLLING = auto()
    PROBING = auto()
    """A WebSocket is open beside polling; nothing may be written to it before its probe."""
    UPGRADING = auto()
    """The probe was answered: every poll is answered at once until the client says ``5``."""
    WEBSOCKET = auto()
    CLOSING = auto()
    """Over for the application; the last packets wait for one more poll."""
    CLOSED = auto()


class Event(Enum):
    """What can happen to a session."""

    POLLING_OPENED = auto()
    WEBSOCKET_OPENED = auto()
    PROBE_OPENED = auto()
    PROBED = auto()
    UPGRADED = auto()
    PROBE_FAILED = auto()
    CLOSE_DEFERRED = auto()
    CLOSED = auto()


class IllegalEvent(Exception):
    """The event has no meaning in this state; the state is unchanged."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event.name} in {state.name}")
        self.state = state
        self.event = event


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.OPENING, Event.POLLING_OPENED): State.POLLING,
    (State.OPENING, Event.WEBSOCKET_OPENED): State.WEBSOCKET,
    (State.OPENING, Event.CLOSED): State.CLOSED,
    (State.POLLING, Event.PROBE_OPENED): State.PROBING,
    (State.POLLING, Event.CLOSE_DEFERRED): State.CLOSING,
    (State.POLLING, Event.CLOSED): State.CLOSED,
    (State.PROBING, Event.PROBED): State.UPGRADING,
    (State.PROBING, Event.PROBE_FAILED): State.POLLING,
    (State.UPGRADING, Event.UPGRADED): State.WEBSOCKET,
    (State.UPGRADING, Event.PROBE_FAILED): State.POLLING,
    (State.WEBSOCKET, Event.CLOSED): State.CLOSED,
    (State.CLOSING, Event.CLOSED): State.CLOSED,
}


def advance(state: State, event: Event) -> State:
    """Return the state after ``event``; raise :class:`IllegalEvent` where the table has no row."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalEvent(state, event) from None
