"""A device's number as it stands in Redis.

A number may have 76 bits, and Redis' Lua counts exactly only to 53. So there it is a text of its parts,
``<counter>+<identity>`` for a device that has a name and ``<counter>-<identity>`` for one that named none: a
script can tell whether a revoke may be owed to it, and whose it is, without looking anything up.
"""

import re

IDENTITY_BITS = 24
MAX_IDENTITY = (1 << IDENTITY_BITS) - 1
MAX_COUNTER = (1 << 53) - 1

_NAMED = 1 << IDENTITY_BITS
_TEXT = re.compile(r"([0-9]{1,16})([+-])([0-9]{1,8})", re.ASCII)


def numbered(counter: int, identity: int, *, named: bool) -> int:
    """Return a device's number. ``identity`` stands for its key and streamer; ``counter`` never comes again."""
    return counter << (IDENTITY_BITS + 1) | (_NAMED if named else 0) | identity


def to_text(number: int) -> str:
    """Return a device's number as its text."""
    sign = "+" if number & _NAMED else "-"
    return f"{number >> (IDENTITY_BITS + 1)}{sign}{number & MAX_IDENTITY}"


def from_text(text: str) -> int:
    """Return the number that ``text`` stands for. Raises ValueError."""
    match = _TEXT.fullmatch(text)
    if match is None or int(match[1]) > MAX_COUNTER or int(match[3]) > MAX_IDENTITY:
        msg = f"not a device: {text[:40]!a}"
        raise ValueError(msg)
    return numbered(int(match[1]), int(match[3]), named=match[2] == "+")
