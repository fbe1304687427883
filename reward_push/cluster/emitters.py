"""Passes events of stock emitters on to this node's clients: a way over for backends that have one.

They are nobody's messages: nothing is kept, and who is not connected at that moment does not get them.
"""

from collections.abc import Iterable
from typing import Any

from twisted.logger import Logger

from ..access.seldom import Seldom
from ..engineio.outgoing import message
from ..rewards.rooms import EVERYBODY, streamer_room
from ..socketio.encoder import encode
from ..socketio.errors import EncodeError
from ..socketio.packet import Packet, PacketType
from ..socketio.server import Server
from .emitted import Emitted, NotEmitted, read

_OWN_KINDS = ("streamer:", "group:")


class Emitters:
    """Emits what was published to the sockets it is for."""

    _log = Logger()

    def __init__(self, server: Server, namespaces: Iterable[str]) -> None:
        self._server = server
        self._namespaces = frozenset(namespaces)
        self._notice = Seldom(server.wheel.now)

    def received(self, channel: str, payload: str | bytes) -> None:
        """Something was published where emitters publish. It may be anything."""
        try:
            # What was text on its way here is the same bytes.
            data = payload.encode() if isinstance(payload, str) else payload
            emitted = read(channel, data)
            if emitted is not None and emitted.namespace in self._namespaces:
                self._emit(emitted)
        except (NotEmitted, EncodeError, UnicodeEncodeError) as error:
            self._complain(f"an event on {channel[:64]!a} was not passed on: {error}")

    def _emit(self, emitted: Emitted) -> None:
        namespace = self._server.namespaces[emitted.namespace]
        rooms = [_ours(each) for each in emitted.rooms] or [EVERYBODY]
        sockets: set[Any] = set(namespace.rooms.members(rooms))
        sockets.difference_update(namespace.rooms.members(map(_ours, emitted.but_rooms)))
        if emitted.but_sockets:
            sockets = {each for each in sockets if each.id not in emitted.but_sockets}
        if emitted.volatile:
            sockets = {each for each in sockets if _takes_it_now(each)}
        if sockets:
            packet = Packet(PacketType.EVENT, namespace.name, list(emitted.args))
            self._server.broadcaster.send(message(*encode(packet)), sockets)

    def _complain(self, what: str) -> None:
        # A backend that does something wrong does it often.
        unsaid = self._notice.due()
        if unsaid is not None:
            self._log.warn("{what} ({unsaid} more before)", what=what, unsaid=unsaid)


def _ours(room: str) -> str:
    """Return the room that an emitter's ``room`` stands for: a streamer's name, unless it is one of ours."""
    return room if room == EVERYBODY or room.startswith(_OWN_KINDS) else streamer_room(room)


def _takes_it_now(socket: Any) -> bool:
    transport = socket.client.session.transport
    return transport is not None and transport.writable
