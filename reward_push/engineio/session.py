"""One client's session: its state, its heartbeat and the upgrade, over any transport.

A session never sees a socket. Its transports tell it what came in (:class:`.interfaces.ISession`),
it tells them what to write (:class:`.interfaces.ITransport`), by way of its :class:`.outbox.Outbox`. The
outbox belongs to the session, so what waits while one transport replaces another goes out on the new
one, in order.
"""

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from .backlog import NEVER
from .errors import CloseReason
from .handshake import open_packet
from .heartbeat import Beat, Heartbeat
from .interfaces import ISession, ISessionHandler, ISessions, ITimed, ITracker, ITransport
from .lifecycle import Event, IllegalEvent, State, advance
from .meter import MAX_PAUSE_S, Meter
from .options import EngineOptions
from .outbox import Outbox
from .outgoing import CLOSE, NOOP, PING, PONG, PROBE_PONG, Outgoing
from .packet import Packet, PacketType
from .revision import Revision

_PROBE = Packet(PacketType.PING, "probe")


@implementer(ISession, ITimed)
class Session:
    """An Engine.IO session from its handshake to its one end.

    ``handshake`` is whatever the layers above want to know of the opening request; the session only
    keeps it. ``sessions`` is where the session came from: it brings the options, the clock and the
    handler, and is told of the end.
    """

    __slots__ = (
        "_candidate",
        "_heartbeat",
        "_meter",
        "_outbox",
        "_poll_until",
        "_probe_until",
        "_sessions",
        "_state",
        "base64",
        "bucket",
        "due",
        "handshake",
        "revision",
        "sid",
    )

    def __init__(
        self, sid: str, revision: Revision, handshake: Any, sessions: ISessions, *, base64: bool
    ) -> None:
        self.sid = sid
        self.revision = revision
        self.handshake = handshake
        self.base64 = base64
        self.due = NEVER
        self.bucket = 0
        self._sessions = sessions
        self._state = State.OPENING
        self._outbox = Outbox(sessions.options)
        self._meter: Meter | None = None
        self._candidate: ITransport | None = None
        self._heartbeat = Heartbeat(
            sessions.wheel.now(), sessions.options, server_pings=revision.server_pings
        )
        # Deadlines, monotonic seconds. ``due`` is the earliest of them when the session was filed.
        self._poll_until = NEVER
        self._probe_until = NEVER

    def __repr__(self) -> str:
        # Never the whole sid: it is a bearer secret.
        return f"<Session {self.sid[:4]}… {self._state.name}>"

    @property
    def options(self) -> EngineOptions:
        """The options all sessions have."""
        return self._sessions.options

    @property
    def rtt_s(self) -> float | None:
        """How long the client took to answer our last ping, in seconds; ``None``: it was not asked yet."""
        return self._heartbeat.rtt_s

    @property
    def transport(self) -> ITransport | None:
        """The transport in use; ``None`` before the session opens and after it is over."""
        return self._outbox.transport

    @property
    def waiting_size(self) -> int:
        """How much waits to be written to the client, in characters or bytes."""
        return self._outbox.waiting_size

    @property
    def handler(self) -> ISessionHandler | None:
        """What lives on top of the session, while it is open."""
        return self._outbox.handler

    # What the layer above does.

    def send(self, unit: Outgoing) -> None:
        """Write ``unit`` now if the client can take it, else keep it in order. Dropped after the end."""
        if not self._outbox.write(unit):
            self._keep(unit)
        elif unit.tracker is not None:
            self._seek_proof()

    def send_on(self, unit: Outgoing) -> None:
        """Send a unit that may have waited elsewhere, as it is by now; not at all, if it is over.

        If it has to wait here, it does as it is, shared with all others for whom it waits.
        """
        if self._outbox.ready:
            current = unit.current()
            if current is not None:
                self.send(current)
        elif not unit.over:
            self._keep(unit)

    def holds(self, tracker: ITracker) -> bool:
        """Whether a unit of ``tracker`` waits for the client: it is on its way."""
        return self._outbox.holds(tracker)

    def on_their_way(self) -> set[ITracker]:
        """Return the trackers of the units that wait for the client."""
        return self._outbox.trackers()

    @property
    def settling(self) -> bool:
        """Whether an upgrade is under way."""
        return self._candidate is not None

    def when_idle(self, call: Callable[[], object]) -> None:
        """Call ``call`` once nothing waits for the client, which may be at once; not after the end."""
        self._outbox.when_idle(call)

    def proved_through(self, tracker: ITracker) -> None:
        """The client has answered ``tracker``'s unit: so it and all written before it have arrived."""
        self._outbox.proved_through(tracker)

    def answered(self) -> bool:
        """The application of the client acknowledges; return whether there was anything left to."""
        return self._outbox.answered()

    def give_back(self) -> None:
        """A message taken late was an answer after all, and does not count."""
        rate = self._sessions.options.packet_rate
        if self._meter is not None and rate is not None:
            self._meter.give_back(rate)

    def close(self, reason: CloseReason) -> None:
        """End the session for good, after what was sent. Idempotent.

        A polling client learns it by a close packet, now or on its next poll within
        ``close_grace_s``. python-socketio then stays away: to have a client come back, :meth:`evict`.
        """
        transport = self.transport
        if transport is None or self._closing:
            return
        if transport.name == "websocket" or transport.writable:
            self._leave(transport, CLOSE, reason)
        else:
            self._drop_candidate()
            if self._outbox.empty:
                # A late poll never gets a lone close packet (Engine.IO reference, polling close).
                self._keep(NOOP)
            self._keep(CLOSE)
            self._advance(Event.CLOSE_DEFERRED)
            self.due = self._sessions.wheel.now() + self._sessions.options.close_grace_s
            self._sessions.wheel.file(self)
            self._tell_handler(reason)

    def evict(self, reason: CloseReason) -> None:
        """End the session so that every stock client comes back by itself, elsewhere. Idempotent.

        What waits is dropped: the client asks for it again where it comes back.
        """
        transport = self.transport
        if transport is not None:
            self._drop_candidate()
            # Before anything is written: the end of a poll may bring the connection's next request.
            if self.handler is not None:
                self._sessions.counts.evicted[reason] += 1
            self._end(reason)
            transport.fail()

    # What a transport tells (ISession).

    def transport_opened(self, transport: ITransport) -> None:
        """See :class:`.interfaces.ISession`."""
        options = self._sessions.options
        if self._state is not State.OPENING:
            self._open_candidate(transport)
            return
        over_websocket = transport.name == "websocket"
        self._advance(Event.WEBSOCKET_OPENED if over_websocket else Event.POLLING_OPENED)
        self._outbox.transport = transport
        self._sessions.counts.opened[transport.name, self.revision.number] += 1
        upgrades = () if over_websocket else options.upgrades
        transport.send((open_packet(self.sid, upgrades, options),))
        self._file()
        handler = self._sessions.open_handler(self)
        if not self._closing:
            self._outbox.handler = handler
            handler.opened()

    def received(self, transport: ITransport, packet: Packet) -> float:
        """See :class:`.interfaces.ISession`."""
        handler, main = self.handler, self.transport
        if transport is not main or main is None:
            if transport is self._candidate and main is not None:
                self._probe(transport, main, packet)
            return 0.0
        if handler is None:
            return 0.0
        is_answer: bool | None = False
        kind = packet.type
        if kind is PacketType.MESSAGE:
            self._alive(self._sessions.wheel.now())
            is_answer = handler.message(packet.data)
        elif kind is PacketType.PING or kind is PacketType.PONG:
            is_answer = self._take_beat(transport, kind)
        elif kind is PacketType.CLOSE:
            # A poll that is still held gets a noop (Engine.IO protocol, "Close").
            self._leave(transport, NOOP, CloseReason.TRANSPORT_CLOSE)
        # OPEN, UPGRADE and NOOP mean nothing here and are ignored, as in the reference.
        return 0.0 if is_answer else self._count()

    def strained(self, transport: ITransport) -> float:
        """See :class:`.interfaces.ISession`."""
        return self._count()

    def transport_drained(self, transport: ITransport) -> None:
        """See :class:`.interfaces.ISession`."""
        if transport is not self.transport:
            return
        now = self._sessions.wheel.now()
        polling = transport.name == "polling"
        if polling:
            # The client has read the answer to its last poll, and asks for more.
            self._outbox.read()
            self._seek_proof()
        if self._flush(now) and self._closing:
            self._forget()
        elif polling and transport.writable:
            if self._state is State.UPGRADING:
                # Not only the poll held when the probe came: every one, until the client says "5".
                transport.send((NOOP,))
                self._count()
            else:
                self._poll_until = now + self._sessions.options.ping_interval_s
                if self._poll_until < self.due:
                    self._file()

    def transport_proved(self, transport: ITransport) -> None:
        """See :class:`.interfaces.ISession`."""
        if transport is self.transport:
            now = self._sessions.wheel.now()
            self._heartbeat.answered(now)
            self._alive(now)
            self._proved()

    def transport_broken(self, transport: ITransport, reason: CloseReason) -> None:
        """See :class:`.interfaces.ISession`."""
        if transport is self.transport:
            self._leave(transport, CLOSE, reason)
        elif transport is self._candidate:
            self._drop_candidate()

    def transport_lost(self, transport: ITransport) -> None:
        """See :class:`.interfaces.ISession`."""
        if self._state is State.OPENING:
            self._forget()
        elif transport is self.transport:
            self._drop_candidate()
            self._end(CloseReason.TRANSPORT_CLOSE)
        elif transport is self._candidate:
            self._drop_candidate()

    # What time brings (ITimed).

    def expire(self, now: float) -> None:
        """See :class:`.interfaces.ITimed`."""
        if self._closing:
            self._forget()
            return
        if self._probe_until <= now:
            self._drop_candidate()
        if self._outbox.is_slow(now):
            self.evict(CloseReason.SLOW_CLIENT)
        elif self._heartbeat.at <= now:
            self._beat(now)
        transport = self.transport
        if transport is None:
            return
        if self._poll_until <= now:
            self._poll_until = NEVER
            if transport.writable:
                self._end_poll(transport, now)
        self._file()

    def prove(self) -> None:
        """Ask the client for a proof of what was written to it, if that is still wanted.

        Revision 4: by a heartbeat ahead of its time. Revision 3, where only the client may ping: by a
        ping of the WebSocket itself; on polling its own pings have to do. For most units the next poll
        is the proof. At most one question is under way.
        """
        transport = self.transport
        if transport is None or not self._outbox.ask(polling=transport.name == "polling"):
            return
        if not self.revision.server_pings:
            if transport.name != "polling":
                self._ask(transport)
        elif self._heartbeat.may_ping:
            self._ping(self._sessions.wheel.now())
            self._file_earlier()

    # How fast the client sends.

    def _count(self) -> float:
        """The client has sent something; return how long its transport has to leave it alone."""
        options = self._sessions.options
        rate = options.packet_rate
        if rate is None or self.transport is None:
            return 0.0
        if self._meter is None:
            self._meter = Meter()
        longest_s = min(MAX_PAUSE_S, options.ping_timeout_s / 2)
        pause_s = self._meter.count(rate, self._sessions.wheel.now(), longest_s)
        if pause_s == NEVER:
            self.evict(CloseReason.RATE_LIMIT)
        elif pause_s:
            self._sessions.paused()
        return pause_s

    # Writing.

    def _keep(self, unit: Outgoing) -> None:
        if self.transport is None or self._closing:
            return
        if not self._outbox.keep(unit, self._sessions.wheel.now()):
            self.evict(CloseReason.SLOW_CLIENT)
        elif self._outbox.slow_at() < self.due:
            self._file()

    def _flush(self, now: float) -> bool:
        empty = self._outbox.flush(now)
        self._seek_proof()
        return empty

    def _proved(self) -> None:
        self._outbox.proved()
        self._seek_proof()

    def _seek_proof(self) -> None:
        if self._outbox.wants_proof():
            self._sessions.await_proof(self)

    # The heartbeat.

    def _take_beat(self, transport: ITransport, kind: PacketType) -> bool:
        """Take a ping or pong; return whether it is an answer to ours."""
        # Revision 3: the client pings. Revision 4: it answers.
        if (kind is PacketType.PONG) is not self.revision.server_pings:
            self.close(CloseReason.TRANSPORT_ERROR)
            return False
        now = self._sessions.wheel.now()
        self._alive(now)
        if kind is PacketType.PING:
            if transport.name == "polling":
                self._outbox.posted()
            self.send(PONG)
            return False
        was_asked = self._heartbeat.answered(now)
        self._proved()
        return was_asked

    def _alive(self, now: float) -> None:
        self._heartbeat.alive(now)
        self._file_earlier()

    def _beat(self, now: float) -> None:
        """The time for a ping, or for its answer, has come."""
        beat = self._heartbeat.due()
        if self._state is State.UPGRADING:
            # A ping into the poll now could be lost between the transports. The upgrade starts anew.
            self._heartbeat.postpone(now)
        elif beat is Beat.PING:
            self._ping(now)
        elif beat is Beat.ASK:
            self._heartbeat.overdue()
            if self.transport is not None and self.transport.name != "polling":
                self._ask(self.transport)
        else:
            # A client that is busy reading what lies before the ping is alive.
            self._heartbeat.extend(self._outbox.moved_at)
            if self._heartbeat.at <= now:
                self.evict(CloseReason.PING_TIMEOUT)

    def _ping(self, now: float) -> None:
        self._heartbeat.pinged(now)
        self._outbox.mark()
        self.send(PING)

    def _ask(self, transport: ITransport) -> None:
        """Send the transport's own ping, unless one is under way: its answer would prove what came later."""
        if not self._heartbeat.is_asking:
            self._outbox.mark()
            self._heartbeat.asked(self._sessions.wheel.now())
            transport.ping()

    def _end_poll(self, transport: ITransport, now: float) -> None:
        """No poll is held for longer than a ping interval (a balancer would cut it)."""
        if self._heartbeat.may_ping:
            self._ping(now)
        else:
            transport.send((NOOP,))

    # The upgrade.

    def _open_candidate(self, transport: ITransport) -> None:
        # A client needs one; each costs a handshake.
        self._count()
        try:
            self._advance(Event.PROBE_OPENED)
        except IllegalEvent:
            # A second WebSocket, or one for a session that has ended: nothing of the session's changes.
            transport.close()
            return
        self._candidate = transport
        timeout_s = self._sessions.options.upgrade_timeout_s
        if timeout_s:
            self._probe_until = self._sessions.wheel.now() + timeout_s
            if self._probe_until < self.due:
                self._file()

    def _probe(self, candidate: ITransport, transport: ITransport, packet: Packet) -> None:
        """A packet came on the ``candidate`` while ``transport`` is in use."""
        if self._state is State.PROBING and packet == _PROBE:
            self._advance(Event.PROBED)
            candidate.send((PROBE_PONG,))
            if transport.writable:
                transport.send((NOOP,))
        elif self._state is State.UPGRADING and packet.type is PacketType.UPGRADE:
            self._advance(Event.UPGRADED)
            if transport.writable:
                transport.send((NOOP,))
            # The client says "5" only after it has read the answer to its last poll.
            self._outbox.mark()
            self._outbox.proved()
            self._outbox.transport, self._candidate = candidate, None
            self._sessions.counts.upgraded += 1
            self._probe_until = self._poll_until = NEVER
            now = self._sessions.wheel.now()
            self._heartbeat.restart(now)
            self._file()
            self._flush(now)
        else:
            self._drop_candidate()

    def _drop_candidate(self) -> None:
        """Give the upgrade up, if there is one; the session goes on polling."""
        candidate = self._candidate
        if candidate is not None:
            self._candidate = None
            self._probe_until = NEVER
            self._sessions.counts.not_upgraded += 1
            self._advance(Event.PROBE_FAILED)
            candidate.close()

    # The end.

    def _leave(self, transport: ITransport, last: Outgoing, reason: CloseReason) -> None:
        """End now: a WebSocket by its close, a poll that is held by ``last``."""
        self._drop_candidate()
        # Before anything is written: the end of a poll may bring the connection's next request.
        self._end(reason)
        if transport.name == "websocket":
            transport.close()
        elif transport.writable:
            transport.send((last,))

    def _end(self, reason: CloseReason) -> None:
        handler = self.handler
        self._forget()
        if handler is not None:
            self._sessions.ended(reason)
            handler.closed(reason)

    def _forget(self) -> None:
        self._advance(Event.CLOSED)
        self._outbox.clear()
        self._sessions.wheel.discard(self)
        self._sessions.forget(self)

    def _tell_handler(self, reason: CloseReason) -> None:
        handler, self._outbox.handler = self._outbox.handler, None
        if handler is not None:
            self._sessions.ended(reason)
            handler.closed(reason)

    @property
    def _closing(self) -> bool:
        return self._state is State.CLOSING

    def _advance(self, event: Event) -> None:
        self._state = advance(self._state, event)

    def _file_earlier(self) -> None:
        """The heartbeat's deadline has moved, perhaps to before what the session was filed for."""
        if self._heartbeat.at < self.due:
            self._file()

    def _file(self) -> None:
        self.due = min(
            self._heartbeat.at, self._poll_until, self._probe_until, self._outbox.slow_at()
        )
        self._sessions.wheel.file(self)
