"""What the layers above may want to know of the request that opened a session."""

from collections.abc import Mapping

import attrs


@attrs.frozen
class Opening:
    """The opening request, kept as long as its session.

    Client libraries put their credentials in different places, and join namespaces at any time; so
    both the header and the query are kept. Neither is ever shown.
    """

    query: Mapping[str, str] = attrs.field(repr=False, factory=dict)
    """All URL parameters, the application's own among them."""
    authorization: str | None = attrs.field(repr=False, default=None)
    """The ``Authorization`` header."""
    address: str = ""
    """The name that limits count the client by: its IPv4 address, or the network of its IPv6 address."""
