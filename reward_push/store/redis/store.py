"""The store that several nodes share: messages and keys in one Redis.

Each call is one script, which is one atomic step, and tells all nodes what it has done in that same step.
docs/redis.md has the keys and their lifetimes.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ...access.interfaces import IKeyStore, KeyPage, StoredKey, StoreUnavailable
from ...cluster.channels import Channels
from ...cluster.device_text import to_text
from ...cluster.history import History
from ...cluster.interfaces import INewsStore, IRedis
from ...rewards.interfaces import (
    Agenda,
    Device,
    DeviceReceipt,
    Due,
    Ended,
    IMessageStore,
    Kept,
    Latecomer,
    Missed,
    OwedRevoke,
    Page,
    Receipt,
)
from ...rewards.message import MessageRecord, State
from ..doorway import Doorway
from ..lanes import Lane
from . import device_calls, reading, records, scripts, upkeep
from .key_calls import KeyCalls
from .line import Argument, Line
from .steps import in_time, joined, noted, nothing, pieces, rows_of

MAX_WAITING_ROWS = 10_000
"""How much may wait for Redis in each lane (:class:`..lanes.Lane`), in rows; more fails at once."""

ENDINGS_A_STEP = 200
"""Messages claimed, or ended, in one step at most."""


@implementer(IMessageStore, IKeyStore, INewsStore)
class RedisStore:
    """Messages and keys in one Redis, reached through a link that others use as well.

    A Deferred fires, in the order of the calls, once its step is done, or fails with ``StoreUnavailable``. Of
    a call that Redis answers too late nothing is known: to accept messages and keys it is not done any more
    after its deadline; all else may be done twice without harm. Calls of very many rows are cut into steps:
    when one of those fails, the ones before it stay, and a receipt's or a page's answer may come later than
    those of calls that were made after it.
    """

    _log = Logger()

    def __init__(
        self,
        link: IRedis,
        prefix: str,
        now_ms: Callable[[], int],
        *,
        deadline_ms: Callable[[], int],
        retention_s: float | None = 86400.0,
        max_waiting_rows: int = MAX_WAITING_ROWS,
    ) -> None:
        """``prefix`` begins every key and channel.

        ``now_ms`` is the clock of the cluster; only retention goes by it. ``deadline_ms`` tells until when, by
        Redis' own clock, what is accepted now may still be done. ``retention_s``: how long after its end a
        message is kept; ``None``: for ever.
        """
        self._channels = Channels(prefix)
        self._line = Line(link, prefix, max_waiting_rows)
        ask = partial(device_calls.open_device, self._line)
        self._doorway = Doorway(ask, device_calls.nameless, lambda: self._line.running)
        self._keys = KeyCalls(self._line, deadline_ms)
        self._now_ms = now_ms
        self._deadline_ms = deadline_ms
        self._retention_ms = None if retention_s is None else int(retention_s * 1000)
        self._highest = 0

    # Its life.

    def start(self) -> None:
        """Take calls. The link may still be connecting."""
        self._doorway.reset()
        self._line.start()

    def stop(self) -> "Deferred[None]":
        """Take nothing more; fire when all that was taken is answered. The store may be started again."""
        return self._line.stop()

    def healthy(self) -> str | None:
        """Return why the store cannot be relied on now, or ``None``."""
        return self._line.trouble()

    def meet(self, new_epoch: str, heard: int = 0) -> "Deferred[str]":
        """Tell Redis that this node is here, with ``new_epoch`` to be used when it knows none; return its epoch.

        To be called on each new connection, before anything else. Another epoch than before says that Redis
        has lost what it knew. Either way no number that this node has seen is given away again; ``heard`` is
        the highest of the news that it has heard.
        """
        self._doorway.reset()
        highest = max(heard, self._highest, self._doorway.highest)
        return self._line.run(scripts.MEET, (new_epoch, highest), Lane.DUTIES)

    def epoch(self) -> "Deferred[str | None]":
        """Return what :meth:`meet` has; ``None``: Redis was emptied since."""
        return self._line.command(Lane.DUTIES, 1, "GET", f"{self._line.prefix}epoch")

    def maintain(self) -> "Deferred[None]":
        """Forget what ended longer than ``retention_s`` ago, and old news, in small pieces.

        To be called every few seconds, once the last call is done; several nodes may at once. Never fails.
        """
        return Deferred.fromCoroutine(self._maintain())

    # Messages.

    def accept(self, accepted: Sequence[MessageRecord]) -> "Deferred[list[Kept]]":
        """See :class:`IMessageStore`. A very large call is cut: see :class:`RedisStore`."""
        return joined([self._accept(each) for each in pieces(accepted)])

    def settle(self, message_id: str, sent: int) -> "Deferred[None]":
        """See :class:`IMessageStore`."""
        asked = self._line.run(scripts.SETTLE, (message_id, sent), Lane.RECEIPTS)
        return asked.addCallback(nothing)

    def claim(
        self, now_ms: int, until_ms: int, missed_before_ms: int, limit: int
    ) -> "Deferred[list[Due]]":
        """See :class:`IMessageStore`. It may take fewer than it could: the agenda says so."""
        args = (now_ms, until_ms, missed_before_ms, min(limit, ENDINGS_A_STEP))
        return self._line.run(scripts.CLAIM, args, Lane.DUTIES).addCallback(records.dues_of)

    def expire(self, now_ms: int, limit: int) -> "Deferred[list[Ended]]":
        """See :class:`IMessageStore`. It may end fewer than it could: the agenda says so."""
        args = (now_ms, min(limit, ENDINGS_A_STEP))
        asked = self._line.run(scripts.EXPIRE, args, Lane.DUTIES)
        return asked.addCallback(lambda replies: list(map(records.ended_of, replies)))

    def agenda(self) -> "Deferred[Agenda]":
        """See :class:`IMessageStore`."""
        asked = self._line.run(scripts.AGENDA, (), Lane.DUTIES)
        return asked.addCallback(lambda times: Agenda(*map(_int_or_none, times)))

    def cancel(
        self, message_id: str, now_ms: int
    ) -> "Deferred[tuple[MessageRecord, Ended | None] | None]":
        """See :class:`IMessageStore`."""
        asked = self._line.run(scripts.CANCEL, (message_id, now_ms), Lane.POSTS)
        return asked.addCallback(records.cancelled_of)

    def take(self, message_id: str, device: int, now_ms: int) -> "Deferred[Ended | None]":
        """See :class:`IMessageStore`."""
        asked = self._line.run(scripts.TAKE, (message_id, to_text(device), now_ms), Lane.RECEIPTS)
        return asked.addCallback(records.ended_or_none)

    def get(self, message_id: str) -> "Deferred[tuple[MessageRecord, list[DeviceReceipt]] | None]":
        """See :class:`IMessageStore`. Many receipts are read in steps: see :class:`RedisStore`."""
        return Deferred.fromCoroutine(reading.get(self._line, message_id))

    def page(
        self, state: State | None, streamer: str | None, limit: int, cursor: int | None
    ) -> "Deferred[Page]":
        """See :class:`IMessageStore`."""
        before = "+inf" if cursor is None else cursor
        args = (state or "", streamer or "", limit, before)
        return self._line.run(scripts.PAGE, args, Lane.POSTS).addCallback(records.page_of)

    # Devices.

    def note(self, receipts: Mapping[str, Sequence[Receipt]]) -> "Deferred[Sequence[Latecomer]]":
        """See :class:`IMessageStore`. Very many are cut into steps: see :class:`RedisStore`."""
        asked = [
            self._line.run(scripts.NOTE, args, Lane.RECEIPTS, weight)
            for args, weight in noted(receipts)
        ]
        return joined([each.addCallback(records.latecomers_of) for each in asked])

    def open_device(
        self, key_id: str, streamer: str, name: str | None, now_ms: int
    ) -> "Deferred[Device]":
        """See :class:`IMessageStore`. Who named none may be answered at once, before earlier calls are."""
        return self._doorway.open(key_id, streamer, name, now_ms)

    def missed(
        self,
        device: int,
        namespace: str,
        rooms: Sequence[str],
        now_ms: int,
        cursor: int | None,
        limit: int,
        since_ms: int | None = None,
    ) -> "Deferred[Missed]":
        """See :class:`IMessageStore`."""
        since = "" if since_ms is None else since_ms
        args = (to_text(device), namespace, now_ms, cursor or 0, limit, since)
        asked = self._line.run(scripts.MISSED, (*args, *dict.fromkeys(rooms)), Lane.CLIENTS)
        return asked.addCallback(records.missed_of)

    def had(self, message_id: str, devices: Collection[int]) -> "Deferred[list[int]]":
        """See :class:`IMessageStore`. Very many are asked about in steps: see :class:`RedisStore`."""
        return Deferred.fromCoroutine(device_calls.had(self._line, message_id, devices))

    def owed(self, device: int, namespace: str) -> "Deferred[list[OwedRevoke]]":
        """See :class:`IMessageStore`. Very many are read in steps: see :class:`RedisStore`."""
        return Deferred.fromCoroutine(reading.owed(self._line, device, namespace))

    def told(self, message_id: str, devices: Sequence[int]) -> "Deferred[None]":
        """See :class:`IMessageStore`."""
        args = (message_id, *map(to_text, devices))
        asked = self._line.run(scripts.TOLD, args, Lane.RECEIPTS, len(devices))
        return asked.addCallback(nothing)

    # News.

    def canary(self, node_id: str) -> "Deferred[int]":
        """Publish the number of the last news to the node's own channel; return it.

        When it is heard, everything up to it has been: a subscriber is told in order.
        """
        channel = self._channels.node(node_id)
        return self._line.run(scripts.CANARY, (channel,), Lane.DUTIES).addCallback(self._seen)

    def news_since(self, no: int, limit: int) -> "Deferred[History]":
        """Return what has happened after the news of that number, ``limit`` pieces and a few at most.

        A page ends with all that happened in one step: that shares a number.
        """
        asked = self._line.run(scripts.HISTORY, (no, limit), Lane.CLIENTS)
        return asked.addCallback(records.history_of)

    def publish(self, channel: str, text: str) -> "Deferred[None]":
        """Publish what nodes say to each other besides news."""
        asked = self._line.command(Lane.DUTIES, 1, "PUBLISH", channel, text)
        return asked.addCallback(nothing)

    # Keys.

    def add_key(self, stored: StoredKey) -> "Deferred[None]":
        """See :class:`IKeyStore`."""
        return self._keys.add_key(stored)

    def add_first_keys(self, stored: Sequence[StoredKey]) -> "Deferred[bool]":
        """Add ``stored`` unless there is any key; return whether that was done. Of several nodes one does it."""
        return self._keys.add_first_keys(stored)

    def restore_keys(
        self, stored: Sequence[StoredKey], revoked: Sequence[str]
    ) -> "Deferred[list[str]]":
        """See :meth:`.key_calls.KeyCalls.restore_keys`."""
        return self._keys.restore_keys(stored, revoked)

    def get_key(self, key_id: str) -> "Deferred[StoredKey | None]":
        """See :class:`IKeyStore`."""
        return self._keys.get_key(key_id)

    def remove_key(self, key_id: str) -> "Deferred[StoredKey | None]":
        """See :class:`IKeyStore`. All nodes are told."""
        return self._keys.remove_key(key_id)

    def page_keys(self, limit: int, cursor: str | None) -> "Deferred[KeyPage]":
        """See :class:`IKeyStore`."""
        return self._keys.page_keys(limit, cursor)

    def note_used(self, used: Mapping[str, int]) -> "Deferred[None]":
        """See :class:`IKeyStore`. Very many are cut into steps: see :class:`RedisStore`."""
        return self._keys.note_used(used)

    # How.

    def _accept(self, piece: Sequence[MessageRecord]) -> "Deferred[list[Kept]]":
        retention = "" if self._retention_ms is None else self._retention_ms
        args: list[Argument] = [self._deadline_ms(), retention]
        for record in piece:
            args += records.arguments(record)
        asked = self._line.run(scripts.ACCEPT, args, Lane.POSTS, rows_of(piece))
        return asked.addCallback(in_time).addCallback(lambda it: records.kept_of(piece, it))

    def _seen(self, no: str) -> int:
        self._highest = max(self._highest, int(no))
        return int(no)

    async def _maintain(self) -> None:
        before_ms = None if self._retention_ms is None else self._now_ms() - self._retention_ms
        try:
            await upkeep.tidy(self._line, before_ms)
        except StoreUnavailable:
            return  # healthy() says so.
        except Exception:
            self._log.failure("the store could not be maintained")


def _int_or_none(value: str | None) -> int | None:
    return None if value is None else int(value)
