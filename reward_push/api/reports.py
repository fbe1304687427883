"""``GET /v1/messages`` and ``/v1/messages/{id}``: what became of messages."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.server import Request

from ..access.interfaces import Key, Right
from ..rewards.errors import ErrorCode
from ..rewards.instants import to_rfc3339
from ..rewards.interfaces import DeviceReceipt, IMessageStore, Page
from ..rewards.message import MessageRecord, State, record_to_answer
from ..rewards.names import is_name
from ..rewards.outcome import no_message
from ..rewards.structure import identifier, one_of
from ..strict_json import dumps
from .answers import Answer
from .auth import Callers, authorize
from .limits import DEFAULT_LIMIT, MAX_LIMIT
from .operation import PAGE_PARAMETERS, Operation, Parameter, Said, ref
from .pages import read_page
from .query import cursor, read_query, to_cursor, whole_number
from .slices import CallSoon, Slices

Flush = Callable[[], "Deferred[None]"]
"""Brings the receipts noted so far into the store; never fails."""

_PARAMETERS = {
    "state": one_of(tuple(map(str, State))),
    "streamer": identifier,
    "limit": whole_number(1, MAX_LIMIT),
    "cursor": cursor,
}


GET_MESSAGE = Operation(
    "getMessage",
    "Show a message, its state and its receipts",
    {200: Said("The message, with a row a device.", ref("MessageWithDevices"))},
    (ErrorCode.NOT_FOUND,),
    right=Right.READ,
)

LIST_MESSAGES = Operation(
    "listMessages",
    "List messages, newest first",
    {200: Said("A page; it may be short though more follows.", ref("Messages"))},
    right=Right.READ,
    parameters=(
        Parameter("state", {"enum": [str(each) for each in State]}, "Only those in this state."),
        Parameter("streamer", ref("Name"), "Only those addressed to this streamer by name."),
        *PAGE_PARAMETERS,
    ),
)


class MessageReports:
    """The handlers that tell of messages. A key limited to namespaces sees only those of its own."""

    def __init__(
        self,
        store: IMessageStore,
        callers: Callers,
        flush: Flush,
        call_soon: CallSoon | None = None,
    ) -> None:
        self._call_soon = call_soon
        self._store = store
        self._callers = callers
        self._flush = flush

    async def one(self, request: Request, message_id: str) -> Answer:
        """Tell of one message, with a row for each device it was written to."""
        key = await authorize(request, self._callers, Right.READ)
        read_query(request, {})
        if not is_name(message_id):
            raise no_message(message_id)
        await self._flush()
        found = await self._store.get(message_id)
        if found is None or not key.allows_namespace(found[0].message.namespace):
            raise no_message(message_id)
        record, receipts = found
        slices = Slices(self._call_soon)
        devices = []
        for receipt in sorted(receipts, key=_order):
            devices.append(dumps(_device(receipt)))
            await slices.pause()
        message = dumps(record_to_answer(record))
        return Answer(200, f'{message[:-1]},"devices":[{",".join(devices)}]}}'.encode())

    async def page(self, request: Request) -> Answer:
        """List messages, newest first."""
        key = await authorize(request, self._callers, Right.READ)
        asked = read_query(request, _PARAMETERS)
        await self._flush()
        records, following = await read_page(
            partial(self._read, asked), asked.get("cursor"), _visible_to(key)
        )
        slices = Slices(self._call_soon)
        items = []
        for record in records:
            items.append(dumps(record_to_answer(record)))
            await slices.pause()
        going_on = dumps(to_cursor(following))
        return Answer(200, f'{{"items":[{",".join(items)}],"next_cursor":{going_on}}}'.encode())

    async def _read(
        self, asked: dict[str, Any], begin: int | None
    ) -> tuple[Sequence[MessageRecord], int | None]:
        state = State(asked["state"]) if "state" in asked else None
        page: Page = await self._store.page(
            state, asked.get("streamer"), asked.get("limit", DEFAULT_LIMIT), begin
        )
        return page.records, page.cursor


def _visible_to(key: Key) -> Callable[[MessageRecord], bool] | None:
    if key.namespaces is None:
        return None
    return lambda record: key.allows_namespace(record.message.namespace)


def _order(receipt: DeviceReceipt) -> tuple[str, str, str, int]:
    return receipt.streamer, receipt.key_id, receipt.name or "", receipt.at_ms


def _device(receipt: DeviceReceipt) -> dict[str, Any]:
    return {
        "streamer": receipt.streamer,
        "key_id": receipt.key_id,
        "device": receipt.name,
        "state": receipt.level.name.lower(),
        "at": to_rfc3339(receipt.at_ms),
    }
