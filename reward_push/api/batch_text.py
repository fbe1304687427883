"""The messages of a large batch, found one by one, so that a node can do other things in between.

``{"messages": [ … ]}`` is walked through: each message is checked to be strict JSON and then forgotten, only
where it stands is kept. So neither time nor memory grows with what a hostile batch stands for, and nothing
of a batch is published before all of it is known to be JSON.
"""

import json
from collections.abc import Iterator
from typing import Any

from ..rewards.errors import ErrorCode, Refused, invalid
from ..rewards.structure import shown
from ..strict_json import JSONError, loads
from .body import MAX_VALUES, not_json, values_at_most
from .limits import MAX_BATCH

FIELD = "messages"

WINDOW_BYTES = 32 * 1024
"""How much is looked at for a message at first: twice what one may have as data."""

Span = tuple[int, int]
"""Where a message begins and ends in the body, in bytes."""

_CUT_CHARS = 16
"""What is wrong with a text that goes on is wrong so close to its end: a word, a number, an escape."""

_WHITE = b" \t\n\r"
_decode_first = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode
"""Finds the end of a value; numbers, which may be far too long, are not made of it."""


class BatchText:
    """One walk through the body of a batch. ``most_bytes``: what one message may have; 0: any number."""

    def __init__(self, body: bytes, most_bytes: int) -> None:
        self._body = body
        self._most_bytes = most_bytes or len(body)
        self._at = 0
        self._count = 0

    def spans(self) -> Iterator[Span | None]:
        """Yield where each message is, and ``None`` where the walk may be interrupted as well.

        Raises :class:`..rewards.errors.Refused`, also for what stands behind the last message.
        """
        yield from self._to_field()
        yield from self._white()
        more = self._next() != b"]"
        while more:
            self._count += 1
            if self._count > MAX_BATCH:
                msg = f"{FIELD} must have 1 to {MAX_BATCH} items, not more"
                raise invalid(msg, FIELD)
            begin = self._at
            yield from self._message()
            yield begin, self._at
            yield from self._white()
            more = self._next() == b","
            if more:
                self._at += 1
                yield from self._white()
        yield from self._to_end()
        if not self._count:
            msg = f"{FIELD} must have 1 to {MAX_BATCH} items, not 0"
            raise invalid(msg, FIELD)

    def value(self, span: Span) -> Any:
        """Return the message at ``span``, which has been yielded."""
        return json.loads(self._body[slice(*span)])

    def _to_field(self) -> Iterator[None]:
        yield from self._white()
        self._expect(b"{")
        yield from self._white()
        if self._next() == b'"':
            begin = self._at
            yield from self._walk_over("the body")
            name = loads(self._body[begin : self._at])
            if name != FIELD:
                msg = f"there is no field {shown(name)} beside {FIELD} in a batch"
                raise invalid(msg, name[:40])
        yield from self._white()
        self._expect(b":")
        yield from self._white()
        if self._next() not in (b"[", b""):
            msg = f"{FIELD} must be an array"
            raise invalid(msg, FIELD)
        self._expect(b"[")

    def _to_end(self) -> Iterator[None]:
        self._expect(b"]")
        yield from self._white()
        if self._next() == b",":
            msg = f"there is nothing beside {FIELD} in a batch"
            raise invalid(msg)
        self._expect(b"}")
        yield from self._white()
        if self._at < len(self._body):
            raise self._wrong()

    def _message(self) -> Iterator[None]:
        what = f"{FIELD}[{self._count - 1}]"
        yield from self._walk_over(what)

    def _walk_over(self, what: str) -> Iterator[None]:
        """Go on behind the value that begins here, which is strict JSON."""
        size = WINDOW_BYTES
        while True:
            is_all = self._at + size >= len(self._body)
            text = self._text(size, is_all=is_all)
            try:
                _, end = _decode_first(text)
            except json.JSONDecodeError as error:
                if is_all or not _may_be_cut(error, text):
                    raise not_json(f"{what}: {error.msg} {error.pos} characters on") from None
                end = len(text)
            except RecursionError:
                raise not_json(f"{what}: nested too deeply") from None
            # A number at the end of the text may go on.
            if end < len(text) or is_all:
                break
            if size >= self._most_bytes:
                msg = f"{what} is larger than {self._most_bytes} bytes"
                raise Refused(ErrorCode.TOO_LARGE, msg, FIELD)
            size = min(size * 4, self._most_bytes)
            if not values_at_most(self._body[self._at : self._at + size], MAX_VALUES):
                msg = f"{what} has too many values"
                raise Refused(ErrorCode.TOO_LARGE, msg, FIELD)
            yield None
        found = text[:end]
        try:
            loads(found)
        except JSONError as error:
            raise not_json(f"{what}: {error}") from None
        self._at += end if found.isascii() else len(found.encode())

    def _text(self, size: int, *, is_all: bool) -> str:
        """Return what the next ``size`` bytes say; a character that is cut off is left out."""
        window = self._body[self._at : self._at + size]
        try:
            return window.decode()
        except UnicodeDecodeError as error:
            if is_all or error.start < len(window) - 3:
                raise not_json(f"not UTF-8 at byte {self._at + error.start}") from None
            return window[: error.start].decode()

    def _white(self) -> Iterator[None]:
        while True:
            window = self._body[self._at : self._at + WINDOW_BYTES]
            left = window.lstrip(_WHITE)
            self._at += len(window) - len(left)
            if left or not window:
                return
            yield None

    def _next(self) -> bytes:
        return self._body[self._at : self._at + 1]

    def _expect(self, byte: bytes) -> None:
        if self._next() != byte:
            raise self._wrong()
        self._at += 1

    def _wrong(self) -> Refused:
        if self._at >= len(self._body):
            return not_json(f"it ends at byte {self._at}")
        return not_json(f"something is wrong at or after byte {self._at}")


def _may_be_cut(error: json.JSONDecodeError, text: str) -> bool:
    """Return whether what is wrong with ``text`` may be that it goes on."""
    return error.msg.startswith("Unterminated string") or error.pos > len(text) - _CUT_CHARS
