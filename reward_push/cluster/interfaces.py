"""The seam to Redis: everything that is asked of it goes through :class:`IRedis`."""

import hashlib
from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface


@attrs.frozen
class Script:
    """A Lua script: one atomic step in Redis. It takes no ``KEYS``, only ``ARGV``."""

    name: str
    """For logs and metrics."""
    source: str = attrs.field(repr=False)
    sha1: str = attrs.field(init=False, repr=False)
    """What Redis knows it by."""

    @sha1.default
    def _digest(self) -> str:
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


class IRedis(Interface):
    """The one connection to Redis that state is read and changed through.

    Calls take effect and answer in the order made. Strings come back as ``str``, integers as ``int``, nil as
    ``None``, arrays as lists. Every call may fail with ``access.interfaces.StoreUnavailable``: Redis is
    away, slow (time-out), loading, a read-only replica, out of memory, or too much waits.
    """

    def run(script: Script, args: "Sequence[str | bytes | int]") -> "Deferred[Any]":
        """Run ``script`` with ``args`` as its ``ARGV``; it is loaded again when Redis has forgotten it."""

    def command(name: str, *args: "str | bytes | int") -> "Deferred[Any]":
        """Run a single command."""
