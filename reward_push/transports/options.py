"""The numbers that shape the HTTP edge."""

import attrs

KEEP_ALIVE_MARGIN_S = 15.0
"""How much longer than the balancer's idle timeout an idle connection is kept. A target that closes
first makes the balancer answer 502 for the request it was about to send."""


@attrs.frozen
class SiteOptions:
    """Deadlines (seconds; 0 switches one off) and what the node tells about itself."""

    node_id: str
    """Goes out as ``X-Node-Id`` with every answer."""
    idle_timeout_s: float = 120.0
    """The balancer's idle timeout; idle connections are kept for :attr:`keep_alive_s`."""
    header_timeout_s: float = 10.0
    """Total time for a request's head: from accept, on a used connection from its first byte."""
    body_timeout_s: float = 20.0
    """Total time for a request's body, from the end of its head."""

    @property
    def keep_alive_s(self) -> float:
        """How long a connection may be idle between two requests; 0: for ever."""
        return self.idle_timeout_s + KEEP_ALIVE_MARGIN_S if self.idle_timeout_s else 0.0
