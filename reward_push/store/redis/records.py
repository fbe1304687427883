"""Messages on their way to the scripts, and what comes back: the other half of ``messages.lua``."""

import json
from collections.abc import Sequence
from typing import Any

from ...cluster.device_text import from_text
from ...cluster.envelope import EndedNews, KeyNews, decode
from ...cluster.history import BecameLive, History
from ...rewards.interfaces import (
    DeviceReceipt,
    Due,
    Ended,
    Kept,
    Latecomer,
    Level,
    Missed,
    OwedRevoke,
    Page,
    Reason,
)
from ...rewards.message import MessageRecord, Receipts, State
from ...rewards.rooms import rooms_of
from ..bodies import body_of, compact, message_of, shared_message_of, slot

Reply = Sequence[Any]
"""What a script answers: lists of lists, texts, integers and ``None``."""


def arguments(record: MessageRecord) -> list[str | int]:
    """Return a record as ``accept.lua`` takes it."""
    message = record.message
    of = slot(message)
    return [
        message.id,
        record.state.value,
        message.namespace,
        compact(rooms(record)),
        message.created_at_ms,
        message.deliver_at_ms,
        _or_empty(message.expires_at_ms),
        _or_empty(record.ended_at_ms),
        "1" if message.once else "",
        "" if of is None else of.hex(),
        record.receipts.sent or "",
        record.digest.hex(),
        body_of(message),
    ]


def rooms(record: MessageRecord) -> list[str]:
    """Name the rooms of a message, each once."""
    return list(dict.fromkeys(rooms_of(record.message.to)))


def record_of(row: Reply) -> MessageRecord:
    """Read a row of ``messages.lua``."""
    _, state, ended_at_ms, answered, sent, delivered, acked, digest, body = row
    counted = Receipts(max(_count(answered), _count(sent)), _count(delivered), _count(acked))
    return MessageRecord(
        message=message_of(body),
        digest=bytes.fromhex(digest),
        state=State(state),
        receipts=counted,
        ended_at_ms=None if ended_at_ms is None else int(ended_at_ms),
    )


def ended_of(reply: Reply) -> Ended:
    """Read what has ended."""
    row, reason, devices = reply
    listed = None if devices is None else tuple(sorted(map(from_text, devices)))
    return Ended(record_of(row), Reason(reason), listed)


def ended_or_none(reply: Reply | None) -> Ended | None:
    """Read what has ended, if it has."""
    return None if reply is None else ended_of(reply)


def kept_of(records: Sequence[MessageRecord], replies: Sequence[Reply]) -> list[Kept]:
    """Read what ``accept.lua`` answers for ``records``."""
    new: dict[str, MessageRecord] = {}
    kept: list[Kept] = []
    for record, (row, *superseded) in zip(records, replies, strict=True):
        if row is None:
            new[record.message.id] = record
            kept.append(Kept(record, tuple(map(ended_of, superseded))))
        else:
            found = record_of(row)
            first = new.get(record.message.id)  # It comes a second time in this call.
            kept.append(Kept(first if first == found else found))
    return kept


def dues_of(replies: Sequence[Reply]) -> list[Due]:
    """Read what ``claim.lua`` answers."""
    return [Due(record_of(row), tuple(map(ended_of, superseded))) for row, *superseded in replies]


def cancelled_of(reply: Reply | None) -> tuple[MessageRecord, Ended | None] | None:
    """Read what ``cancel.lua`` answers."""
    if reply is None:
        return None
    row, ended = reply
    return record_of(row), ended_or_none(ended)


def page_of(reply: Reply) -> Page:
    """Read what ``page.lua`` answers."""
    cursor, *rows = reply
    return Page(tuple(map(record_of, rows)), None if cursor is None else int(cursor))


def missed_of(reply: Reply) -> Missed:
    """Read what ``missed.lua`` answers."""
    cursor, *bodies = reply
    messages = tuple(shared_message_of(body) for body in bodies if body is not None)
    return Missed(messages, cursor)


def receipts_of(rows: Sequence[Reply]) -> dict[int, DeviceReceipt]:
    """Read receipts, by the number of the device.

    One of a device that was opened before Redis lost its data is nobody's.
    """
    found = {}
    for device, value, owner, name in rows:
        if owner is None:
            continue
        key_id, streamer = json.loads(owner)
        level, at_ms = Level(int(value[0])), int(value[1:])
        found[from_text(device)] = DeviceReceipt(key_id, streamer, name, level, at_ms)
    return found


def latecomers_of(reply: Sequence[str]) -> list[Latecomer]:
    """Read what ``note.lua`` answers."""
    fours = zip(*(reply[each::4] for each in range(4)), strict=True)
    return [Latecomer(name, ns, from_text(it), Reason(why)) for name, ns, why, it in fours]


def owed_of(reply: Reply) -> tuple[str | None, list[OwedRevoke]]:
    """Read where ``owed.lua`` goes on, and what it found."""
    after, *flat = reply
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return after, [OwedRevoke(message_id, Reason(reason)) for message_id, reason in pairs]


def history_of(reply: Reply) -> History:
    """Read what ``history.lua`` answers."""
    complete, more_after, *pieces = reply
    news: list[BecameLive | EndedNews | KeyNews] = []
    for kind, *piece in pieces:
        if kind == "L":
            no, message_id, namespace, named = piece
            news.append(BecameLive(int(no), message_id, namespace, tuple(json.loads(named))))
        elif kind == "K":
            news.append(KeyNews(int(piece[0]), piece[1]))
        else:
            told = decode(piece[0])
            if isinstance(told, EndedNews):
                news.append(told)
    return History(tuple(news), bool(complete), None if more_after is None else int(more_after))


def _count(value: str | int | None) -> int:
    return 0 if value is None else int(value)


def _or_empty(value: int | None) -> str | int:
    return "" if value is None else value
