"""What has become of sessions since the node's start, for metrics."""

from collections import Counter

import attrs

from .errors import CloseReason


@attrs.define
class SessionCounts:
    """Plain numbers that only grow. Whoever wants to know reads them."""

    opened: Counter[tuple[str, int]] = attrs.Factory(Counter)
    """Sessions opened: (first transport, revision)."""
    closed: Counter[CloseReason] = attrs.Factory(Counter)
    """Sessions that have ended, evicted ones among them."""
    evicted: Counter[CloseReason] = attrs.Factory(Counter)
    """Sessions whose clients were sent away to come back."""
    upgraded: int = 0
    """Sessions that went from polling to WebSocket."""
    not_upgraded: int = 0
    """Sessions that began to, and stayed with polling or ended."""

    def ended(self, reason: CloseReason, *, evicted: bool = False) -> None:
        """A session that was open is so no more."""
        self.closed[reason] += 1
        if evicted:
            self.evicted[reason] += 1
