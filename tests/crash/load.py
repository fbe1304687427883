"""A backend that posts without a pause, and does not give up when the node is away."""

import http.client
import json
import random
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import attrs

from tests.running_node import Backend, message

from .ledger import Ledger, Posted

RETRY_S = 0.02
PATIENCE_S = 60.0
BATCH = 5


@attrs.frozen
class Audience:
    """A streamer and its devices."""

    streamer: str
    devices: tuple[str, ...]


class Load:
    """Posts messages of all kinds, in a thread, from ``with`` to :meth:`finish`.

    An attempt that fails is made again with the same id, until there is an answer.
    """

    def __init__(
        self, backend: Backend, ledger: Ledger, audiences: Sequence[Audience], seed: int
    ) -> None:
        self._backend = backend
        self._ledger = ledger
        self._audiences = audiences
        self._random = random.Random(seed)
        self._count = 0
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self.failure: BaseException | None = None
        self.retries = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()

    def finish(self) -> None:
        """Post nothing new; return when all is answered. Raises what went wrong."""
        self._enough.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            while not self._enough.is_set():
                count = self._random.choice([1, 1, 1, BATCH])
                self._post([self._make() for _ in range(count)])
        except BaseException as error:
            self.failure = error

    def _make(self) -> Posted:
        choose = self._random
        self._count += 1
        audience = choose.choice(self._audiences)
        fields: dict[str, Any] = {"id": f"m{self._count}"}
        several = len(audience.devices) > 1
        kind = choose.choice(["lasting", "lasting", "short", "later", "soon", "endless"])
        if kind in ("lasting", "later"):
            fields["ttl_ms"] = 120_000
        elif kind == "short":
            fields["ttl_ms"] = choose.randrange(50, 1_500)
        elif kind == "soon":
            fields |= {"ttl_ms": choose.randrange(100, 3_000), "delay_ms": choose.randrange(1_000)}
        if kind == "later":
            fields["delay_ms"] = choose.randrange(2_000)
        if several and choose.random() < 0.5:
            fields["once"] = True
        body = message(audience.streamer, {"n": self._count}, **fields)
        return self._ledger.post(Posted(body, audience.devices))

    def _post(self, messages: Sequence[Posted]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                if len(messages) == 1:
                    [posted] = messages
                    results = [self._backend.call("POST", "/v1/messages", posted.body)]
                else:
                    body = {"messages": [posted.body for posted in messages]}
                    status, answer = self._backend.call("POST", "/v1/messages/batch", body)
                    assert status == 200, (status, answer)
                    results = [
                        (each["status"], each.get("message") or each) for each in answer["results"]
                    ]
                break
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                # Whether it was accepted nobody knows; the id tells them apart.
                if time.monotonic() > deadline:
                    # The node does not come back: the test has failed already, and waits for this thread.
                    raise
                self.retries += 1
                time.sleep(RETRY_S)
        for posted, (status, answer) in zip(messages, results, strict=True):
            if status in (200, 201):
                posted.answer = answer
            else:
                assert status == 422, (status, answer)
                posted.had_ended = True
