"""Who a connected socket is to the domain."""

from typing import Any

import attrs

from .interfaces import Device


@attrs.frozen
class Member:
    """A socket that was let in; it is the socket's ``user``."""

    device: Device
    ends: Any = None
    """What will end the socket's right to be there, if anything; the audience's own."""
