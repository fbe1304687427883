"""What can go wrong in Engine.IO: a peer's malformed bytes, a refused request, and how a session ends."""

from enum import Enum


class CloseReason(Enum):
    """Why a session ended; the value is the protocol's own word for logs and metrics."""

    PING_TIMEOUT = "ping timeout"
    """The client showed no sign of life in time."""
    TRANSPORT_CLOSE = "transport close"
    """The client went away: a close packet, a WebSocket close, a lost connection."""
    TRANSPORT_ERROR = "transport error"
    """Overlapping or aborted requests, a heartbeat in the wrong direction, an oversized packet."""
    PARSE_ERROR = "parse error"
    """Bytes that are no packet of the session's revision."""
    FORCED_CLOSE = "forced close"
    """The application or a layer above closed the session."""
    RATE_LIMIT = "rate limit"
    """The client went on sending too fast."""
    SLOW_CLIENT = "slow client"
    """Too much waited for the client and nothing moved."""
    SHUTTING_DOWN = "server shutting down"
    """The node stops."""


class DecodeError(ValueError):
    """A peer sent bytes that are no packet, payload or frame of its revision."""


class EncodeError(ValueError):
    """The application wants to send a text that cannot travel: a lone surrogate, or a separator."""


class Refusal(Enum):
    """An Engine.IO request refused: (code, message, HTTP status). The codes are the reference's."""

    TRANSPORT_UNKNOWN = (0, "Transport unknown", 400)
    SESSION_UNKNOWN = (1, "Session ID unknown", 400)
    BAD_HANDSHAKE_METHOD = (2, "Bad handshake method", 400)
    BAD_REQUEST = (3, "Bad request", 400)
    FORBIDDEN = (4, "Forbidden", 403)
    UNSUPPORTED_VERSION = (5, "Unsupported protocol version", 400)

    @property
    def code(self) -> int:
        """The number in the JSON answer."""
        return self.value[0]

    @property
    def message(self) -> str:
        """The text in the JSON answer."""
        return self.value[1]

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.value[2]
