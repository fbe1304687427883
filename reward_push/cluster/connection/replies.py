"""Redis' replies (RESP2), read where hiredis is not installed.

txredisapi's own reader leaves every string to another turn of the reactor, which costs ten times as much.
"""

from typing import Any

MAX_LINE = 64 * 1024
"""The longest line: an error, a status or a length."""
MAX_DEPTH = 32
"""The deepest nesting of arrays."""
_END = b"\r\n"
_WAIT = object()


class BrokenReply(Exception):
    """What came is no reply."""


class ReplyError(str):
    """The text of an error reply."""

    __slots__ = ()


class ReplyReader:
    """Takes bytes as they come and gives replies.

    Strings are ``str``, or ``bytes`` where they are not UTF-8; integers ``int``; nil ``None``; arrays
    lists; errors :class:`ReplyError`.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._arrays: list[tuple[int, list[Any]]] = []
        """Those that are not complete, outermost first: how long they will be, and what is there."""

    def feed(self, data: bytes) -> list[Any]:
        """Return the replies that are complete with ``data``. Raises :class:`BrokenReply`."""
        self._buffer += data
        replies = []
        while (value := self._next()) is not _WAIT:
            while self._arrays:
                length, items = self._arrays[-1]
                items.append(value)
                if len(items) < length:
                    break
                self._arrays.pop()
                value = items
            else:
                replies.append(value)
        del self._buffer[: self._at]
        self._at = 0
        return replies

    def _next(self) -> Any:
        """Return the next value that is not an array with something in it."""
        while True:
            end = self._buffer.find(_END, self._at)
            if end < 0:
                if len(self._buffer) - self._at > MAX_LINE:
                    raise BrokenReply("a line without an end")
                return _WAIT
            kind, text = self._buffer[self._at : self._at + 1], self._buffer[self._at + 1 : end]
            after = end + len(_END)
            if kind == b"$":
                length = _length(text)
                if length is None:
                    self._at = after
                    return None
                if len(self._buffer) < after + length + len(_END):
                    return _WAIT
                self._at = after + length + len(_END)
                return _text(self._buffer[after : after + length])
            self._at = after
            if kind == b"*":
                length = _length(text)
                if not length:
                    return None if length is None else []
                if len(self._arrays) >= MAX_DEPTH:
                    raise BrokenReply("arrays in arrays without an end")
                self._arrays.append((length, []))
            elif kind == b":":
                return _integer(text)
            elif kind == b"+":
                return _text(text)
            elif kind == b"-":
                return ReplyError(text.decode(errors="replace"))
            else:
                raise BrokenReply("not RESP2")


def _integer(text: bytearray) -> int:
    try:
        return int(text)
    except ValueError:
        raise BrokenReply("not a number") from None


def _length(text: bytearray) -> int | None:
    length = _integer(text)
    if length < -1:
        raise BrokenReply("a negative length")
    return None if length < 0 else length


def _text(data: bytearray) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return bytes(data)
