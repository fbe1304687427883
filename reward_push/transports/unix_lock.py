"""UNIX sockets that a node left behind when it was killed.

Beside the socket Twisted keeps a lock that names the process which listens, and believes in it for as long as
there is a process of this number. In a container a node has the same number each time: it finds its own
number there, and would take the socket for one that is in use.
"""

import os
import socket
import stat
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IListeningPort, IProtocolFactory

SUFFIX = ".lock"
"""What the lock's name has behind the socket's (``twisted.internet.unix.Port``)."""


class Unlocking:
    """A reactor that clears away what a process of its own number has left behind, before it listens."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenUNIX(
        self,
        address: str,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,  # noqa: N803
    ) -> IListeningPort:
        """See ``IReactorUNIX``."""
        listen = self._reactor.listenUNIX
        if wantPID:
            clear(address)
        port: IListeningPort = listen(address, factory, backlog, mode, wantPID)
        return port


def clear(address: str) -> None:
    """Remove the socket at ``address`` and its lock if the lock names this process, but nobody listens there.

    A lock that names another process is Twisted's to judge. Never raises: what stays in the way is told when
    the socket is bound.
    """
    lock = address + SUFFIX
    with suppress(OSError):
        if os.readlink(lock) == str(os.getpid()) and not _is_listened_to(address):
            # The lock last: it keeps others away until then.
            with suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.lstat(address).st_mode):
                    os.unlink(address)
            os.unlink(lock)


def _is_listened_to(address: str) -> bool:
    """Return whether connections to a UNIX socket arrive anywhere, be it in a queue that is full."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True
