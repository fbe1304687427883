"""The revisions of Engine.IO side by side. Nothing else in the project compares revisions.

A session is given a :class:`Revision` at its handshake and asks it for everything that differs:
how packets become bytes on polling and on a WebSocket, and which side sends the pings.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import attrs

from . import payload_v3, payload_v4
from .errors import DecodeError, Refusal
from .options import EngineOptions
from .outgoing import Outgoing
from .packet import Packet

TEXT = b"text/plain; charset=UTF-8"
BINARY = b"application/octet-stream"


class Payload(NamedTuple):
    """The body of an answer to a poll, and its content type."""

    content_type: bytes
    body: bytes


class PayloadEncoder(Protocol):
    """See :attr:`Revision.encode_payload`."""

    def __call__(self, units: Sequence[Outgoing], *, base64: bool) -> Payload:
        """Return ``units`` as one payload."""


@attrs.frozen(eq=False)
class Revision:
    """One revision of the protocol: its number, its heartbeat and its codecs, all pure functions."""

    number: int
    """The value of ``EIO``."""

    server_pings: bool
    """Whether the server sends the pings and the client the pongs, or the other way round."""

    encode_frame: Callable[[Packet, bool], str | bytes] = attrs.field(repr=False)
    """``(packet, base64)`` → a WebSocket frame: ``str`` is a text frame, ``bytes`` a binary one.

    Raises :class:`.EncodeError` for a text with a lone surrogate.
    """

    decode_frame: Callable[[str | bytes], Packet] = attrs.field(repr=False)
    """A WebSocket frame → its packet. Raises :class:`.DecodeError`."""

    encode_payload: PayloadEncoder = attrs.field(repr=False)
    """``(units, *, base64)`` → the answer to a poll; ``base64``: the client takes no binary body.

    Raises :class:`.EncodeError` for a text with a lone surrogate, or one that would break the framing.
    """

    decode_payload: Callable[[bytes, bytes | None], Iterator[Packet]] = attrs.field(repr=False)
    """``(body, content_type)`` of a POST → its packets, one by one.

    Raises :class:`.DecodeError` at the first bad one, when the iterator comes to it: those before it
    have been yielded.
    """

    text_payload: Callable[[Sequence[Outgoing]], bytes] = attrs.field(repr=False)
    """Units → a payload that is text whatever they hold, for JSONP. Raises as ``encode_payload``."""


def negotiate(eio: str | None, options: EngineOptions) -> Revision | Refusal:
    """Return the revision for a handshake with ``EIO=<eio>`` (``None``: it has no ``EIO``).

    Clients that send none are of revision 3 (Swift up to 15.2), unless the options say otherwise.
    """
    if eio == "4":
        return V4
    if options.allow_eio3 and (eio == "3" or (eio is None and options.missing_eio_is_3)):
        return V3
    return Refusal.UNSUPPORTED_VERSION


def _encode_payload_v3(units: Sequence[Outgoing], *, base64: bool) -> Payload:
    # The binary framing is only used when needed: older clients read text faster.
    if base64 or not any(
        isinstance(packet.data, bytes) for unit in units for packet in unit.packets
    ):
        return Payload(TEXT, payload_v3.encode_text_payload(units))
    return Payload(BINARY, payload_v3.encode_binary_payload(units))


def _decode_payload_v3(body: bytes, content_type: bytes | None) -> Iterator[Packet]:
    if _is_binary(content_type):
        return payload_v3.decode_binary_payload(body)
    return payload_v3.decode_text_payload(body)


def _encode_payload_v4(units: Sequence[Outgoing], *, base64: bool) -> Payload:  # noqa: ARG001
    return Payload(TEXT, payload_v4.encode_payload(units))


def _decode_payload_v4(body: bytes, content_type: bytes | None) -> Iterator[Packet]:
    if _is_binary(content_type):
        raise DecodeError("revision 4 has no binary payloads")
    yield from payload_v4.decode_payload(body)


def _is_binary(content_type: bytes | None) -> bool:
    return content_type is not None and content_type.strip().lower().startswith(BINARY)


V3 = Revision(
    number=3,
    server_pings=False,
    encode_frame=payload_v3.encode_frame,
    decode_frame=payload_v3.decode_frame,
    encode_payload=_encode_payload_v3,
    decode_payload=_decode_payload_v3,
    text_payload=payload_v3.encode_text_payload,
)
V4 = Revision(
    number=4,
    server_pings=True,
    encode_frame=payload_v4.encode_frame,
    decode_frame=payload_v4.decode_frame,
    encode_payload=_encode_payload_v4,
    decode_payload=_decode_payload_v4,
    text_payload=payload_v4.encode_payload,
)
