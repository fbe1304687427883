"""What the connections to Redis carry, with hiredis and without: ``python -m bench.redis_link``.

One process, one ``redis-server`` of its own beside it. CPU is that of this process: what a node pays.
"""

import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, gatherResults

from reward_push.cluster.address import RedisAddress
from reward_push.cluster.connection import wire
from reward_push.cluster.interfaces import Script
from reward_push.cluster.link import RedisLink
from reward_push.cluster.subscriber import Subscriber
from tests.running_redis import RunningRedis

from .figures import show

CALLS = 50_000
AT_ONCE = 100
MESSAGES = 200_000
CHANNELS = 100_000
TEXT = "x" * 200
ECHO = Script("echo", "return ARGV[1]")


async def measure(reactor: Any, redis: RunningRedis) -> dict[str, float]:
    """Return the figures of one reader."""
    address = RedisAddress.parse(redis.url)
    link = RedisLink(address, reactor)
    heard = 0
    ready: list[Deferred[None]] = []

    def received(_channel: str, _text: str | bytes) -> None:
        nonlocal heard
        heard += 1

    subscriber = Subscriber(address, reactor)
    subscriber.start(received, ready=lambda: ready.pop().callback(None) if ready else None)
    link.start()
    while link.trouble() is not None:
        await task.deferLater(reactor, 0.01)
    figures: dict[str, float] = {}

    async def timed(what: str, amount: int, work: Callable[[], Awaitable[object]]) -> None:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        await work()
        figures[f"{what}, s"] = time.perf_counter() - wall_s
        figures[f"{what}, a CPU second"] = amount / (time.process_time() - cpu_s)

    async def calls() -> None:
        async def some() -> None:
            for _ in range(CALLS // AT_ONCE):
                await link.run(ECHO, [TEXT])

        await gatherResults([Deferred.fromCoroutine(some()) for _ in range(AT_ONCE)])

    async def messages() -> None:
        # Redis itself publishes, so that this process only listens.
        publish = "for i = 1, 1000 do redis.call('PUBLISH', 'x', ARGV[1]) end"
        for number in range(MESSAGES // 1_000):
            await link.command("EVAL", publish, 0, TEXT)
            while heard < (number + 1) * 1_000:
                await task.deferLater(reactor, 0)

    async def restored() -> None:
        ready.append(Deferred())
        waiting = ready[-1]
        subscriber.drop()
        await waiting

    await timed("scripts", CALLS, calls)
    await subscriber.subscribe(["x"])
    await timed("messages heard", MESSAGES, messages)
    await subscriber.subscribe([f"rp:room:/dropcodes|streamer:{n}" for n in range(CHANNELS)])
    await timed("channels restored", CHANNELS, restored)
    await subscriber.stop()
    await link.stop()
    return figures


async def main(reactor: Any) -> None:
    """Measure both readers."""
    readers = {"with hiredis": True} if wire.HIREDIS else {}
    for name, wire.HIREDIS in {**readers, "without": False}.items():
        with tempfile.TemporaryDirectory() as folder, RunningRedis(Path(folder)) as redis:
            show(name, await measure(reactor, redis))


if __name__ == "__main__":
    task.react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
