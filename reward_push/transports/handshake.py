"""The opening handshake of a WebSocket (RFC 6455, section 4.2): what is checked, what is answered."""

import re
from base64 import b64encode
from hashlib import sha1

from twisted.web.http_headers import Headers

from .protection import PROTECTION

VERSION = b"13"
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_NOT_IN_A_101 = frozenset((b"Connection", b"Upgrade", *PROTECTION))
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")


def wants_websocket(headers: Headers) -> bool:
    """Return whether a request asks for a WebSocket, well or badly."""
    return headers.hasHeader(b"Upgrade") and b"websocket" in _tokens(headers, b"Upgrade")


def refusal(method: bytes, version: bytes, headers: Headers) -> str | None:
    """Return what is wrong with an upgrade request; ``None``: it can be accepted.

    ``version`` is that of HTTP, ``b"HTTP/1.1"``.
    """
    if method != b"GET":
        return "a WebSocket is opened with GET"
    if version != b"HTTP/1.1":
        return "a WebSocket is opened with HTTP/1.1"
    if not wants_websocket(headers):
        return "the Upgrade header does not name websocket"
    if b"upgrade" not in _tokens(headers, b"Connection"):
        return "the Connection header does not name Upgrade"
    if headers.getRawHeaders(b"Sec-WebSocket-Version") != [VERSION]:
        return "the Sec-WebSocket-Version header is not 13"
    keys = headers.getRawHeaders(b"Sec-WebSocket-Key", [])
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        return "the Sec-WebSocket-Key header is not one base64 of 16 bytes"
    return None


def answer(request_headers: Headers, answer_headers: Headers) -> bytes:
    """Return the head of the 101 to a request without a :func:`refusal`.

    It carries ``answer_headers`` too, without those that are about content: it has none. No sub-protocol and no
    extension is taken up.
    """
    key = request_headers.getRawHeaders(b"Sec-WebSocket-Key", [b""])[0]
    accept = b64encode(sha1(key + _MAGIC, usedforsecurity=False).digest())
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept,
    ]
    for name, values in answer_headers.getAllRawHeaders():
        if name not in _NOT_IN_A_101:
            lines += [name + b": " + value for value in values]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _tokens(headers: Headers, name: bytes) -> set[bytes]:
    values = headers.getRawHeaders(name, [])
    return {token.strip().lower() for value in values for token in value.split(b",")}
