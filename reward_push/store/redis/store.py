"""The store that several nodes share: messages and keys in one Redis.

Each call is one script, which is one atomic step, and tells all nodes what it has done in that same step.
docs/redis.md has the keys and their lifetimes.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ...access.interfaces import IKeyStore, KeyExists, StoredKey, StoreUnavailable
from ...cluster.channels import Channels
from ...cluster.device_text import from_text, to_text
from ...cluster.history import History
from ...cluster.interfaces import INewsStore, IRedis, Script
from ...rewards.interfaces import (
    Agenda,
    Device,
    DeviceReceipt,
    Due,
    Ended,
    IMessageStore,
    Kept,
    Missed,
    OwedRevoke,
    Page,
    Receipt,
)
from ...rewards.message import MessageRecord, State
from ..lanes import Lane
from . import keys, records, scripts
from .doorway import Doorway
from .line import Argument, Line
from .steps import all_of, joined, noted, pieces, rows_of

MAX_WAITING_ROWS = 10_000
"""How much may wait for Redis in each lane (:class:`..lanes.Lane`), in rows; more fails at once."""

ENDINGS_A_STEP = 200
"""Messages claimed, or ended, in one step at most."""
OWED_A_STEP = 500
DEVICES_A_STEP = 1_000
PRUNED_A_STEP = 200
TRIMMED_A_STEP = 1_000

NEWS_KEPT_MS = 3_600_000
NEWS_KEPT = 100_000
"""How long news can be healed from, and how many at most."""


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
        self._prefix = prefix
        self._channels = Channels(prefix)
        self._line = Line(link, f"{prefix}probe", max_waiting_rows)
        self._doorway = Doorway(self._line, prefix)
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

    def meet(self, new_epoch: str) -> "Deferred[str]":
        """Tell Redis that this node is here, with ``new_epoch`` to be used when it knows none; return its epoch.

        To be called on each new connection, before anything else. Another epoch than before says that Redis
        has lost what it knew. Either way no number that this node has seen is given away again.
        """
        self._doorway.reset()
        highest = max(self._highest, self._doorway.highest)
        return self._run(scripts.MEET, (new_epoch, highest), Lane.DUTIES)

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
        return self._run(scripts.SETTLE, (message_id, sent), Lane.RECEIPTS).addCallback(_nothing)

    def claim(
        self, now_ms: int, until_ms: int, missed_before_ms: int, limit: int
    ) -> "Deferred[list[Due]]":
        """See :class:`IMessageStore`. It may take fewer than it could: the agenda says so."""
        args = (now_ms, until_ms, missed_before_ms, min(limit, ENDINGS_A_STEP))
        return self._run(scripts.CLAIM, args, Lane.DUTIES).addCallback(records.dues_of)

    def expire(self, now_ms: int, limit: int) -> "Deferred[list[Ended]]":
        """See :class:`IMessageStore`. It may end fewer than it could: the agenda says so."""
        args = (now_ms, min(limit, ENDINGS_A_STEP))
        asked = self._run(scripts.EXPIRE, args, Lane.DUTIES)
        return asked.addCallback(lambda replies: list(map(records.ended_of, replies)))

    def agenda(self) -> "Deferred[Agenda]":
        """See :class:`IMessageStore`."""
        asked = self._run(scripts.AGENDA, (), Lane.DUTIES)
        return asked.addCallback(lambda times: Agenda(*map(_int_or_none, times)))

    def cancel(
        self, message_id: str, now_ms: int
    ) -> "Deferred[tuple[MessageRecord, Ended | None] | None]":
        """See :class:`IMessageStore`."""
        asked = self._run(scripts.CANCEL, (message_id, now_ms), Lane.POSTS)
        return asked.addCallback(records.cancelled_of)

    def take(self, message_id: str, device: int, now_ms: int) -> "Deferred[Ended | None]":
        """See :class:`IMessageStore`."""
        asked = self._run(scripts.TAKE, (message_id, to_text(device), now_ms), Lane.RECEIPTS)
        return asked.addCallback(records.ended_or_none)

    def get(self, message_id: str) -> "Deferred[tuple[MessageRecord, list[DeviceReceipt]] | None]":
        """See :class:`IMessageStore`. Many receipts are read in steps: see :class:`RedisStore`."""
        return Deferred.fromCoroutine(self._get(message_id))

    def page(
        self, state: State | None, streamer: str | None, limit: int, cursor: int | None
    ) -> "Deferred[Page]":
        """See :class:`IMessageStore`."""
        before = "+inf" if cursor is None else cursor
        args = (state or "", streamer or "", limit, before)
        return self._run(scripts.PAGE, args, Lane.POSTS).addCallback(records.page_of)

    # Devices.

    def note(self, receipts: Mapping[str, Sequence[Receipt]]) -> "Deferred[None]":
        """See :class:`IMessageStore`. Very many are cut into steps: see :class:`RedisStore`."""
        asked = [
            self._run(scripts.NOTE, args, Lane.RECEIPTS, weight) for args, weight in noted(receipts)
        ]
        return all_of(asked).addCallback(_nothing)

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
        """See :class:`IMessageStore`. A page may be short, even empty, though its cursor says more follows."""
        since = "" if since_ms is None else since_ms
        args = (to_text(device), namespace, now_ms, cursor or 0, limit, since)
        asked = self._run(scripts.MISSED, (*args, *dict.fromkeys(rooms)), Lane.CLIENTS)
        return asked.addCallback(records.missed_of)

    def had(self, message_id: str, devices: Collection[int]) -> "Deferred[list[int]]":
        """See :class:`IMessageStore`."""
        key = f"{self._prefix}r:{message_id}"
        texts = iter(list(map(to_text, devices)))
        asked = []
        while some := list(islice(texts, DEVICES_A_STEP)):
            piece = self._line.command(Lane.CLIENTS, len(some), "HMGET", key, *some)
            asked.append(piece.addCallback(_present, some))
        return joined(asked)

    def owed(self, device: int, namespace: str) -> "Deferred[list[OwedRevoke]]":
        """See :class:`IMessageStore`. Very many are read in steps: see :class:`RedisStore`."""
        return Deferred.fromCoroutine(self._owed(device, namespace))

    def told(self, device: int, message_ids: Sequence[str]) -> "Deferred[None]":
        """See :class:`IMessageStore`."""
        args = (to_text(device), *message_ids)
        asked = self._run(scripts.TOLD, args, Lane.RECEIPTS, len(message_ids))
        return asked.addCallback(_nothing)

    # News.

    def canary(self, node_id: str) -> "Deferred[int]":
        """Publish the number of the last news to the node's own channel; return it.

        When it is heard, everything up to it has been: a subscriber is told in order.
        """
        channel = self._channels.node(node_id)
        return self._run(scripts.CANARY, (channel,), Lane.DUTIES).addCallback(self._seen)

    def news_since(self, no: int, limit: int) -> "Deferred[History]":
        """Return what has happened after the news of that number, ``limit`` pieces and a few at most.

        A page ends with all that happened in one step: that shares a number.
        """
        asked = self._run(scripts.HISTORY, (no, limit), Lane.CLIENTS)
        return asked.addCallback(records.history_of)

    def publish(self, channel: str, text: str) -> "Deferred[None]":
        """Publish what nodes say to each other besides news."""
        asked = self._line.command(Lane.DUTIES, 1, "PUBLISH", channel, text)
        return asked.addCallback(_nothing)

    # Keys.

    def add_key(self, stored: StoredKey) -> "Deferred[None]":
        """See :class:`IKeyStore`."""
        asked = self._add_keys([stored], alone=False)
        return asked.addCallback(_unless_there, stored.key.key_id)

    def add_first_keys(self, stored: Sequence[StoredKey]) -> "Deferred[bool]":
        """Add ``stored`` unless there is any key; return whether that was done. Of several nodes one does it."""
        return self._add_keys(stored, alone=True).addCallback(bool)

    def get_key(self, key_id: str) -> "Deferred[StoredKey | None]":
        """See :class:`IKeyStore`."""
        asked = self._line.command(Lane.CLIENTS, 1, "GET", f"{self._prefix}k:{key_id}")
        return asked.addCallback(keys.from_text_or_none, key_id)

    # How.

    def _run(
        self,
        script: Script,
        args: Sequence[Argument],
        lane: Lane,
        weight: int = 1,
    ) -> "Deferred[Any]":
        return self._line.run(script, (self._prefix, *args), lane, weight)

    def _accept(self, piece: Sequence[MessageRecord]) -> "Deferred[list[Kept]]":
        retention = "" if self._retention_ms is None else self._retention_ms
        args: list[Argument] = [self._deadline_ms(), retention]
        for record in piece:
            args += records.arguments(record)
        asked = self._run(scripts.ACCEPT, args, Lane.POSTS, rows_of(piece))
        return asked.addCallback(_in_time).addCallback(lambda it: records.kept_of(piece, it))

    def _add_keys(self, stored: Sequence[StoredKey], *, alone: bool) -> "Deferred[int]":
        args: list[Argument] = [self._deadline_ms(), int(alone)]
        for each in stored:
            args += [each.key.key_id, each.key.created_at_ms, keys.to_text(each)]
        asked = self._run(scripts.ADD_KEYS, args, Lane.POSTS, len(stored))
        return asked.addCallback(_in_time)

    def _seen(self, no: str) -> int:
        self._highest = max(self._highest, int(no))
        return int(no)

    async def _get(self, message_id: str) -> tuple[MessageRecord, list[DeviceReceipt]] | None:
        reply = await self._run(scripts.GET, (message_id,), Lane.POSTS)
        if reply is None:
            return None
        row, receipts = reply
        if receipts is not None:
            found = records.receipts_of(receipts)
        else:
            found, cursor = {}, "0"
            while True:
                args = (message_id, cursor)
                cursor, some = await self._run(scripts.RECEIPTS, args, Lane.POSTS)
                found.update(records.receipts_of(some))
                if cursor == "0":
                    break
        return records.record_of(row), [found[number] for number in sorted(found)]

    async def _owed(self, device: int, namespace: str) -> list[OwedRevoke]:
        owed: list[OwedRevoke] = []
        after: str | None = "0"
        while after is not None:
            args = (to_text(device), namespace, after, OWED_A_STEP)
            reply = await self._run(scripts.OWED, args, Lane.CLIENTS)
            after, some = records.owed_of(reply)
            owed += some
        return owed

    async def _maintain(self) -> None:
        try:
            self._line.probe()
            news = (NEWS_KEPT_MS, NEWS_KEPT, TRIMMED_A_STEP)
            while await self._run(scripts.TRIM, news, Lane.DUTIES):
                pass
            if self._retention_ms is not None:
                ended = (self._now_ms() - self._retention_ms, PRUNED_A_STEP)
                while await self._run(scripts.PRUNE, ended, Lane.DUTIES):
                    pass
        except StoreUnavailable:
            return  # healthy() says so.
        except Exception:
            self._log.failure("the store could not be maintained")


def _in_time(reply: Any) -> Any:
    if reply is None:
        raise StoreUnavailable("Redis was too slow: it was not done any more")
    return reply


def _unless_there(added: int, key_id: str) -> None:
    if not added:
        raise KeyExists(key_id)


def _int_or_none(value: str | None) -> int | None:
    return None if value is None else int(value)


def _nothing(_: object) -> None:
    return None


def _present(values: Sequence[str | None], devices: Sequence[str]) -> list[int]:
    return [
        from_text(device)
        for device, value in zip(devices, values, strict=True)
        if value is not None
    ]
