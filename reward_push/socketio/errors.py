"""What can go wrong in Socket.IO packets: the peer's fault, and ours."""


class DecodeError(ValueError):
    """A peer sent what is no Socket.IO packet. Its whole connection is closed."""


class EncodeError(ValueError):
    """The application wants to send what no Socket.IO packet can carry."""
