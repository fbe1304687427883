"""What becomes of a message that was posted: it is kept, or refused, and what a backend is told of it."""

import attrs

from .errors import ErrorCode, Refused
from .message import MessageRecord, State
from .structure import shown


@attrs.frozen
class Accepted:
    """A message that is kept."""

    record: MessageRecord
    fresh: bool
    """Whether it is new; else the same came earlier, and ``record`` is what was answered then."""


Outcome = Accepted | Refused
"""What became of one posted message."""

LIVE, SCHEDULED, REPEATED = "live", "scheduled", "repeated"
"""Words for what became of messages that were accepted, beside the codes of refusals."""


def word_of(outcome: Outcome) -> str:
    """Return the word that an outcome is counted by."""
    if isinstance(outcome, Refused):
        return outcome.code
    if not outcome.fresh:
        return REPEATED
    return SCHEDULED if outcome.record.state is State.SCHEDULED else LIVE


def unavailable(*, unsure: bool = False) -> Refused:
    """Return the refusal of one message of several, of which the store may have taken others.

    ``unsure``: it may have taken this one, and was lost before it could say so.
    """
    # Not one for all: each time that it is raised an exception keeps more of where that was.
    msg = "the store is not available; this message was not accepted, try again"
    if unsure:
        msg = "the store was lost before it answered: it may have this message; try again, with the same id"
    return Refused(ErrorCode.UNAVAILABLE, msg)


def no_message(message_id: str) -> Refused:
    """Return the refusal of an id that is unknown, or not to be known by who asks."""
    return Refused(ErrorCode.NOT_FOUND, f"there is no message with the id {shown(message_id)}")
