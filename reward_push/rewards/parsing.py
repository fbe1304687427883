"""From the JSON a backend posted to a message, or to the refusal that names what is wrong with it."""

import json
import secrets
from collections.abc import Collection
from typing import NoReturn

from .digest import digest
from .errors import ErrorCode, Refused, invalid, not_supported
from .message import TO_ALL, Audience, AudienceKind, Message, MessageRecord, State
from .structure import (
    Field,
    boolean,
    identifier,
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

_LATER = ("ttl_ms", "deliver_at", "delay_ms", "replace")

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
            # What is not done yet is said before what is merely missing.
            **dict.fromkeys(_LATER, Field(_later)),
            "once": Field(_once),
            "id": Field(identifier),
            "namespace": Field(one_of(tuple(namespaces)), required=True),
            "event": Field(event, required=True),
            "to": Field(audience, required=True),
            "data": Field(data, required=True),
        }

    def parse(self, body: object, now_ms: int) -> MessageRecord:
        """Return the accepted form of ``body``, a JSON value: due now and, having no end, done once sent.

        Raises :class:`.errors.Refused`.
        """
        fields = structure(body, self._fields, what="a message")
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
            deliver_at_ms=now_ms,
        )
        return MessageRecord(message, fingerprint, State.DONE, ended_at_ms=now_ms)


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


def _later(_value: object, path: str) -> NoReturn:
    msg = f"{path} is not supported by this version"
    raise not_supported(msg, path)


def _once(value: object, path: str) -> bool:
    return boolean(value, path) and _later(value, path)
