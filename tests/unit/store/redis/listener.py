"""Hears what is published."""

from reward_push.cluster.envelope import Canary, News, decode, encode
from tests.redis_client import RedisClient
from tests.running_redis import RunningRedis

from .opened import PREFIX


class Listener:
    """A subscriber to everything."""

    def __init__(self, running: RunningRedis) -> None:
        self._client: RedisClient = running.client()
        self._publisher: RedisClient = running.client()
        self._client.call("PSUBSCRIBE", f"{PREFIX}*")

    def heard(self) -> list[tuple[str, str]]:
        """All (channel, text) that were published since the last time."""
        self._publisher.call("PUBLISH", f"{PREFIX}end", encode(Canary(0)))
        found = []
        while True:
            _, _, channel, text = self._client.reply()
            if channel == f"{PREFIX}end":
                return found
            found.append((channel.removeprefix(PREFIX), text))

    def news(self) -> list[News]:
        """All news that were published since the last time."""
        return [decode(text) for _, text in self.heard()]

    def close(self) -> None:
        self._client.close()
        self._publisher.close()
