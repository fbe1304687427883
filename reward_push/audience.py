"""Who a socket is: finds its key, lets it in or not, and puts it into its streamer's and groups' rooms.

Client libraries differ in where they can carry a key: the JavaScript 2.x client in a header of its
polls, browsers only in the query or in ``auth``, the C++ client only in the CONNECT to ``/``. Where
several keys come, ``auth`` wins over the header, the header over the query, and last counts the key
that ``/`` was joined with on the same connection.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from .access.credentials import from_authorization
from .access.interfaces import ANY_STREAMER, Key, KeyKind, StoreUnavailable
from .access.keys import KeyRing
from .rewards.names import is_name
from .rewards.rooms import EVERYBODY, group_room, streamer_room
from .socketio.namespace import ConnectionRefused, Namespace, TryLater
from .socketio.socket import Socket

UNAUTHORIZED = "unauthorized"
FORBIDDEN = "forbidden"


@attrs.frozen
class Member:
    """Who a socket was found to be; its ``socket.user``."""

    key: Key
    streamer: str


class Audience:
    """The ``admit`` hook of every namespace."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def attend(self, namespace: Namespace) -> None:
        """Guard ``namespace`` from now on."""
        namespace.admit = self.admit

    async def admit(self, socket: Socket, auth: Mapping[str, Any]) -> None:
        """Let ``socket`` in by its key.

        Raises :class:`ConnectionRefused` only after a definite no, as a stock client then stops;
        :class:`TryLater` when the key cannot be looked up.
        """
        presented = presented_key(socket, auth)
        if presented is None:
            if socket.unasked:
                # Revision 4 joins "/" before the client could say anything: it may sit there
                # without any right until its namespace's query brings the key.
                socket.provisional = True
                return
            raise _refused(UNAUTHORIZED)
        try:
            key = await self._keys.authenticate(presented)
        except StoreUnavailable as unavailable:
            raise TryLater from unavailable
        if key is None:
            raise _refused(UNAUTHORIZED)
        name = socket.namespace.name
        if key.kind is not KeyKind.PLUGIN or not (name == "/" or key.allows_namespace(name)):
            raise _refused(FORBIDDEN)
        if name == "/":
            socket.client.user = presented
        streamer = self._streamer(key, socket, auth)
        socket.user = Member(key, streamer)
        socket.join(EVERYBODY, streamer_room(streamer), *map(group_room, key.groups))

    @staticmethod
    def _streamer(key: Key, socket: Socket, auth: Mapping[str, Any]) -> str:
        if key.streamer is not None and key.streamer != ANY_STREAMER:
            return key.streamer
        streamer = auth.get("streamer", socket.opening.query.get("streamer"))
        if not isinstance(streamer, str) or not is_name(streamer):
            raise ConnectionRefused(
                "streamer: a gateway key's client names its streamer",
                {"code": "invalid_request", "field": "streamer"},
            )
        return streamer


def presented_key(socket: Socket, auth: Mapping[str, Any]) -> str | None:
    """Return the key that counts for this CONNECT, wherever the client put it."""
    opening = socket.opening
    candidates = (
        auth.get("apiKey"),
        auth.get("token"),
        from_authorization(opening.authorization),
        opening.query.get("apiKey"),
        socket.client.user,
    )
    return next((key for key in candidates if isinstance(key, str) and key), None)


def _refused(code: str) -> ConnectionRefused:
    return ConnectionRefused(code, {"code": code})
