"""Run as a process of its own: writes as fast as it can and says what is done, until it is killed."""

import os
import sys

from twisted.internet import reactor

from reward_push.access.interfaces import Key, KeyKind, StoredKey
from reward_push.store.sqlite.store import SQLiteStore

from .samples import record


def main(path: str) -> None:
    store = SQLiteStore(path, reactor.callFromThread, lambda: 1_000)
    store.start()
    numbers = iter(range(10**9))

    def say(_result, name):
        # One write a line, so that each is in the pipe before the next can begin.
        os.write(1, f"{name}\n".encode())

    def post(_result=None):
        number = next(numbers)
        posted = record(f"m{number}", size=number % 5000)
        store.accept([posted]).addCallback(say, f"m{number}").addCallback(post)
        store.accept([record(f"b{number}-{n}") for n in range(number % 20)]).addCallback(
            say, f"b{number}"
        )
        if number % 10 == 0:
            key = StoredKey(Key(f"k{number}", KeyKind.BACKEND, 0), bytes(32))
            store.add_key(key).addCallback(say, f"k{number}")

    for _ in range(20):
        reactor.callWhenRunning(post)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
