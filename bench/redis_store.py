"""What the store's scripts cost Redis: microseconds of its one thread, and memory.

A real Redis on loopback, nobody else on it. What is counted is the CPU time of its main thread (``INFO cpu``),
with reading the call and writing the answer. (What Redis counts for a command itself is the time that passed, and
says little on a machine that is busy with other things, too.)
"""

import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from reward_push.cluster.link import RedisLink
from reward_push.rewards.interfaces import Level, Receipt
from reward_push.rewards.message import (
    TO_ALL,
    Audience,
    AudienceKind,
    Message,
    MessageRecord,
    State,
)
from reward_push.rewards.rooms import rooms_of
from reward_push.store.redis.store import RedisStore
from tests.open_link import open_link
from tests.running_redis import RunningRedis

from .figures import show

QUICK = "--quick" in sys.argv
N = 1_000 if QUICK else 10_000
BROADCASTS = 22
DATA = {"code": "K7Q-PLX", "filler": "x" * 120}
NAMESPACE = "/dropcodes"


class Meter:
    """Does things, and tells what they cost Redis."""

    def __init__(self, link: RedisLink, store: RedisStore) -> None:
        self.link = link
        self.store = store
        self.figures: dict[str, float] = {}

    async def measure(
        self, name: str, makers: list[Callable[[], "Deferred[Any]"]], each: int = 1
    ) -> list[Any]:
        """Make the calls, 100 under way at a time; ``each`` is how many things one of them does."""
        # To ask for the time costs some, too.
        earlier = await self._cpu_us()
        before = await self._cpu_us()
        results: list[Any] = []
        for start in range(0, len(makers), 100):
            results += await gatherResults([make() for make in makers[start : start + 100]])
        spent = await self._cpu_us() - before - (before - earlier)
        self.figures[f"{name} (us)"] = spent / (len(makers) * each)
        return results

    async def _cpu_us(self) -> float:
        info = await self.link.command("INFO", "cpu")
        fields = dict(line.split(":") for line in info.splitlines() if ":" in line)
        used = float(fields["used_cpu_sys_main_thread"]) + float(
            fields["used_cpu_user_main_thread"]
        )
        return used * 1e6

    async def used_bytes(self) -> int:
        """The memory that Redis says its data use."""
        info = await self.link.command("INFO", "memory")
        return int(next(each for each in info.splitlines() if each.startswith("used_memory:"))[12:])

    async def empty(self) -> None:
        """Remove everything."""
        await self.link.command("FLUSHALL")
        self.store.start()

    def done(self, title: str) -> None:
        """Show what was measured."""
        show(title, self.figures)
        self.figures = {}


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


def to(streamer: str) -> Audience:
    """Name one streamer."""
    return Audience(AudienceKind.STREAMER, (streamer,))


def record(
    name: str, audience: Audience, state: State = State.LIVE, **changes: Any
) -> MessageRecord:
    """A message of ordinary size, with a minute to live."""
    at_ms = now_ms()
    fields: dict[str, Any] = {
        "id": name,
        "namespace": NAMESPACE,
        "event": "dropcode",
        "to": audience,
        "data": DATA,
        "created_at_ms": at_ms,
        "deliver_at_ms": at_ms,
        "expires_at_ms": at_ms + 60_000,
        **changes,
    }
    return MessageRecord(Message(**fields), bytes(32), state)


