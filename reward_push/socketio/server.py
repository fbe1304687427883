"""A Socket.IO server: namespaces over Engine.IO sessions. What an application starts from.

::

    server = Server(wheel, call_soon)
    chat = server.namespace("/chat")

    @chat.on("say")
    def say(socket, text):
        chat.emit("said", text)
        return "ok"                      # the acknowledgement

    registry = Registry(options, wheel, server.open_client)
"""

from collections.abc import Callable, Collection, Iterable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..engineio.interfaces import ITracker, IWheel
from ..engineio.session import Session
from .broadcaster import Broadcaster
from .client import Client
from .decoder import Decoder
from .interfaces import IBroadcaster
from .late import LateEvent, Renderings
from .namespace import Namespace
from .socket import Socket

CONNECT_TIMEOUT_S = 45.0


@implementer(IBroadcaster)
class Server:
    """Holds the namespaces and makes a :class:`.client.Client` of each session."""

    def __init__(
        self,
        wheel: IWheel,
        call_soon: Callable[[Callable[[], Any]], Any],
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        new_decoder: Callable[[], Decoder] = Decoder,
    ) -> None:
        self.wheel = wheel
        self.connect_timeout_s = connect_timeout_s
        self.new_decoder = new_decoder
        self.broadcaster = Broadcaster(call_soon)
        self.namespaces: dict[str, Namespace] = {}
        self.unknown_namespaces = 0
        """How often a client asked for a namespace that there is not."""
        self._ack_ids = count()
        self._renderings = Renderings()

    def namespace(self, name: str) -> Namespace:
        """Return the namespace ``name``, made when asked for the first time. Others are refused."""
        namespace = self.namespaces.get(name)
        if namespace is None:
            namespace = self.namespaces[name] = Namespace(name, self)
        return namespace

    def open_client(self, session: Session) -> Client:
        """Start Socket.IO on a session; this is the registry's ``open_handler``."""
        return Client(session, self)

    def late(
        self,
        namespace: str,
        event: str,
        render: Callable[[int], Any],
        now_ms: Callable[[], int],
        *,
        ends_at_ms: int | None = None,
        ack_id: int | None = None,
        tracker: ITracker | None = None,
    ) -> LateEvent:
        """See :class:`.interfaces.IBroadcaster`."""
        return LateEvent(
            namespace,
            event,
            render,
            now_ms,
            ends_at_ms=ends_at_ms,
            ack_id=ack_id,
            tracker=tracker,
            renderings=self._renderings,
        )

    def emit_late(self, event: LateEvent, rooms: Iterable[str]) -> int:
        """See :class:`.interfaces.IBroadcaster`."""
        return self.emit_late_to(event, self.members(event.namespace, rooms))

    def emit_late_to(self, event: LateEvent, sockets: Collection[Socket]) -> int:
        """See :class:`.interfaces.IBroadcaster`."""
        unit = event.unit() if sockets else None
        return 0 if unit is None else self.broadcaster.send(unit, sockets)

    def written(self) -> "Deferred[None]":
        """Fire once all that was emitted to many until now has been written: at once, nearly always."""
        return self.broadcaster.written()

    def members(self, namespace: str, rooms: Iterable[str]) -> Collection[Socket]:
        """See :class:`.interfaces.IBroadcaster`."""
        return self.namespaces[namespace].rooms.members(rooms)

    def next_ack_id(self) -> int:
        """See :class:`.interfaces.IBroadcaster`."""
        return next(self._ack_ids)

    def tidy(self) -> None:
        """Give back the memory of events that were rendered for those who asked at that time."""
        self._renderings.clear()
