"""Where a request ends: shapes that a proxy and a server read differently are not read at all.

Whoever gets one request past a proxy inside another one ("request smuggling") speaks in the proxy's name, or
in that of the next client on its connection. ``twisted.web`` itself refuses a length that is no number, two
lengths, a length beside a transfer coding, codings it does not know, control characters, and a bare
line feed as the end of a line.
"""

MAX_LENGTH_DIGITS = 64
"""Longest ``Content-Length`` looked at."""


def is_ambiguous(line: bytes, version: bytes) -> bool:
    """Return whether a header line of a request leaves open where the request ends.

    That is a transfer coding other than ``chunked``, one in HTTP/1.0, which has none (RFC 9112, section
    6.1), and a length of more digits than anybody counts.
    """
    name, _, value = line.partition(b":")
    name = name.lower()
    if name == b"transfer-encoding":
        return value.strip(b" \t").lower() != b"chunked" or version != b"HTTP/1.1"
    return name == b"content-length" and len(value) > MAX_LENGTH_DIGITS
