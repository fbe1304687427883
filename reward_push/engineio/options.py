"""The numbers that shape Engine.IO sessions."""

import attrs

from ..rate import Rate


@attrs.frozen
class EngineOptions:
    """Timers (seconds), limits (bytes) and what is offered to clients."""

    ping_interval_s: float = 25.0
    """Rev 4: the server pings this long after the last pong. Rev 3: the client does. No poll is held longer."""
    ping_timeout_s: float = 20.0
    """How long a heartbeat may stay unanswered."""
    upgrade_timeout_s: float = 10.0
    """How long a WebSocket may take from its opening to the ``5`` packet."""
    close_grace_s: float = 30.0
    """How long the last packets of a closed polling session wait for the poll that fetches them."""
    max_packet_bytes: int = 1_000_000
    """Largest single packet accepted from a client; announced as ``maxPayload``."""
    max_payload_bytes: int = 1_000_000
    """Largest body of a polling POST, which may carry several packets."""
    max_queue_bytes: int = 1 << 20
    """More than this waiting for a client that does not move makes it slow. 0: no limit."""
    slow_timeout_s: float = 10.0
    """How long nothing may move before a client with a full queue is closed. 0: never."""
    packet_rate: Rate | None = None
    """Packets a client may send, beside its answers to ours. ``None``: no limit."""
    transports: tuple[str, ...] = ("polling", "websocket")
    """Enabled transports."""
    allow_eio3: bool = True
    """Whether revision 3 clients are served."""
    missing_eio_is_3: bool = True
    """Whether a request without ``EIO`` is revision 3 (Swift clients up to 15.2) or refused."""

    @property
    def upgrades(self) -> tuple[str, ...]:
        """What a polling session may upgrade to."""
        return ("websocket",) if "websocket" in self.transports else ()
