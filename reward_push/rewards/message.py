"""Messages: what a backend wants shown, to whom, and what became of it. Times are epoch milliseconds."""

from enum import StrEnum
from typing import Any

import attrs

from .instants import to_rfc3339


class State(StrEnum):
    """Where a message is in its life."""

    SCHEDULED = "scheduled"
    """Not due yet."""
    LIVE = "live"
    """Due, and its end has not come."""
    DONE = "done"
    """Nothing is left to deliver."""
    EXPIRED = "expired"
    """Its end came, or no node ran at the moment it was due."""
    CANCELLED = "cancelled"
    """Taken back by the backend, or superseded."""


class AudienceKind(StrEnum):
    """The ways to name an audience."""

    STREAMER = "streamer"
    STREAMERS = "streamers"
    GROUP = "group"
    ALL = "all"


@attrs.frozen
class Audience:
    """Whom a message is for."""

    kind: AudienceKind
    names: tuple[str, ...] = ()
    """One streamer, several streamers, one group, or nobody by name for ``all``."""

    def to_json(self) -> str | dict[str, str | list[str]]:
        """Return the audience as the ``to`` of the public interface."""
        match self.kind:
            case AudienceKind.ALL:
                return "all"
            case AudienceKind.STREAMERS:
                return {"streamers": list(self.names)}
            case _:
                return {str(self.kind): self.names[0]}


TO_ALL = Audience(AudienceKind.ALL)


@attrs.frozen
class Message:
    """What a backend posted, as understood."""

    id: str
    namespace: str
    event: str
    to: Audience
    data: Any = attrs.field(repr=False)
    """Any JSON value."""
    created_at_ms: int
    deliver_at_ms: int
    expires_at_ms: int | None = None
    """``None``: it has no end, and is sent at most once."""
    replace: str | None = None
    """On becoming live it supersedes live messages of equal namespace, audience and ``replace``."""
    once: bool = False
    """The first device to acknowledge has it."""


@attrs.frozen
class Receipts:
    """How many devices a message was written to, proved to have reached, and was acknowledged by."""

    sent: int = 0
    delivered: int = 0
    acked: int = 0


@attrs.frozen
class MessageRecord:
    """A message and what became of it."""

    message: Message
    digest: bytes
    """SHA-256 of what the backend sent (:func:`.digest.digest`): the same id with an equal digest is the
    same message."""
    state: State
    receipts: Receipts = Receipts()
    ended_at_ms: int | None = None
    """When it became ``done``, ``expired`` or ``cancelled``; ``None`` before."""


def message_to_json(message: Message) -> dict[str, Any]:
    """Return the JSON object under which a message is stored. Fields that say nothing are left out."""
    stored: dict[str, Any] = {
        "id": message.id,
        "namespace": message.namespace,
        "event": message.event,
        "to": message.to.to_json(),
        "data": message.data,
        "created_at_ms": message.created_at_ms,
        "deliver_at_ms": message.deliver_at_ms,
    }
    if message.expires_at_ms is not None:
        stored["expires_at_ms"] = message.expires_at_ms
    if message.replace is not None:
        stored["replace"] = message.replace
    if message.once:
        stored["once"] = True
    return stored


def message_from_json(stored: dict[str, Any]) -> Message:
    """Return the message stored as ``stored``, an object :func:`message_to_json` made.

    Raises ValueError when it is none.
    """
    try:
        return Message(**{**stored, "to": _audience_from_json(stored["to"])})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"not a stored message: {error!r}"
        raise ValueError(msg) from None


def _audience_from_json(to: str | dict[str, Any]) -> Audience:
    if to == "all":
        return TO_ALL
    if not isinstance(to, dict):
        msg = f"no audience: {to!r}"
        raise TypeError(msg)
    [(kind, names)] = to.items()
    return Audience(AudienceKind(kind), tuple(names) if kind == "streamers" else (names,))


def record_to_answer(record: MessageRecord) -> dict[str, Any]:
    """Return the message as understood and what became of it: the JSON object a backend gets."""
    message, receipts = record.message, record.receipts
    answer: dict[str, Any] = {
        "id": message.id,
        "namespace": message.namespace,
        "event": message.event,
        "to": message.to.to_json(),
        "data": message.data,
        "once": message.once,
        "state": str(record.state),
        "created_at": to_rfc3339(message.created_at_ms),
        "deliver_at": to_rfc3339(message.deliver_at_ms),
        "expires_at": None,
        "receipts": {
            "sent": receipts.sent,
            "delivered": receipts.delivered,
            "acked": receipts.acked,
        },
    }
    if message.expires_at_ms is not None:
        answer["ttl_ms"] = message.expires_at_ms - message.deliver_at_ms
        answer["expires_at"] = to_rfc3339(message.expires_at_ms)
    if message.replace is not None:
        answer["replace"] = message.replace
    return answer
