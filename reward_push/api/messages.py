"""``POST /v1/messages`` and ``/v1/messages/batch``, ``DELETE /v1/messages/{id}``."""

from twisted.web.server import Request

from ..access.interfaces import Right
from ..rewards.errors import ErrorCode
from ..rewards.message import record_to_answer
from ..rewards.outcome import Accepted
from ..rewards.publisher import Publisher
from .answers import Answer, json_answer
from .auth import Callers, authorize
from .batch import Batches, status_of
from .body import read_no_fields, read_object
from .operation import Operation, Said, ref
from .query import read_query
from .slices import CallSoon

PUBLISH = Operation(
    "publishMessage",
    "Publish one message",
    {
        201: Said("It is new, and kept.", ref("Message")),
        200: Said("The same message came before: the first answer.", ref("Message")),
    },
    (ErrorCode.CONFLICT, ErrorCode.TOO_LATE),
    right=Right.PUBLISH,
    body=ref("NewMessage"),
    description="The same `id` with equal JSON is the same message.",
)

PUBLISH_BATCH = Operation(
    "publishBatch",
    "Publish many messages",
    {200: Said("One result a message, in order.", ref("BatchResults"))},
    right=Right.PUBLISH,
    body=ref("NewBatch"),
    description="A bad message does not hold up the others.",
)

CANCEL = Operation(
    "cancelMessage",
    "Take a message back",
    {200: Said("It is cancelled, now or before.", ref("Message"))},
    (ErrorCode.NOT_FOUND, ErrorCode.CONFLICT),
    right=Right.PUBLISH,
)


class Messages:
    """The handlers that publish, and that take back."""

    def __init__(
        self,
        publisher: Publisher,
        callers: Callers,
        max_body_bytes: int,
        call_soon: CallSoon | None,
    ) -> None:
        """``max_body_bytes``: what one message may have; ``call_soon``: see :class:`.slices.Slices`."""
        self._publisher = publisher
        self._callers = callers
        self._batches = Batches(publisher, max_body_bytes, call_soon)

    async def publish(self, request: Request) -> Answer:
        """Publish one message: 201 when it is new, 200 when the same came before."""
        key = await authorize(request, self._callers, Right.PUBLISH)
        read_query(request, {})
        [outcome] = await self._publisher.publish([read_object(request)], key.namespaces)
        if not isinstance(outcome, Accepted):
            raise outcome
        return json_answer(status_of(outcome), record_to_answer(outcome.record))

    async def publish_batch(self, request: Request) -> Answer:
        """Publish up to ``MAX_BATCH`` messages, each with its own result."""
        key = await authorize(request, self._callers, Right.PUBLISH)
        read_query(request, {})
        return await self._batches.publish(request, key)

    async def cancel(self, request: Request, message_id: str) -> Answer:
        """Cancel a message: 200 with it, also when it was cancelled before."""
        key = await authorize(request, self._callers, Right.PUBLISH)
        read_query(request, {})
        read_no_fields(request)
        record = await self._publisher.cancel(message_id, key.namespaces)
        return json_answer(200, record_to_answer(record))
