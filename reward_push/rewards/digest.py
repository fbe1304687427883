"""When two JSON values are the same message: a digest of their canonical form."""

import json
import re
from hashlib import sha256

# Python writes each float with a point or an exponent. Digits in a string may look the same: then
# the slow way is taken for nothing, with the same result.
_MAY_HOLD_FLOAT = re.compile(r"[0-9][.e]", re.ASCII)

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def digest(value: object) -> bytes:
    """Return the SHA-256 of the canonical form of a JSON value.

    Equal JSON has equal digests: the order of an object's keys and the way a string was escaped do not
    matter, and numbers are compared by value, so 1, 1.0 and 1e0 are equal, as in JSON they are the same
    number. Everything else matters, ``"once": false`` against its absence too.

    Raises ValueError for what is no JSON (NaN), RecursionError for what is nested too deeply.
    """
    text = _canonical(value)
    if _MAY_HOLD_FLOAT.search(text):
        text = _canonical(json.loads(text, parse_float=_number))
    return sha256(text.encode("ascii")).digest()


def _number(literal: str) -> int | float:
    number = float(literal)
    return int(number) if number.is_integer() else number
