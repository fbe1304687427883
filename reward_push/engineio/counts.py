"""What has become of sessions since the node's start, for metrics."""

from collections import Counter

import attrs

from .errors import CloseReason


@attrs.define
class SessionCounts:
    """Plain numbers that only grow. Whoever wants to know reads them."""

    opened: Counter[tuple[str, int]] = attrs.Factory(Counter)
    """Sessions opened: (first transport, revision)."""
    evicted: Counter[CloseReason] = attrs.Factory(Counter)
    """Sessions whose clients were sent away to come back."""
    upgraded: int = 0
    """Sessions that went from polling to WebSocket."""
    not_upgraded: int = 0
    """Sessions that began to, and stayed with polling or ended."""
