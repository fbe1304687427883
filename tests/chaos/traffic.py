"""A backend that posts as planned and does not give up, and another that asks what became of it."""

import heapq
import http.client
import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from tests.running_node import Backend, Service

from .ledger import Accepted, Ledger, now_ms
from .plan import Posting

RETRY_S = 0.05
PATIENCE_S = 60.0
CALL_TIMEOUT_S = 3.0
"""How long an answer is waited for: a node may be frozen with the request in its hands."""
POSTERS = 4
WATCHERS = 2
FIRST_LOOK_S = 0.2
"""How long after a message was due its receipts are looked at."""
LOOK_LESS = 1.7
"""By how much longer each pause between two looks is than the one before."""

_NO_ANSWER = (OSError, http.client.HTTPException, json.JSONDecodeError)
_TRY_AGAIN = (502, 503, 504)
"""The node's own, or the balancer's for one that is gone."""


class _Workers(ABC):
    """Threads over one piece of work; what ends one of them is raised by :meth:`finish`."""

    def __init__(self, service: Service, count: int) -> None:
        self._service = service
        self.failure: BaseException | None = None
        self.over = threading.Event()
        self._threads = [threading.Thread(target=self._guarded, daemon=True) for _ in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()
        if error is None:
            self.check()

    def check(self) -> None:
        """Raise what ended a thread before its time."""
        if self.failure is not None:
            raise self.failure

    def _guarded(self) -> None:
        backend = Backend(self._service.port, self._service.backend_key, CALL_TIMEOUT_S)
        try:
            self.work(backend)
        except BaseException as error:
            self.failure = error
        finally:
            backend.close()

    @abstractmethod
    def work(self, backend: Backend) -> None:
        """What each thread does."""


class Posters(_Workers):
    """Post each message at its moment, again with the same id until it is answered."""

    def __init__(self, service: Service, ledger: Ledger, plan: Sequence[Posting]) -> None:
        super().__init__(service, POSTERS)
        self._ledger = ledger
        self._rest = iter(plan)
        self._lock = threading.Lock()
        self._begin_s = time.monotonic()

    def wait(self) -> None:
        """Return when all are answered."""
        for thread in self._threads:
            thread.join()
        self.check()

    def work(self, backend: Backend) -> None:
        """See :class:`_Workers`."""
        while not self.over.is_set():
            with self._lock:
                posting = next(self._rest, None)
            if posting is None:
                return
            time.sleep(max(0.0, self._begin_s + posting.at_s - time.monotonic()))
            self._post(backend, posting)

    def _post(self, backend: Backend, posting: Posting) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            assert time.monotonic() < deadline, f"no answer to {posting} in {PATIENCE_S} s"
            try:
                status, body = backend.call("POST", "/v1/messages", posting.body)
            except _NO_ANSWER as error:
                # Whether it was accepted nobody knows; the id tells.
                self._ledger.answered(posting, type(error).__name__)
            else:
                self._ledger.answered(posting, status, body)
                if status not in _TRY_AGAIN:
                    assert status in (200, 201, 422), (status, body)
                    return
            time.sleep(RETRY_S)


class Watchers(_Workers):
    """Ask for the receipts of each accepted message, until all whom it is for have it.

    So the ledger knows of each receipt a moment at which it had been committed.
    """

    def __init__(self, service: Service, ledger: Ledger) -> None:
        super().__init__(service, WATCHERS)
        self._ledger = ledger
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._line: list[tuple[float, str, float]] = []
        """When to look, at what, and the pause after that."""

    def work(self, backend: Backend) -> None:
        """See :class:`_Workers`."""
        while not self.over.is_set():
            with self._lock:
                self._take_in()
                look = heapq.heappop(self._line) if self._line else None
            if look is None or look[0] > time.monotonic():
                if look is not None:
                    self._put(look)
                time.sleep(RETRY_S)
                continue
            _, message_id, pause_s = look
            if not self._look(backend, self._ledger.accepted[message_id]):
                self._put((time.monotonic() + pause_s, message_id, pause_s * LOOK_LESS))

    def _take_in(self) -> None:
        for accepted in list(self._ledger.accepted.values())[len(self._known) :]:
            self._known.add(accepted.posting.id)
            in_s = max(0.0, accepted.deliver_ms - now_ms()) / 1000 + FIRST_LOOK_S
            heapq.heappush(self._line, (time.monotonic() + in_s, accepted.posting.id, FIRST_LOOK_S))

    def _put(self, look: tuple[float, str, float]) -> None:
        with self._lock:
            heapq.heappush(self._line, look)

    def _look(self, backend: Backend, accepted: Accepted) -> bool:
        """Return whether there is nothing more to see."""
        posting = accepted.posting
        try:
            status, body = backend.call("GET", f"/v1/messages/{posting.id}")
        except _NO_ANSWER:
            return False
        if status in _TRY_AGAIN:
            return False
        assert status == 200, (status, body)
        self._ledger.seen(posting.id, body["devices"])
        has = sum(row["state"] != "sent" for row in body["devices"])
        return has >= len(posting.devices) or body["state"] in ("done", "expired")


def ask_all(service: Service, ids: Sequence[str]) -> dict[str, Any]:
    """What the API says of each message now."""
    backend = Backend(service.port, service.backend_key)
    found = {}
    for message_id in ids:
        status, body = backend.call("GET", f"/v1/messages/{message_id}")
        assert status == 200, (status, body)
        found[message_id] = body
    backend.close()
    return found
