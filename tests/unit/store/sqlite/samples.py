"""Records to store, and a stand-in for the reactor's thread."""

import time
from queue import Empty, Queue

import attrs
from twisted.internet.defer import Deferred

from reward_push.rewards.message import Audience, AudienceKind, Message, MessageRecord, State


def record(
    message_id: str, digest: bytes = b"\x01" * 32, size: int = 8, **changes
) -> MessageRecord:
    """A message that was done with at 1,000 ms, with ``size`` characters of data."""
    message = Message(
        id=message_id,
        namespace="/dropcodes",
        event="dropcode",
        to=Audience(AudienceKind.STREAMER, ("s-42",)),
        data="x" * size,
        created_at_ms=1_000,
        deliver_at_ms=1_000,
    )
    done = MessageRecord(message, digest, State.DONE, ended_at_ms=1_000)
    return attrs.evolve(done, **changes)


class Inbox:
    """What ``reactor.callFromThread`` is to a store: calls come from its thread, and run in ours."""

    PATIENCE_S = 30.0
    """Only a broken store needs it."""

    def __init__(self):
        self._calls: Queue = Queue()
        self.delivered = 0

    def call_from_thread(self, function, *arguments):
        self._calls.put((function, arguments))

    def run_waiting(self):
        """Run what has come so far."""
        while True:
            try:
                self._run(self._calls.get_nowait())
            except Empty:
                return

    def settle(self, *deferreds: Deferred) -> list:
        """Run calls until all ``deferreds`` have fired; return their results, exceptions among them."""
        results: dict[int, object] = {}
        for place, deferred in enumerate(deferreds):
            deferred.addCallbacks(
                lambda result, place=place: results.__setitem__(place, result),
                lambda failed, place=place: results.__setitem__(place, failed.value),
            )
        until = time.monotonic() + self.PATIENCE_S
        while len(results) < len(deferreds):
            self._run(self._calls.get(timeout=max(0.0, until - time.monotonic())))
        return [results[place] for place in range(len(deferreds))]

    def get(self, deferred: Deferred):
        """Run calls until ``deferred`` has fired; return its result or raise its exception."""
        [result] = self.settle(deferred)
        if isinstance(result, Exception):
            raise result
        return result

    def _run(self, call):
        function, arguments = call
        self.delivered += 1
        function(*arguments)
