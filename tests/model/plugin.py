"""Plugins as the model knows them: what they were written, what they have read, what they answer."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from reward_push.engineio.opening import Opening
from reward_push.engineio.outgoing import Outgoing
from reward_push.engineio.packet import Packet, PacketType
from reward_push.engineio.revision import V4, Revision
from reward_push.engineio.session import Session

from ..unit.fakes import FakeTransport
from .node import NAMESPACE, Node

EVENT = f"42{NAMESPACE},"
JOINED = f"40{NAMESPACE}"


@attrs.frozen
class Event:
    """An event as it was written."""

    name: str
    argument: dict[str, Any]
    ack_id: str

    @property
    def id(self) -> str:
        """Which message it is, or takes back."""
        return str(self.argument["id"])


def event_of(frame: str | bytes) -> Event | None:
    """The event in a frame, if it is one of our namespace."""
    if not (isinstance(frame, str) and frame.startswith(EVENT)):
        return None
    ack_id, bracket, rest = frame[len(EVENT) :].partition("[")
    name, argument = json.loads(bracket + rest)
    return Event(name, argument, ack_id)


class _Wire(FakeTransport):
    """Tells what is written when it is written."""

    def __init__(self, name: str, written: Callable[[Event], None]) -> None:
        super().__init__(name)
        self._written = written

    def send(self, units: Sequence[Outgoing]) -> None:
        """See ITransport."""
        super().send(units)
        for frame in self.sent[-1]:
            event = event_of(frame)
            if event is not None:
                self._written(event)


@attrs.define(eq=False)
class Connection:
    """One connection of a plugin, as both sides see it."""

    session: Session
    transport: _Wire
    written: set[str] = attrs.Factory(set)
    """Messages that were written to it."""
    revoked: set[str] = attrs.Factory(set)
    """Messages whose revoke was written to it."""
    read: dict[str, float] = attrs.Factory(dict)
    """Messages that the plugin has read from it → when, in seconds of the clock that only runs."""
    payloads_read: int = 0
    pings_answered: int = 0
    joined: bool = False
    """Whether the plugin has read that it is in its namespace."""

    @property
    def is_member(self) -> bool:
        """Whether the node counts it as in its namespace."""
        return NAMESPACE in getattr(self.session.handler, "sockets", ())

    @property
    def has_ended(self) -> bool:
        """Whether the node has ended it."""
        return bool(self.transport.ended) or self.session.transport is None


@attrs.define(eq=False, repr=False)
class Plugin:
    """A plugin that reads when it is told to."""

    key: str = attrs.field(repr=False)
    key_id: str
    streamer: str
    groups: tuple[str, ...]
    device: str | None
    transport_name: str
    revision: Revision
    connection: Connection | None = None
    ghosts: list[Connection] = attrs.Factory(list)
    """Connections that it has lost, which the node does not know yet."""
    had: set[str] = attrs.Factory(set)
    """Messages that were written to this device."""
    got: dict[str, int] = attrs.Factory(dict)
    """Messages that it has read, and the how manieth each was."""
    ack_ids: dict[str, str] = attrs.Factory(dict)
    acked: set[str] = attrs.Factory(set)
    """Messages that it has acknowledged in a way that must be remembered."""
    ever_acked: set[str] = attrs.Factory(set)
    """Messages that it has acknowledged."""
    told: dict[str, set[str]] = attrs.Factory(dict)
    """Messages taken back → reasons, as far as it has read."""

    def __repr__(self) -> str:
        return f"{self.streamer}/{self.device}"

    @property
    def rooms(self) -> set[str]:
        """What it is in, in the words of ``to``."""
        return {"all", f"streamer:{self.streamer}", *(f"group:{each}" for each in self.groups)}

    @property
    def online(self) -> bool:
        """Whether it is in its namespace, as far as both sides know."""
        connection = self.connection
        return connection is not None and connection.joined and not connection.has_ended

    def connect(self, node: Node, written: Callable[["Plugin", Connection, Event], None]) -> None:
        """Open a connection and ask for the namespace."""
        if self.device is None:
            # Who names no device is a new one each time.
            self.had, self.got, self.told = set(), {}, {}
            self.acked, self.ever_acked, self.ack_ids = set(), set(), {}
        auth = {"apiKey": self.key} | ({"device": self.device} if self.device else {})
        opening = Opening() if self.revision is V4 else Opening(query=auth)
        session = node.registry.open(self.revision, opening)
        wire = _Wire(self.transport_name, lambda event: written(self, connection, event))
        connection = self.connection = Connection(session, wire)
        session.transport_opened(wire)
        payload = json.dumps(auth) if self.revision is V4 else ""
        self.say(f"0{NAMESPACE},{payload}")

    def say(self, text: str) -> None:
        """Send a Socket.IO packet."""
        assert self.connection is not None
        self.connection.session.received(
            self.connection.transport, Packet(PacketType.MESSAGE, text)
        )

    def beat(self) -> None:
        """Send the client's own heartbeat, where it is for the client to do."""
        connection = self.connection
        if self.revision is not V4 and connection is not None and not connection.has_ended:
            connection.session.received(connection.transport, Packet(PacketType.PING, ""))

    def lose(self) -> Connection:
        """Be cut off, without reading what is on its way."""
        connection, self.connection = self.connection, None
        assert connection is not None
        return connection

    def read(self, heard: Callable[["Plugin", Event], None]) -> None:
        """Read all there is, answering pings and polling on; notice the end of the connection."""
        connection = self.connection
        assert connection is not None
        while True:
            self._take(connection, heard)
            if connection.has_ended:
                self.connection = None
                return
            if self.transport_name == "polling" and not connection.transport.writable:
                connection.transport.poll(connection.session)
            elif connection.payloads_read == len(connection.transport.sent):
                return

    def _take(self, connection: Connection, heard: Callable[["Plugin", Event], None]) -> None:
        transport, session = connection.transport, connection.session
        while connection.payloads_read < len(transport.sent):
            payload = transport.sent[connection.payloads_read]
            connection.payloads_read += 1
            for frame in payload:
                event = event_of(frame)
                if event is not None:
                    heard(self, event)
                elif isinstance(frame, str) and frame.startswith(JOINED):
                    connection.joined = True
                elif frame == "2" and session.transport is transport:
                    session.received(transport, Packet(PacketType.PONG, ""))
        while connection.pings_answered < transport.pings:
            connection.pings_answered += 1
            session.transport_proved(transport)
