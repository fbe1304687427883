"""A store with the link it works over."""

import time
from typing import Any

from pytest_twisted import blockon
from twisted.internet.defer import Deferred, DeferredList

from reward_push.cluster.link import RedisLink
from reward_push.store.redis.store import RedisStore

PREFIX = "rp:"
DAY_MS = 86_400_000


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Opened:
    """A node's store. Times of messages are small numbers; the deadline is ``patience_ms`` from now."""

    def __init__(self, link: RedisLink) -> None:
        self.link = link
        self.now_ms = 1_000
        self.patience_ms = 60_000
        self.store = self.reopened()

    def reopened(self, **options: Any) -> RedisStore:
        """Another store on the same link, which is the node's from now on."""
        self.store = RedisStore(
            self.link,
            PREFIX,
            lambda: self.now_ms,
            deadline_ms=lambda: wall_ms() + self.patience_ms,
            **options,
        )
        self.store.start()
        return self.store

    def close(self) -> None:
        blockon(self.store.stop())
        blockon(self.link.stop())


async def settle(*asked: "Deferred[Any]") -> list[Any]:
    """Wait for all of ``asked``; return their results, exceptions among them."""
    results = await DeferredList(asked, consumeErrors=True)
    return [result if good else result.value for good, result in results]
