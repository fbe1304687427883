"""The life of a message, as a table.

The stores do these steps in their own language, each in one transaction; this table says which there
are. Whatever is not in it changes nothing: an ended message stays as it ended.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from .message import Message, MessageRecord, State


class Event(StrEnum):
    """What can happen to a message."""

    ACCEPT_LATER = "accept, due later"
    ACCEPT_NOW = "accept, due now, with an end"
    ACCEPT_ENDLESS = "accept, due now, without an end"
    CLAIM = "claim, with an end to come"
    CLAIM_ENDLESS = "claim, without an end"
    CLAIM_LATE = "claim, after its end"
    CLAIM_MISSED = "claim, without an end, due while no node ran"
    EXPIRE = "its end comes"
    CANCEL = "the backend cancels it"
    SUPERSEDE = "another one replaces it"
    TAKE = "a device is the first to acknowledge it (once)"


TRANSITIONS: Mapping[tuple[State | None, Event], State] = MappingProxyType(
    {
        (None, Event.ACCEPT_LATER): State.SCHEDULED,
        (None, Event.ACCEPT_NOW): State.LIVE,
        (None, Event.ACCEPT_ENDLESS): State.DONE,
        (State.SCHEDULED, Event.CLAIM): State.LIVE,
        (State.SCHEDULED, Event.CLAIM_ENDLESS): State.DONE,
        (State.SCHEDULED, Event.CLAIM_LATE): State.EXPIRED,
        (State.SCHEDULED, Event.CLAIM_MISSED): State.EXPIRED,
        (State.SCHEDULED, Event.CANCEL): State.CANCELLED,
        (State.LIVE, Event.EXPIRE): State.EXPIRED,
        (State.LIVE, Event.CANCEL): State.CANCELLED,
        (State.LIVE, Event.SUPERSEDE): State.CANCELLED,
        (State.LIVE, Event.TAKE): State.DONE,
        # Without an end it was done when it was sent; who took it is recorded all the same.
        (State.DONE, Event.TAKE): State.DONE,
    }
)
"""(state, event) → the next state; ``None``: the message is not known yet."""

ENDED = frozenset({State.DONE, State.EXPIRED, State.CANCELLED})
"""The states in which nothing is left to deliver."""


def after(state: State | None, event: Event) -> State | None:
    """Return the state that ``event`` leads to; without a row in the table, the same."""
    return TRANSITIONS.get((state, event), state)


def begin(message: Message, digest: bytes) -> MessageRecord:
    """Return the record in which a message begins: as of ``created_at_ms``, nothing sent.

    ``scheduled`` when it is due later, else ``live`` when it has an end to come, else ``done``.
    ``expired`` where its end has come: it should not begin at all.
    """
    now_ms = message.created_at_ms
    if message.deliver_at_ms > now_ms:
        state = State.SCHEDULED
    elif message.expires_at_ms is None:
        state = State.DONE
    else:
        state = State.LIVE if message.expires_at_ms > now_ms else State.EXPIRED
    return MessageRecord(message, digest, state, ended_at_ms=now_ms if state in ENDED else None)
