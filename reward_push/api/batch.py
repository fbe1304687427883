"""``POST /v1/messages/batch``: many messages, a few at a time, so that a large batch holds nothing up."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.web.server import Request

from ..access.interfaces import AnswerLost, Key, StoreUnavailable
from ..rewards.errors import invalid
from ..rewards.message import record_to_answer
from ..rewards.outcome import Accepted, Outcome, unavailable
from ..rewards.publisher import Publisher
from ..rewards.structure import Field, kind_of, structure
from ..strict_json import dumps
from .answers import Answer
from .batch_text import FIELD, BatchText
from .body import LARGE_BYTES, parse_object, read_body
from .errors import STATUS, error_json
from .limits import MAX_BATCH
from .slices import CallSoon, Slices

CHUNK = 50
"""Messages published in one go."""

CHUNK_BYTES = 32 * 1024
"""The same by their size, but for a single one that is larger."""

IN_FLIGHT = 4
"""Chunks that wait for the store at one time: enough for it to commit many messages together."""

MAX_LARGE = 2
"""Large batches that are worked on at one time; others wait."""

Result = bytes
"""What became of one message, encoded."""


class Batches:
    """Publishes batches. The messages of one are published in order; others may come in between."""

    def __init__(
        self, publisher: Publisher, max_message_bytes: int, call_soon: CallSoon | None
    ) -> None:
        self._publisher = publisher
        self._max_message_bytes = max_message_bytes
        self._call_soon = call_soon
        self._large = DeferredSemaphore(MAX_LARGE)

    async def publish(self, request: Request, key: Key) -> Answer:
        """Publish the batch in a request; fails with ``StoreUnavailable`` when none was accepted."""
        body = read_body(request)
        slices = Slices(self._call_soon)
        if len(body) <= LARGE_BYTES:
            bodies = structure(parse_object(body), _BATCH)[FIELD]
            return await self._publish(_chunks(bodies), key, slices)
        await self._large.acquire()
        try:
            batch = BatchText(body, self._max_message_bytes)
            spans = []
            for span in batch.spans():
                if span is not None:
                    spans.append(span)
                await slices.pause()
            return await self._publish(_read(batch, spans), key, slices)
        finally:
            self._large.release()

    async def _publish(self, chunks: Iterator[list[Any]], key: Key, slices: Slices) -> Answer:
        results: list[Result] = []
        in_flight: deque[tuple[int, Deferred[list[Outcome]]]] = deque()
        failure: StoreUnavailable | None = None
        accepted = False

        async def take() -> None:
            nonlocal failure, accepted
            count, published = in_flight.popleft()
            try:
                outcomes: Sequence[Outcome] = await published
                accepted = True
            except StoreUnavailable as error:
                failure = error
                outcomes = [unavailable(unsure=isinstance(error, AnswerLost))] * count
            for outcome in outcomes:
                results.append(_result(outcome))
                await slices.pause()

        for chunk in chunks:
            in_flight.append((len(chunk), self._publisher.publish(chunk, key.namespaces)))
            if len(in_flight) >= IN_FLIGHT:
                await take()
            await slices.pause()
        while in_flight:
            await take()
        if failure is not None and not accepted:
            raise failure
        return Answer(200, b'{"results":[' + b",".join(results) + b"]}")


def _chunks(bodies: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(bodies), CHUNK):
        yield list(bodies[start : start + CHUNK])


def _read(batch: BatchText, spans: Sequence[tuple[int, int]]) -> Iterator[list[Any]]:
    """Yield the messages at ``spans``, parsed when it is their turn."""
    chunk: list[Any] = []
    size = 0
    for span in spans:
        length = span[1] - span[0]
        if chunk and (len(chunk) == CHUNK or size + length > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(batch.value(span))
        size += length
    yield chunk


def status_of(outcome: Accepted) -> int:
    """Return the status of a message that was accepted: new, or the same as before."""
    return 201 if outcome.fresh else 200


def _result(outcome: Outcome) -> Result:
    result: dict[str, Any]
    if isinstance(outcome, Accepted):
        result = {"status": status_of(outcome), "message": record_to_answer(outcome.record)}
    else:
        result = {"status": STATUS[outcome.code], "error": error_json(outcome)}
    return dumps(result).encode()


def _bodies(value: object, path: str) -> list[Any]:
    """Check the shape only: each message is read, and refused, on its own."""
    if not isinstance(value, list):
        msg = f"{path} must be an array, not {kind_of(value)}"
        raise invalid(msg, path)
    if not 1 <= len(value) <= MAX_BATCH:
        msg = f"{path} must have 1 to {MAX_BATCH} items, not {len(value)}"
        raise invalid(msg, path)
    return value


_BATCH = {FIELD: Field(_bodies, required=True)}