async def accepting(meter: Meter) -> None:
    """New messages, and their memory."""
    await meter.empty()
    before = await meter.used_bytes()
    live = [record(f"live-{n:012}", to(f"s-{n}")) for n in range(N)]
    await meter.measure(
        "accept, live, one streamer",
        [lambda each=each: meter.store.accept([each]) for each in live],
    )
    meter.figures["memory of a live message, each to its own streamer (bytes)"] = (
        await meter.used_bytes() - before
    ) / N
    before = await meter.used_bytes()
    again = [record(f"again-{n:011}", to(f"s-{n % 100}")) for n in range(N)]
    await meter.measure(
        "accept, in batches of 100",
        [lambda some=again[n : n + 100]: meter.store.accept(some) for n in range(0, N, 100)],
        each=100,
    )
    meter.figures["memory of a live message, to 100 streamers in turn (bytes)"] = (
        await meter.used_bytes() - before
    ) / N
    replacing = [record(f"r-{n}", to(f"s-{n % 10}"), replace="code") for n in range(N // 10)]
    await meter.measure(
        "accept, replacing", [lambda each=each: meter.store.accept([each]) for each in replacing]
    )
    several = Audience(AudienceKind.STREAMERS, tuple(f"s-{n}" for n in range(1_000)))
    wide = [record(f"wide-{n}", several) for n in range(10)]
    await meter.measure(
        "accept, to 1,000 streamers",
        [lambda each=each: meter.store.accept([each]) for each in wide],
    )
    meter.done(f"Accepting ({N:,} messages)")


async def scheduling(meter: Meter) -> None:
    """Messages that wait, become due and end."""
    await meter.empty()
    before = await meter.used_bytes()
    later = [
        record(f"later-{n:011}", to(f"s-{n % 100}"), State.SCHEDULED, deliver_at_ms=now_ms() + 50)
        for n in range(N)
    ]
    await meter.measure(
        "accept, scheduled", [lambda each=each: meter.store.accept([each]) for each in later]
    )
    meter.figures["memory of a scheduled message (bytes)"] = (await meter.used_bytes() - before) / N
    at_ms = now_ms() + 3_600_000
    await meter.measure("agenda", [meter.store.agenda] * N)
    await meter.measure(
        "claim, 100 at a time, a message",
        [lambda: meter.store.claim(now_ms(), at_ms, 0, 100)] * (N // 100),
        each=100,
    )
    await meter.measure("claim, nothing due", [lambda: meter.store.claim(0, 0, 0, 100)] * N)
    await meter.measure(
        "expire, 100 at a time, a message",
        [lambda: meter.store.expire(at_ms, 100)] * (N // 100),
        each=100,
    )
    meter.done(f"The schedule ({N:,} messages)")


async def receipts(meter: Meter) -> None:
    """What comes behind a broadcast, and what its end costs."""
    await meter.empty()
    store = meter.store
    await store.accept([record(f"all-{n}", TO_ALL) for n in range(BROADCASTS)])
    before = await meter.used_bytes()
    nameless = [(await store.open_device("key-1", f"s-{n}", None, 0)).number for n in range(100)]
    numbers = [nameless[0] + (n << 25) for n in range(N)]
    level = [Receipt(each, Level.SENT, now_ms()) for each in numbers]
    await meter.measure(
        "note, sent, nameless, 1,000 a call, a receipt",
        [lambda some=level[n : n + 1000]: store.note({"all-0": some}) for n in range(0, N, 1000)],
        each=1_000,
    )
    meter.figures["memory of a receipt in a broadcast (bytes)"] = (
        await meter.used_bytes() - before
    ) / N
    raised = [Receipt(each, Level.DELIVERED, now_ms()) for each in numbers]
    await meter.measure(
        "note, delivered after sent, a receipt",
        [lambda some=raised[n : n + 1000]: store.note({"all-0": some}) for n in range(0, N, 1000)],
        each=1_000,
    )
    before = await meter.used_bytes()
    named = [
        each.number
        for each in await meter.measure(
            "open_device, named, new",
            [lambda n=n: store.open_device("key-1", f"t-{n}", "obs", now_ms()) for n in range(N)],
        )
    ]
    meter.figures["memory of a named device, alone with its key and streamer (bytes)"] = (
        await meter.used_bytes() - before
    ) / N
    await meter.measure(
        "open_device, named, known",
        [lambda n=n: store.open_device("key-1", f"t-{n}", "obs", now_ms()) for n in range(N)],
    )
    before = await meter.used_bytes()
    first = [Receipt(each, Level.SENT, now_ms()) for each in named]
    await meter.measure(
        "note, sent, named, 1,000 a call, a receipt",
        [lambda some=first[n : n + 1000]: store.note({"all-1": some}) for n in range(0, N, 1000)],
        each=1_000,
    )
    meter.figures["memory of a named device's first receipt (bytes)"] = (
        await meter.used_bytes() - before
    ) / N
    single = [record(f"one-{n}", to(f"s-{n}")) for n in range(N)]
    await store.accept(single[:1])
    for n in range(0, N, 500):
        await store.accept(single[n : n + 500])
    await meter.measure(
        "note, one receipt of one message",
        [
            lambda n=n: store.note({f"one-{n}": [Receipt(named[n], Level.SENT, now_ms())]})
            for n in range(N)
        ],
    )
    for name in [f"all-{n}" for n in range(2, BROADCASTS)]:
        for n in range(0, N, 1_000):
            await store.note({name: level[n : n + 1_000]})
    await meter.measure(
        f"cancel, a broadcast that {N:,} had",
        [lambda n=n: store.cancel(f"all-{n}", now_ms()) for n in range(2, BROADCASTS)],
    )
    await meter.measure(
        "had, 1,000 a call, a device",
        [lambda n=n: store.had("all-0", numbers[n : n + 1000]) for n in range(0, N, 1000)],
        each=1_000,
    )
    await meter.measure(
        "cancel, one device had it",
        [lambda n=n: store.cancel(f"one-{n}", now_ms()) for n in range(N)],
    )
    await meter.measure(
        "owed, one", [lambda each=each: store.owed(each, NAMESPACE) for each in named]
    )
    await meter.measure(
        "told, one", [lambda n=n: store.told(f"one-{n}", [named[n]]) for n in range(N)]
    )
    await meter.measure(
        "owed, nothing", [lambda each=each: store.owed(each, NAMESPACE) for each in named]
    )
    meter.done(f"Devices and receipts ({N:,})")


async def replays(meter: Meter) -> None:
    """What a device that connects costs."""
    await meter.empty()
    store = meter.store
    number = (await store.open_device("key-1", "s-1", None, 0)).number
    rooms = [*rooms_of(to("s-1")), "group:eu", *rooms_of(TO_ALL)]

    def missed() -> "Deferred[Any]":
        return store.missed(number, NAMESPACE, rooms, now_ms(), None, 100)

    await meter.measure("missed, nothing is live", [missed] * N)
    await store.accept([record("m", to("s-1"))])
    await meter.measure("missed, one", [missed] * N)
    names = [f"all-{n}" for n in range(1_000)]
    await store.accept([record(name, TO_ALL) for name in names[:100]])
    await meter.measure("missed, a page of 100", [missed] * (N // 100))
    await store.accept([record(name, TO_ALL) for name in names[100:]])
    receipt = [Receipt(number, Level.DELIVERED, now_ms())]
    await store.note(dict.fromkeys(["m", *names], receipt))
    await meter.measure("missed, 1,000 are live and it has had all", [missed] * (N // 100))
    await meter.measure("get", [lambda: store.get("m")] * N)
    await meter.measure("page of 100", [lambda: store.page(None, None, 100, None)] * (N // 100))
    await meter.measure("canary", [lambda: store.canary("n1")] * N)
    await meter.measure("history of 500", [lambda: store.news_since(0, 500)] * (N // 100))
    once = [record(f"once-{n}", to("s-1"), once=True) for n in range(N)]
    for n in range(0, N, 500):
        await store.accept(once[n : n + 500])
    await meter.measure(
        "take", [lambda n=n: store.take(f"once-{n}", number, now_ms()) for n in range(N)]
    )
    await meter.measure(
        "take, too late", [lambda n=n: store.take(f"once-{n}", number, now_ms()) for n in range(N)]
    )
    meter.done("Connecting, looking, taking")


async def main(reactor: Any) -> None:
    """Run all of it against one Redis."""
    with tempfile.TemporaryDirectory() as folder, RunningRedis(Path(folder)) as server:
        link = await open_link(reactor, server.url)
        store = RedisStore(link, "rp:", now_ms, deadline_ms=lambda: now_ms() + 60_000)
        meter = Meter(link, store)
        benches: list[Callable[[Meter], Awaitable[None]]] = [
            accepting,
            scheduling,
            receipts,
            replays,
        ]
        for bench in benches:
            await bench(meter)
        await store.stop()
        await link.stop()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
