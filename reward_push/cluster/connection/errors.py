"""What Redis says no to, and why a connection is not there. What callers see of the latter is
``access.interfaces.StoreUnavailable``.
"""

import re
from typing import Self

import attrs

_CODE = re.compile(r"[A-Z][A-Z0-9]*\b")
# Redis 6 wraps what a command in a script was refused for: "ERR Error running script (…): … : -OOM …".
_IN_SCRIPT = re.compile(r"ERR Error running script .*?: -(?P<inner>[A-Z][A-Z0-9]*\b.*)")
_LONGEST = 200


class RedisRefusal(Exception):
    """Redis refuses a call for what it is: a fault of ours, or of a script."""


class NotConnected(Exception):
    """There is no connection to Redis. The text is one line that tells why, without secrets."""


@attrs.frozen
class ErrorReply(Exception):
    """Redis answered with an error."""

    code: str
    """Its first word: ``READONLY``, ``NOSCRIPT``, ``ERR``…"""
    text: str
    """All of it, in one line, cut when long."""

    def __str__(self) -> str:
        return self.text

    @classmethod
    def of(cls, text: str) -> Self:
        """Read the text of an error."""
        line = " ".join(text.split())
        if wrapped := _IN_SCRIPT.match(line):
            line = wrapped["inner"]
        code = _CODE.match(line)
        return cls(code[0] if code else "ERR", line[:_LONGEST])


ELSEWHERE = {
    "READONLY": "Redis is a read-only replica",
    "MASTERDOWN": "Redis is a replica without its master",
    "LOADING": "Redis is loading its data",
    "NOAUTH": "Redis wants a password",
    "CLUSTERDOWN": "Redis is a cluster, and down",
    "MOVED": "Redis is a cluster: one node or a master with replicas is needed",
}
"""Codes after which another connection is to be looked for → the reason in words."""

UNABLE = {
    "OOM": "Redis is out of memory",
    "MISCONF": "Redis cannot save to its disk and refuses writes",
    "NOREPLICAS": "Redis has too few replicas and refuses writes",
    "BUSY": "Redis is busy with a script",
    "NOPERM": "the Redis user lacks a right",
    "TRYAGAIN": "Redis asks to try again",
}
"""Codes of calls that changed nothing and may succeed later → the reason in words."""
