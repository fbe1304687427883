"""A small Redis client that blocks, for what tests do to a server behind the node's back."""

import socket
import ssl
from types import TracebackType
from typing import Any, Self

TIMEOUT_S = 60.0


class ReplyError(Exception):
    """Redis answered with an error."""


class RedisClient:
    """One connection. Replies: ``str``, ``int``, ``None``, lists of these; errors raise :class:`ReplyError`."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        connection = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        if tls is not None:
            try:
                connection = tls.wrap_socket(connection, server_hostname="localhost")
            except BaseException:
                connection.close()
                raise
        self._socket = connection
        self._replies = connection.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._replies.close()
        self._socket.close()

    def call(self, *words: str | bytes | int) -> Any:
        """Send one command and return its reply."""
        self.send(*words)
        return self.reply()

    def send(self, *words: str | bytes | int) -> None:
        """Send one command without waiting."""
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        body = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self._socket.sendall(b"*%d\r\n%s" % (len(parts), body))

    def reply(self) -> Any:
        """Wait for the next reply."""
        line = self._replies.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2].decode()
        match kind:
            case b"+":
                return rest
            case b"-":
                raise ReplyError(rest)
            case b":":
                return int(rest)
            case b"$":
                return None if rest == "-1" else self._replies.read(int(rest) + 2)[:-2].decode()
            case b"*":
                return None if rest == "-1" else [self.reply() for _ in range(int(rest))]
        raise AssertionError(f"not RESP2: {line!r}")
