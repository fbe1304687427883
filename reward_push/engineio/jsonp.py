"""JSONP, the polling of browsers without cross-origin requests: payloads inside scripts and forms.

A payload goes out as a call of a client's function, ``___eio[0]("2:40");``, and comes in as the
field ``d`` of an HTML form. Payloads are always text, binary packets base64.
"""

import json
import re

from .encoding import decode_percent
from .errors import DecodeError

_FIELD_D = re.compile(rb"(?:^|&)d=([^&]*)")
_NEWLINE = re.compile(r"\\?\\n")


def wrap(index: str, payload: bytes) -> bytes:
    """Return ``payload`` (UTF-8 text) as a script calling the client's function number ``index``.

    ``index`` are digits only, as :func:`.parse_query` guarantees. The literal is pure ASCII, so
    U+2028 and U+2029 cannot end its line, and has no ``<``, so no HTML around it can be closed.
    """
    literal = json.dumps(payload.decode("utf-8")).replace("<", "\\u003c")
    return f"___eio[{index}]({literal});".encode("ascii")


def unwrap(body: bytes) -> bytes:
    r"""Return the payload in ``body``, an urlencoded form whose first field ``d`` holds it.

    Forms change line ends, so clients write a newline as ``\n`` (two characters) and those two
    characters as ``\\n`` (three). The result is text whatever the request's content type says.

    :raises DecodeError: no field ``d``, broken percent-encoding, or not UTF-8.
    """
    field = _FIELD_D.search(body)
    if field is None:
        raise DecodeError("form without a field d")
    return _NEWLINE.sub(_unescape_newline, decode_percent(field[1])).encode("utf-8")


def _unescape_newline(match: re.Match[str]) -> str:
    return "\n" if len(match[0]) == 2 else "\\n"
