"""The numbers that the door goes by."""

import attrs

from ..rate import Rate


@attrs.frozen
class GuardLimits:
    """How much of everything a node takes; 0 and ``None`` switch a limit off.

    An address is an IPv4 address or an IPv6 network of 64 bits.
    """

    connections: int = 0
    """Sessions of the node."""
    connections_per_address: int = 0
    """Sessions of one address."""
    connections_per_key: int = 0
    """Sessions that have joined with one key; gateway keys have no limit."""
    connect_rate_per_address: Rate | None = None
    """Handshakes of one address."""
    auth_failures_per_address: Rate | None = None
    """Wrong keys of one address, before it is banned."""
    ban_s: float = 0.0
    """How long a banned address is refused; 0: until it may show another wrong key."""
    api_rate_per_key: Rate | None = None
    """API calls with one key."""
