"""Events that stock emitters publish for Socket.IO servers, read.

Two forms:

* ``@socket.io/redis-emitter`` publishes on ``socket.io#<namespace>#[<room>#]`` MessagePack of
  ``[uid, packet, {rooms, except, flags}]``, with ``packet.data`` = ``[event, ...args]``.
* python-socketio's write-only ``RedisManager`` publishes on ``socketio`` a JSON object with ``method``,
  ``event``, ``data`` (the arguments), ``namespace``, ``room`` and ``skip_sid``; bytes as base64 behind the data,
  with placeholders. Versions before 5.14 publish pickles, which are not read: to read one is to run it.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs
import msgpack

from ..rewards.parsing import RESERVED_EVENTS

JS_PATTERN = "socket.io#*"
"""Where the JavaScript emitter publishes."""
PYTHON_CHANNEL = "socketio"
"""Where python-socketio publishes."""
MAX_BYTES = 64 * 1024
"""Larger ones are not passed on."""
MAX_ROOMS = 1_000


class NotEmitted(ValueError):
    """What was published is no event to be passed on. The text says why, not what it held."""


@attrs.frozen
class Emitted:
    """One event for the clients of a namespace."""

    namespace: str
    args: Sequence[Any]
    """The event's name and its arguments: JSON values and bytes."""
    rooms: tuple[str, ...] = ()
    """None: everybody."""
    but_rooms: tuple[str, ...] = ()
    """Who is in one of these does not get it."""
    but_sockets: tuple[str, ...] = ()
    """Nor these, by their ids."""
    volatile: bool = False
    """Not for clients that cannot take it at once."""


def read(channel: str, payload: bytes) -> Emitted | None:
    """Return the event in ``payload``; ``None``: something else that servers say to each other.

    Raises :class:`NotEmitted`.
    """
    if len(payload) > MAX_BYTES:
        raise NotEmitted(f"it is larger than {MAX_BYTES} bytes")
    try:
        emitted = _from_python(payload) if channel == PYTHON_CHANNEL else _from_js(payload)
    except NotEmitted:
        raise
    except (
        LookupError,
        ArithmeticError,
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise NotEmitted(f"it is not as emitters write it ({type(error).__name__})") from None
    if emitted is not None:
        _check(emitted)
    return emitted


def _check(emitted: Emitted) -> None:
    event = emitted.args[0] if emitted.args else None
    if not isinstance(event, str) or event in RESERVED_EVENTS:
        raise NotEmitted("its event has no name, or one that is reserved")
    if max(len(emitted.rooms), len(emitted.but_rooms), len(emitted.but_sockets)) > MAX_ROOMS:
        raise NotEmitted(f"it names more than {MAX_ROOMS} rooms")


# The JavaScript emitter


def _from_js(payload: bytes) -> Emitted:
    _, packet, options = msgpack.unpackb(
        payload, raw=False, ext_hook=_extension, timestamp=3, strict_map_key=True
    )
    return Emitted(
        namespace=_text(packet["nsp"]),
        args=_values(_list(packet["data"])),
        rooms=_texts(options.get("rooms")),
        but_rooms=_texts(options.get("except")),
        volatile=bool((options.get("flags") or {}).get("volatile")),
    )


def _extension(kind: int, data: bytes) -> Any:
    """Read what notepack.io writes beyond MessagePack: ``undefined``, and dates of older versions."""
    if kind == 0 and len(data) == 1:
        return None
    if kind == 0 and len(data) == 8:
        return datetime.fromtimestamp(int.from_bytes(data, "big", signed=True) / 1000, UTC)
    raise NotEmitted("it has a value that JSON does not know")


def _values(value: Any) -> Any:
    """Return JSON values and bytes: a date is the text that JavaScript makes of it."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, list):
        return [_values(each) for each in value]
    if isinstance(value, dict):
        return {name: _values(each) for name, each in value.items()}
    return value


# python-socketio


def _from_python(payload: bytes) -> Emitted | None:
    if payload.startswith(b"\x80"):
        raise NotEmitted("it is a pickle, which is not read: use python-socketio 5.14 or newer")
    told = json.loads(payload)
    if told["method"] != "emit":
        return None
    data = _list(told["data"])
    if told.get("binary"):
        data = _with_attachments(data[0], data[1:])
    return Emitted(
        namespace=_text(told["namespace"]),
        args=[_text(told["event"]), *_list(data)],
        rooms=_texts(told.get("room")),
        but_sockets=_texts(told.get("skip_sid")),
    )


def _with_attachments(value: Any, attachments: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_with_attachments(each, attachments) for each in value]
    if isinstance(value, Mapping):
        if value.get("_placeholder") is True:
            return _bytes(attachments[value["num"]])
        return {name: _with_attachments(each, attachments) for name, each in value.items()}
    return value


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise NotEmitted("its bytes are not base64") from error


# Both


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(_text, value if isinstance(value, list) else [value]))
