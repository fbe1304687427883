"""The plainest link to Redis there can be: one connection, no time-outs, no return after a loss."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from reward_push.cluster.interfaces import IRedis, Script


@implementer(IRedis)
class PlainRedis:
    """Sends what it is asked, in order; a script that Redis does not know is sent whole."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._known: set[str] = set()

    @classmethod
    async def connect(cls, reactor: Any, port: int) -> "PlainRedis":
        """Connect to a Redis on loopback."""
        import txredisapi
        from twisted.internet.protocol import Factory

        def connection() -> Any:
            return txredisapi.RedisProtocol(charset="utf-8", convertNumbers=False)

        factory = Factory.forProtocol(connection)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        return cls(await endpoint.connect(factory))

    def run(self, script: Script, args: Any) -> "Deferred[Any]":
        if script.sha1 not in self._known:
            self._known.add(script.sha1)
            self.command("SCRIPT", "LOAD", script.source)
        asked = self.command("EVALSHA", script.sha1, 0, *args)
        return asked.addErrback(self._whole, script, args)

    def command(self, name: str, *args: "str | bytes | int") -> "Deferred[Any]":
        return self.connection.execute_command(name, *args)

    def _whole(self, failure: Failure, script: Script, args: Any) -> "Deferred[Any] | Failure":
        if not failure.getErrorMessage().startswith("NOSCRIPT"):
            return failure
        return self.command("EVAL", script.source, 0, *args)

    async def close(self) -> None:
        """Hang up."""
        gone = self.connection.whenDisconnected()
        self.connection.transport.loseConnection()
        await gone
