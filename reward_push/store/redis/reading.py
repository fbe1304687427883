"""Reading what may be too much for one step. Done in several, its answer may come after those of later calls."""

from ...cluster.device_text import to_text
from ...rewards.interfaces import DeviceReceipt, OwedRevoke
from ...rewards.message import MessageRecord
from ..lanes import Lane
from . import records
from .line import Line
from .scripts import GET, OWED, RECEIPTS

OWED_A_STEP = 500


async def get(line: Line, message_id: str) -> tuple[MessageRecord, list[DeviceReceipt]] | None:
    """See ``IMessageStore.get``. Up to 500 receipts are one step."""
    reply = await line.run(GET, (message_id,), Lane.POSTS)
    if reply is None:
        return None
    row, receipts = reply
    cursor = None
    if receipts is None:
        receipts, cursor = (), "0"
    found = records.receipts_of(receipts)
    while cursor is not None:
        following, some = await line.run(RECEIPTS, (message_id, cursor), Lane.POSTS)
        found.update(records.receipts_of(some))
        cursor = None if following == "0" else following
    return records.record_of(row), [found[number] for number in sorted(found)]


async def owed(line: Line, device: int, namespace: str) -> list[OwedRevoke]:
    """See ``IMessageStore.owed``."""
    found: list[OwedRevoke] = []
    after: str | None = "0"
    while after is not None:
        args = (to_text(device), namespace, after, OWED_A_STEP)
        after, some = records.owed_of(await line.run(OWED, args, Lane.CLIENTS))
        found += some
    return found
