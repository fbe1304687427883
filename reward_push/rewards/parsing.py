"""From the JSON a backend posted to a message, or to the refusal that names what is wrong with it."""

import json
import secrets
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from .digest import digest
from .errors import ErrorCode, Refused, invalid
from .instants import instant, to_rfc3339
from .lifecycle import begin
from .message import TO_ALL, Audience, AudienceKind, Message, MessageRecord
from .structure import (
    Field,
    boolean,
    identifier,
    integer,
    kind_of,
    many,
    one_of,
    shown,
    structure,
    text,
)

MAX_STREAMERS = 1000
MAX_DATA_BYTES = 16 * 1024
MAX_EVENT_CHARS = 128

DAY_MS = 86_400_000
MAX_TTL_MS = 366 * DAY_MS
"""The longest life of a message."""
MAX_AHEAD_MS = 366 * DAY_MS
"""How far ahead a message may be scheduled."""

SECONDS_BELOW = 100_000_000_000
"""A number below this is 1973 in milliseconds, and the year 5138 in seconds: it is a mistake."""

RESERVED_EVENTS = frozenset(
    {
        # Socket.IO protocol: names clients and servers emit on their own.
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
        # Ours.
        "revoke",
        "refresh",
    }
)
"""Names that mean something to clients already: no message may be called so."""

_AUDIENCE_FIELDS = {
    "streamer": Field(identifier),
    "streamers": Field(many(identifier, 1, MAX_STREAMERS)),
    "group": Field(identifier),
}

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode

_event_text = text(1, MAX_EVENT_CHARS)


def make_id() -> str:
    """Make up an id for a message that came without: 128 random bits."""
    return secrets.token_hex(16)


class MessageParser:
    """Reads messages for the namespaces a node serves (``/`` among them)."""

    def __init__(self, namespaces: Collection[str]) -> None:
        self._fields: dict[str, Field] = {
            "id": Field(identifier),
            "namespace": Field(one_of(tuple(namespaces)), required=True),
            "event": Field(event, required=True),
            "to": Field(audience, required=True),
            "data": Field(data, required=True),
            "deliver_at": Field(deliver_at),
            "delay_ms": Field(integer(0, MAX_AHEAD_MS)),
            "ttl_ms": Field(integer(1, MAX_TTL_MS)),
            "replace": Field(identifier),
            "once": Field(boolean),
        }

    def parse(self, body: object, now_ms: int) -> MessageRecord:
        """Return the accepted form of ``body``, a JSON value, as of ``now_ms``.

        It is ``expired`` when its end has come already: such a message is not accepted, but may be one
        that was accepted earlier (see :func:`too_late`).

        Raises :class:`.errors.Refused`.
        """
        fields = structure(body, self._fields, what="a message")
        life = lifetime(fields, now_ms)
        try:
            fingerprint = digest(body)
        except (ValueError, RecursionError):
            msg = "the message is no JSON, or nested too deeply"
            raise invalid(msg) from None
        message = Message(
            id=fields["id"] if "id" in fields else make_id(),
            namespace=fields["namespace"],
            event=fields["event"],
            to=fields["to"],
            data=fields["data"],
            created_at_ms=now_ms,
            deliver_at_ms=life.deliver_at_ms,
            expires_at_ms=life.expires_at_ms,
            replace=fields.get("replace"),
            once=fields.get("once", False),
        )
        return begin(message, fingerprint)


class Lifetime(NamedTuple):
    """When a message begins and ends."""

    deliver_at_ms: int
    expires_at_ms: int | None


def lifetime(fields: Mapping[str, Any], now_ms: int) -> Lifetime:
    """Return the lifetime that the checked ``deliver_at``, ``delay_ms`` and ``ttl_ms`` ask for.

    Raises :class:`.errors.Refused` when both of the first two come, or it is too far ahead.
    """
    if "deliver_at" in fields and "delay_ms" in fields:
        msg = "deliver_at and delay_ms exclude each other: give one of them"
        raise invalid(msg, "delay_ms")
    deliver_at_ms = fields.get("deliver_at", now_ms + fields.get("delay_ms", 0))
    if deliver_at_ms > now_ms + MAX_AHEAD_MS:
        msg = f"deliver_at must be at most {MAX_AHEAD_MS // DAY_MS} days ahead"
        raise invalid(msg, "deliver_at")
    ttl_ms = fields.get("ttl_ms")
    return Lifetime(deliver_at_ms, None if ttl_ms is None else deliver_at_ms + ttl_ms)


def too_late(message: Message) -> Refused:
    """Return the refusal of a new message whose end has come already."""
    end = to_rfc3339(message.expires_at_ms or 0)
    return Refused(
        ErrorCode.TOO_LATE, f"its life is over: deliver_at and ttl_ms end at {end}", "deliver_at"
    )


def deliver_at(value: object, path: str) -> int:
    """Check when a message is due; epoch seconds, which are taken for 1970, are refused."""
    moment = instant(value, path)
    if not isinstance(value, str) and moment < SECONDS_BELOW:
        msg = f"{path} must be epoch milliseconds; {moment} looks like seconds"
        raise invalid(msg, path)
    return moment


def event(value: object, path: str) -> str:
    """Check the name of an event."""
    checked = _event_text(value, path)
    if checked in RESERVED_EVENTS:
        msg = f"{path} {shown(checked)} is a reserved name"
        raise invalid(msg, path)
    return checked


def data(value: object, path: str) -> object:
    """Check a message's data: any JSON whose compact UTF-8 form has at most ``MAX_DATA_BYTES``."""
    try:
        size = len(_compact(value).encode())
    except (ValueError, RecursionError):
        msg = f"{path} is no JSON, or nested too deeply"
        raise invalid(msg, path) from None
    if size > MAX_DATA_BYTES:
        msg = f"{path} has {size} bytes of JSON; at most {MAX_DATA_BYTES} are allowed"
        raise Refused(ErrorCode.TOO_LARGE, msg, path)
    return value


def audience(value: object, path: str) -> Audience:
    """Check whom a message is for."""
    if value == "all":
        return TO_ALL
    if isinstance(value, str):
        msg = f'{path} must be "all" or an object like {{"streamer": …}}, not {shown(value)}'
        raise invalid(msg, path)
    if not isinstance(value, dict):
        msg = f'{path} must be "all" or an object like {{"streamer": …}}, not {kind_of(value)}'
        raise invalid(msg, path)
    fields = structure(value, _AUDIENCE_FIELDS, path)
    if len(fields) != 1:
        msg = f"{path} must have one of streamer, streamers and group, not {len(fields) or 'none'}"
        raise invalid(msg, path)
    [(kind, names)] = fields.items()
    return Audience(AudienceKind(kind), names if isinstance(names, tuple) else (names,))
