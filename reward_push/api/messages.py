"""``POST /v1/messages`` and ``/v1/messages/batch``, ``DELETE /v1/messages/{id}``."""

from typing import Any

from twisted.web.server import Request

from ..access.interfaces import Right
from ..rewards.errors import ErrorCode, invalid
from ..rewards.message import record_to_answer
from ..rewards.publisher import Accepted, Outcome, Publisher
from ..rewards.structure import Field, kind_of, structure
from .answers import Answer, json_answer
from .auth import Callers, authorize
from .body import read_object
from .errors import STATUS, error_json
from .limits import MAX_BATCH
from .operation import Operation, Said, ref

PUBLISH = Operation(
    "publishMessage",
    "Publish one message",
    {
        201: Said("It is new, and kept.", ref("Message")),
        200: Said("The same message came before: what has become of it.", ref("Message")),
    },
    (ErrorCode.CONFLICT, ErrorCode.TOO_LATE),
    right=Right.PUBLISH,
    body=ref("NewMessage"),
    takes_query=False,
    description="The same `id` with equal JSON is the same message.",
)

PUBLISH_BATCH = Operation(
    "publishBatch",
    "Publish many messages",
    {200: Said("One result a message, in order.", ref("BatchResults"))},
    right=Right.PUBLISH,
    body=ref("NewBatch"),
    takes_query=False,
    description="A bad message does not hold up the others.",
)

CANCEL = Operation(
    "cancelMessage",
    "Take a message back",
    {200: Said("It is cancelled, now or before.", ref("Message"))},
    (ErrorCode.NOT_FOUND, ErrorCode.CONFLICT),
    right=Right.PUBLISH,
    takes_query=False,
)


class Messages:
    """The handlers that publish, and that take back."""

    def __init__(self, publisher: Publisher, callers: Callers) -> None:
        self._publisher = publisher
        self._callers = callers

    async def publish(self, request: Request) -> Answer:
        """Publish one message: 201 when it is new, 200 when the same came before."""
        key = await authorize(request, self._callers, Right.PUBLISH)
        [outcome] = await self._publisher.publish([read_object(request)], key.namespaces)
        if not isinstance(outcome, Accepted):
            raise outcome
        return json_answer(_status(outcome), record_to_answer(outcome.record))

    async def publish_batch(self, request: Request) -> Answer:
        """Publish up to ``MAX_BATCH`` messages, each with its own result."""
        key = await authorize(request, self._callers, Right.PUBLISH)
        bodies = structure(read_object(request), _BATCH)["messages"]
        outcomes = await self._publisher.publish(bodies, key.namespaces)
        return json_answer(200, {"results": [_result(each) for each in outcomes]})

    async def cancel(self, request: Request, message_id: str) -> Answer:
        """Cancel a message: 200 with it, also when it was cancelled before."""
        key = await authorize(request, self._callers, Right.PUBLISH)
        record = await self._publisher.cancel(message_id, key.namespaces)
        return json_answer(200, record_to_answer(record))


def _bodies(value: object, path: str) -> list[Any]:
    """Check the shape only: each message is read, and refused, on its own."""
    if not isinstance(value, list):
        msg = f"{path} must be an array, not {kind_of(value)}"
        raise invalid(msg, path)
    if not 1 <= len(value) <= MAX_BATCH:
        msg = f"{path} must have 1 to {MAX_BATCH} items, not {len(value)}"
        raise invalid(msg, path)
    return value


_BATCH = {"messages": Field(_bodies, required=True)}


def _status(outcome: Accepted) -> int:
    return 201 if outcome.fresh else 200


def _result(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Accepted):
        return {"status": _status(outcome), "message": record_to_answer(outcome.record)}
    return {"status": STATUS[outcome.code], "error": error_json(outcome)}
