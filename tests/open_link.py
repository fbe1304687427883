"""A link to a Redis, as a node has it, ready to be used."""

from typing import Any

from twisted.internet.defer import Deferred

from reward_push.cluster.address import RedisAddress
from reward_push.cluster.link import RedisLink

from .until import PATIENCE_S


async def open_link(reactor: Any, url: str) -> RedisLink:
    """Connect. Whoever has the link stops it."""
    first: Deferred[None] = Deferred()

    async def connected() -> None:
        if not first.called:
            first.callback(None)

    link = RedisLink(RedisAddress.parse(url), reactor, connected=connected)
    link.start()
    try:
        await first.addTimeout(PATIENCE_S, reactor)
    except BaseException:
        await link.stop()
        raise
    return link
