"""The two ends of a handshake that are only text: the query of a request, and the open packet."""

import json
from collections.abc import Mapping, Sequence

import attrs

from .encoding import decode_percent
from .errors import DecodeError
from .options import EngineOptions
from .outgoing import Outgoing
from .packet import Packet, PacketType

MAX_FIELDS = 64
"""Most fields accepted in a query; its bytes are bounded by whoever reads the request line."""

MAX_JSONP_DIGITS = 16
"""Longest JSONP index accepted."""

_TRUE = frozenset(("1", "true"))


@attrs.frozen
class Query:
    """What the query of an Engine.IO request says. Its text may hold secrets: they are not shown."""

    eio: str | None
    """The revision asked for, as written: see :func:`.negotiate`."""
    transport: str | None
    """``polling``, ``websocket``, or anything."""
    sid: str | None = attrs.field(repr=False)
    """The session; ``None`` (also for an empty ``sid=``) asks for a new one."""
    jsonp: str | None
    """The digits of ``j``, if there is a ``j``. Counts at the handshake only."""
    base64: bool
    """``b64`` is ``1`` or ``true``: the client takes binary only as base64. Counts at the handshake only."""
    params: Mapping[str, str] = attrs.field(repr=False)
    """All fields, those above included, for whoever authenticates."""


def parse_query(raw: bytes) -> Query:
    """Parse ``raw``, the part of a request's target after ``?``.

    Fields are separated by ``&``; ``+`` is a space. Of fields with the same name the first counts.
    A name without ``=`` has an empty value.

    :raises DecodeError: broken percent-encoding, not UTF-8, more than :data:`MAX_FIELDS` fields, or
        a ``j`` without digits or with too many. The request is a bad request.
    """
    params: dict[str, str] = {}
    fields = raw.split(b"&", MAX_FIELDS)
    if len(fields) > MAX_FIELDS:
        raise DecodeError(f"more than {MAX_FIELDS} query fields")
    for field in fields:
        name, _, value = field.partition(b"=")
        if field:
            params.setdefault(decode_percent(name), decode_percent(value))
    jsonp = params.get("j")
    return Query(
        eio=params.get("EIO"),
        transport=params.get("transport"),
        sid=params.get("sid") or None,
        jsonp=None if jsonp is None else _jsonp_index(jsonp),
        base64=params.get("b64") in _TRUE,
        params=params,
    )


def open_packet(sid: str, upgrades: Sequence[str], options: EngineOptions) -> Outgoing:
    """Return the packet that opens the session ``sid``: exactly the five members clients know.

    ``upgrades`` is ``["websocket"]`` or empty.
    """
    handshake = {
        "sid": sid,
        "upgrades": list(upgrades),
        "pingInterval": round(options.ping_interval_s * 1000),
        "pingTimeout": round(options.ping_timeout_s * 1000),
        "maxPayload": options.max_packet_bytes,
    }
    return Outgoing(Packet(PacketType.OPEN, json.dumps(handshake, separators=(",", ":"))))


def _jsonp_index(value: str) -> str:
    """Return the digits of ``value`` and nothing else: they go into a script."""
    digits = "".join([character for character in value if character in "0123456789"])
    if not 0 < len(digits) <= MAX_JSONP_DIGITS:
        raise DecodeError(f"j without digits, or with more than {MAX_JSONP_DIGITS}")
    return digits
