"""Run as a process of its own: takes messages through their lives as fast as it can, until it is killed.

Says in one line each what was confirmed.
"""

import os
import sys

import attrs
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred, gatherResults

from reward_push.rewards.interfaces import Level, Receipt
from reward_push.rewards.message import State
from reward_push.rewards.rooms import rooms_of
from reward_push.store.sqlite.store import SQLiteStore

from .samples import record

NAMES = ["a", "b", None, None, None]


def say(kind: str, name: str, value: object = "") -> None:
    # One write a line, so that each is in the pipe before the next can begin.
    os.write(1, f"{kind} {name} {value}\n".encode())


async def life(store: SQLiteStore, start: int, numbers: range) -> None:
    """The lives of some messages, one after the other."""
    for n in numbers:
        name = f"{start}-m{n}"
        due = n % 1000
        posted = record(name, state=State.SCHEDULED, ended_at_ms=None)
        message = attrs.evolve(
            posted.message,
            deliver_at_ms=due,
            expires_at_ms=due + 10 if n % 5 else None,
            replace=f"r{n % 3}" if n % 2 else None,
            once=n % 4 == 0,
        )
        await store.accept([attrs.evolve(posted, message=message)])
        say("accepted", name)
        devices = [
            await store.open_device("k", f"s-{n % 10}", f"{each}{n % 15}" if each else None, n)
            for each in NAMES
        ]
        for each in await store.claim(due, due, 0, 5):
            say("claimed", each.record.message.id)
        for level in Level:
            receipts = [Receipt(each.number, level, n) for each in devices[level - 1 :]]
            await store.note({name: receipts})
            say("noted", name, f"{min(level, 2) if message.once else int(level)} {len(receipts)}")
        await gatherResults([store.take(name, each.number, due) for each in devices])
        if n % 7 == 0:
            await store.cancel(name, due)
            say("cancelled", name)
        for each in await store.expire(due + n % 20, 5):
            say("ended", each.record.message.id)
        owed = await store.owed(devices[0].number, "/dropcodes")
        await gatherResults(
            [store.told(each.message_id, [devices[0].number]) for each in owed[::2]]
        )
        await store.missed(devices[2].number, "/dropcodes", rooms_of(message.to), due, None, 10)


def main(path: str, start: int) -> None:
    store = SQLiteStore(path, reactor.callFromThread, lambda: 1_000)
    store.start()
    for lane in range(8):
        lives = life(store, start, range(lane, 10**9, 8))
        reactor.callWhenRunning(ensureDeferred, lives)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
