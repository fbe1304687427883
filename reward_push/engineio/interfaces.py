"""The seams of the Engine.IO core: what a session asks of a transport, of its user, and of time."""

from collections.abc import Sequence
from typing import Any

from zope.interface import Attribute, Interface

from .counts import SessionCounts
from .errors import CloseReason
from .options import EngineOptions
from .outgoing import Outgoing
from .packet import Packet


class ITransport(Interface):
    """The server's end of one client connection: long polling or a WebSocket."""

    name: str = Attribute(
        "``polling`` or ``websocket``: the value of ``transport=`` in the client's URL"
    )
    writable: bool = Attribute(
        "Whether :meth:`send` may be called now: a poll is held, or the WebSocket has nothing buffered"
    )

    def send(units: Sequence[Outgoing]) -> None:
        """Write all of ``units``, in order, as one payload where the transport has payloads.

        Only called while :attr:`writable`. When it becomes writable again the transport calls
        ``session.transport_drained(self)``.
        """

    def close() -> None:
        """End the connection after what was sent. The session is not told again. Idempotent.

        A WebSocket is closed with a close frame; a held poll is answered with what the session sent
        before (a session sends a close packet or noop first).
        """

    def ping() -> None:
        """Ask for a proof that what was sent has arrived, where the transport itself has one to give.

        A WebSocket sends a ping of RFC 6455; its answer is ``session.transport_proved(self)``.
        Polling needs none: its next request is the proof.
        """

    def fail() -> None:
        """End the connection so that every stock client comes back by itself. Idempotent.

        A WebSocket is closed; a held poll is answered ``400 Session ID unknown``, as python-socketio
        takes a close packet on polling for final.
        """


class ISession(Interface):
    """What a transport tells its session. Each input names the transport it comes from, as during
    an upgrade a session has two.
    """

    revision = Attribute(
        "The session's :class:`.revision.Revision`: codecs and heartbeat direction"
    )
    base64: bool = Attribute(
        "Whether this client takes binary only as base64 (``b64=1`` at the handshake)"
    )

    def transport_opened(transport: ITransport) -> None:
        """The transport can be used: the first one gets the open packet, a later one may probe."""

    def received(transport: ITransport, packet: Packet) -> float:
        """A whole valid packet came in.

        Returns for how many seconds the transport has to leave its client alone before it gives the
        next: 0.0 nearly always; infinity: the session is over because of what it sent.
        """

    def strained(transport: ITransport) -> float:
        """The client has sent something that is no packet but makes work, as a ping of its WebSocket.

        Returns the same as :meth:`received`.
        """

    def transport_drained(transport: ITransport) -> None:
        """The transport has become writable."""

    def transport_proved(transport: ITransport) -> None:
        """The transport's last :meth:`ITransport.ping` was answered."""

    def transport_broken(transport: ITransport, reason: CloseReason) -> None:
        """The peer broke the protocol: bad bytes, an oversized packet, overlapping requests."""

    def transport_lost(transport: ITransport) -> None:
        """The connection is gone. Never called for a polling transport between two requests."""


class ISessionHandler(Interface):
    """What lives on top of a session: Socket.IO, or an echo."""

    def opened() -> None:
        """The session can be used: its open packet has been sent. Called once, before all else."""

    def message(data: str | bytes) -> bool | None:
        """The client sent this message.

        Returns True for an answer to something that was sent to it: those do not count by
        :attr:`.options.EngineOptions.packet_rate`.
        """

    def closed(reason: CloseReason) -> None:
        """The session is over. Called once; nothing follows."""


class ITracker(Interface):
    """Follows one :class:`.outgoing.Outgoing`, or all of its renderings, to each of its receivers."""

    wants_answer: bool = Attribute(
        "Whether it counts as arrived only when an acknowledgement by the application cannot be under way any more"
    )

    def sent(handler: ISessionHandler) -> None:
        """It was written to the transport of ``handler``'s session. Called often: must be cheap."""

    def delivered(handler: ISessionHandler) -> None:
        """The transport has proved that it arrived. Not more than once for each ``sent``."""


class ITimed(Interface):
    """Something with a deadline, filed in a wheel."""

    due: float = Attribute("The time (as of ``IWheel.now``) at which ``expire`` is wanted")
    bucket: int = Attribute("The wheel's own note of where the item is filed; 0 when it is not")

    def expire(now: float) -> None:
        """``due`` has passed. To be called again, set a later ``due`` and file again."""


class IWheel(Interface):
    """Many deadlines on one timer. The only clock of the core; the shell owns the real one."""

    def now() -> float:
        """Monotonic seconds."""

    def file(item: ITimed) -> None:
        """Call ``item.expire`` at ``item.due`` or up to one tick later. Replaces an earlier filing.

        ``item.due`` may be moved to a later time without filing again; for an earlier one, file again.
        """

    def discard(item: ITimed) -> None:
        """Forget ``item``; nothing happens if it is not filed."""


class ISessions(Interface):
    """Where sessions come from, as a session sees it."""

    options: EngineOptions = Attribute("Timers and limits, the same for all")
    wheel: IWheel = Attribute("The clock and timer of all sessions")
    counts: SessionCounts = Attribute("Where sessions note what becomes of them")

    def await_proof(session: Any) -> None:
        """Call ``session.prove()`` soon, unless it is waiting for that already."""

    def open_handler(session: Any) -> ISessionHandler:
        """Make what lives on top of ``session``."""

    def forget(session: Any) -> None:
        """The session is over: its sid is unknown from now on."""

    def paused() -> None:
        """A client is too fast and not read from for a while."""

    def ended(reason: CloseReason) -> None:
        """A session that was open has ended."""
