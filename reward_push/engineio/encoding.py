"""Text, base64 and percent-encoding as Engine.IO carries them: strict, with one error for each way."""

import re
from binascii import a2b_base64, b2a_base64
from urllib.parse import unquote_to_bytes

from .errors import DecodeError, EncodeError

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def check_text(text: str) -> str:
    """Return ``text`` if it can be sent.

    :raises EncodeError: a lone surrogate. It has no UTF-8 form, and a WebSocket client that gets
        one anyway fails the connection.
    """
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise EncodeError(f"lone surrogate at character {error.start}") from None
    return text


def decode_utf8(data: bytes) -> str:
    """Return the text of ``data``.

    :raises DecodeError: not UTF-8.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DecodeError(f"not UTF-8 at byte {error.start}") from None


def encode_base64(data: bytes) -> str:
    """Return ``data`` in standard base64, padded, on one line."""
    return b2a_base64(data, newline=False).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Return the bytes of ``text``: standard alphabet, padding required, as all stock clients send.

    :raises DecodeError: anything else.
    """
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise DecodeError(f"bad base64: {error}") from None


def decode_percent(data: bytes) -> str:
    """Return the text of a name or value from a query or a form (``+`` is a space).

    :raises DecodeError: a ``%`` without two hexadecimal digits, or not UTF-8.
    """
    if b"%" in data and _BROKEN_ESCAPE.search(data):
        raise DecodeError("broken percent-encoding")
    return decode_utf8(unquote_to_bytes(data.replace(b"+", b" ")))
