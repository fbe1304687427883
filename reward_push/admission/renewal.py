"""A fresh token for a connection that is open: its client emits ``refresh`` with it, and stays.

So a token may live for minutes while its connection lasts for days. The fresh one must say what the one
before said, but for its times: whoever may do more, less or something else has to connect anew.

A wrong token counts as a wrong key of the client's address. While that is banned for them none is looked at.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any

from ..access.claims import Token
from ..access.guard import Guard
from ..access.keys import KeyRing
from ..socketio.socket import Socket
from .key_end import KeyEnd


class Renewal:
    """Handles ``refresh`` events."""

    def __init__(self, keys: KeyRing, guard: Guard) -> None:
        self._keys = keys
        self._guard = guard

    def refresh(self, socket: Socket, *args: Any) -> Mapping[str, Any]:
        """Take a fresh token for all sockets of the connection that came in by one for the same streamer.

        Returns what is acknowledged: ``{"ok": true, "ttl_ms": …}``, or ``{"ok": false, "error": {…}}``,
        after which everything is as it was.
        """
        if len(args) != 1 or not isinstance(args[0], str):
            return _refused("invalid_request", "one argument is expected: the token, a string")
        address = socket.opening.address
        banned = self._guard.refuse_banned(address)
        if banned is not None:
            return _refused(
                "rate_limited", f"too many wrong keys: try again in {ceil(banned.retry_after_s)} s"
            )
        token = self._keys.token(args[0])
        if token is None:
            self._guard.failed(address)
            return _refused("unauthorized", "the token is wrong or expired")
        ends = _ends_of(socket)
        if ends is None or not _continues(token, ends.key):
            return _refused(
                "forbidden", "the token says other things than the one before: connect anew"
            )
        mine = [
            (each, each_ends)
            for each in socket.client.sockets.values()
            if (each_ends := _ends_of(each)) is not None and each_ends.key.key_id == token.key_id
        ]
        if not all(_admits(token, each) for each, _ in mine):
            return _refused(
                "forbidden", "the token is not for a namespace or the device of this connection"
            )
        for _, each_ends in mine:
            each_ends.renew(token)
        socket.client.user.refreshed = args[0]
        return {"ok": True, "ttl_ms": ends.left_ms}


def _ends_of(socket: Socket) -> KeyEnd | None:
    ends = None if socket.user is None else socket.user.ends
    return ends if isinstance(ends, KeyEnd) else None


def _continues(token: Token, before: Any) -> bool:
    """Return whether ``token`` is for the same streamer and groups as the key ``before`` it, a token too."""
    return (
        isinstance(before, Token)
        and token.key_id == before.key_id
        and set(token.groups) == set(before.groups)
    )


def _admits(token: Token, socket: Socket) -> bool:
    name = socket.namespace.name
    in_namespace = name == "/" or token.allows_namespace(name)
    return in_namespace and token.device in (None, socket.user.device.name)


def _refused(code: str, message: str) -> Mapping[str, Any]:
    return {"ok": False, "error": {"code": code, "message": message}}
