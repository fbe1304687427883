"""Calls of many rows, cut into steps, so that no script holds Redis up for long; and their answers."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure

from ...access.interfaces import StoreUnavailable
from ...cluster.device_text import to_text
from ...rewards.interfaces import Receipt
from ...rewards.message import MessageRecord
from .line import Argument

ROWS = 5_000
"""Messages and the streamers they name, in one step: a thousand ordinary messages are one."""
RECEIPTS = 2_000


def pieces(accepted: Sequence[MessageRecord]) -> Iterator[Sequence[MessageRecord]]:
    """Cut ``accepted`` into pieces of :data:`ROWS`, but for what their last record has more; at least one."""
    start = rows = 0
    for place, record in enumerate(accepted):
        if rows >= ROWS:
            yield accepted[start:place]
            start, rows = place, 0
        rows += _rows_of(record)
    yield accepted[start:]


def rows_of(accepted: Sequence[MessageRecord]) -> int:
    """Return how much ``accepted`` counts against a lane's limit."""
    return sum(map(_rows_of, accepted))


def noted(receipts: Mapping[str, Sequence[Receipt]]) -> Iterator[tuple[list[Argument], int]]:
    """Cut receipts into steps, at least one: what ``note.lua`` takes, and how many receipts those are."""
    args: list[Argument] = []
    count = 0
    for message_id, of_message in receipts.items():
        rest = iter(of_message)
        while some := list(islice(rest, RECEIPTS - count)):
            args += [message_id, len(some)]
            for device, level, at_ms in some:
                args += [to_text(device), f"{level:d}{at_ms}"]
            count += len(some)
            if count == RECEIPTS:
                yield args, count
                args, count = [], 0
    if args or not any(receipts.values()):
        yield args, count


def joined(asked: "Sequence[Deferred[Any]]") -> "Deferred[Any]":
    """Fire with a list of what all of ``asked`` answer, one after the other; fail as the first that fails."""
    return all_of(asked).addCallback(lambda parts: [each for part in parts for each in part])


def all_of(asked: "Sequence[Deferred[Any]]") -> "Deferred[list[Any]]":
    """Fire with the answers of ``asked``; fail as the first that fails."""
    return gatherResults(asked, consumeErrors=True).addErrback(_the_failure)


def in_time(reply: Any) -> Any:
    """Return what was answered. Raises ``StoreUnavailable`` when the deadline had passed."""
    if reply is None:
        raise StoreUnavailable("Redis was too slow: it was not done any more")
    return reply


def nothing(_: object) -> None:
    """Answer nothing."""


def _rows_of(record: MessageRecord) -> int:
    return len(record.message.to.names) or 1


def _the_failure(failure: Failure) -> Failure:
    return failure.value.subFailure if isinstance(failure.value, FirstError) else failure
