"""What messages have come to since the node's start, for metrics."""

from collections import Counter

import attrs

from .interfaces import Reason


@attrs.define
class DeliveryCounts:
    """Plain numbers that only grow. Whoever wants to know reads them."""

    sent: int = 0
    """Messages written to a device's transport."""
    delivered: int = 0
    """Of these, by how many the transport proved it."""
    acked: int = 0
    """Messages acknowledged by a plugin; under ``once``, the acknowledgements that won."""
    revoked: Counter[Reason] = attrs.Factory(Counter)
    """Revokes written, or queued, to sockets."""
