"""Who a connected socket is to the domain."""

import attrs

from .interfaces import Device


@attrs.frozen
class Member:
    """A socket that was let in; it is the socket's ``user``."""

    device: Device
    groups: tuple[str, ...] = ()

    @property
    def streamer(self) -> str:
        """Whose plugin it is."""
        return self.device.streamer
