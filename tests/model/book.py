"""What must hold, whatever happens: the model that a history is compared with.

It knows what the backend posted and was answered, what the store said it committed, and what was written
to whom; from these it judges each write at once, and everything else whenever things have settled.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from reward_push.rewards.interfaces import DeviceReceipt, Due, Kept, Level
from reward_push.rewards.lifecycle import ENDED
from reward_push.rewards.message import Message, MessageRecord, State

from .node import Times
from .plugin import Connection, Event, Plugin

TTL_ERROR_MS = 50
"""How wrong ``ttl_ms`` may be."""

PROOF_S = 0.9
"""After this time, during which all is read and answered, a message that was read is proved to be."""

_REVOKED_AS = {State.EXPIRED: {"expired"}, State.DONE: {"taken"}}


@attrs.define(eq=False)
class Fate:
    """What is known of one message."""

    message: Message
    state: State | None = None
    """As the backend was last told; ``None``: not known to be accepted."""
    counts: tuple[int, int, int] = (0, 0, 0)
    levels: dict[tuple[str, str], Level] = attrs.Factory(dict)
    """(Key, device) → level, as last told; only devices that have a name."""
    cancelled: bool = False
    """The backend cancelled it, and was told so."""
    cancelling: bool = False
    """It tried to, whatever came of it."""
    latest_ms: int = 0
    """The latest that the wall clock showed since it was posted, before it was set the last time."""
    long_over: bool = False
    """It had ended some time before things settled."""
    over: bool = False
    """It has ended and everybody knows: it must not be written any more."""
    live_as: int | None = None
    """The how manieth it was to become live."""
    shown_as: int | None = None
    """The how manieth it was to be delivered."""

    @property
    def id(self) -> str:
        return self.message.id

    @property
    def endless(self) -> bool:
        return self.message.expires_at_ms is None

    @property
    def rooms(self) -> set[str]:
        to = self.message.to
        kind = "streamer" if to.kind == "streamers" else str(to.kind)
        return {f"{kind}:{name}" for name in to.names} or {"all"}

    @property
    def reasons(self) -> set[str]:
        """What a revoke of it may say, now that it is in its state."""
        if self.state is not State.CANCELLED:
            return _REVOKED_AS.get(self.state or State.LIVE, set())
        return {"replaced", "cancelled"} if self.cancelling else {"replaced"}

    def is_for(self, plugin: Plugin) -> bool:
        return bool(self.rooms & plugin.rooms)


class Book:
    """Notes what happens and says what of it was wrong."""

    def __init__(self, times: Times, plugins: Sequence[Plugin]) -> None:
        self.times = times
        self.plugins = plugins
        self.fates: dict[str, Fate] = {}
        self.wrong: list[str] = []
        self.starts_ms: list[int] = []
        """When nodes started, by the wall clock."""
        self.set_back = False
        """Whether the wall clock was ever set back."""
        self._count = 0
        self._devices: dict[int, tuple[str, str | None]] = {}
        self._committed: dict[tuple[str, int], Level] = {}
        self._unproven: set[tuple[str, Plugin]] = set()
        """Messages that plugins had, of which the store may never have learnt."""
        self._must_show: list[tuple[Fate, Plugin, Connection]] = []

    def set_wall_clock(self, by_ms: int) -> None:
        now_ms = self.times.now_ms()
        for fate in self.fates.values():
            fate.latest_ms = max(fate.latest_ms, now_ms)
        self.set_back = self.set_back or by_ms < 0
        self.times.offset_ms += by_ms

    def fail(self, what: str) -> None:
        """Note something that must not be."""
        self.wrong.append(f"at {self.times.now_ms()}: {what}")

    # What the store is asked and answers.

    def accepting(self, records: Sequence[MessageRecord]) -> Any:
        for record in records:
            self.fates.setdefault(record.message.id, Fate(record.message))

        def accepted(kept: list[Kept]) -> None:
            for record, each in zip(records, kept, strict=True):
                self.fates[record.message.id].message = each.record.message
                if each.record is record and record.state is State.LIVE:
                    self._lives(record.message.id)

        return accepted

    def claiming(self, *_: Any) -> Any:
        def claimed(dues: list[Due]) -> None:
            for due in dues:
                if due.record.state is State.LIVE:
                    self._lives(due.record.message.id)

        return claimed

    def opening(self, key_id: str, streamer: str, name: str | None, now_ms: int) -> Any:
        def opened(device: Any) -> None:
            self._devices[device.number] = (key_id, name)

        return opened

    def noting(self, noted: dict[str, Any]) -> Any:
        def committed(_: None) -> None:
            for message_id, receipts in noted.items():
                for receipt in receipts:
                    self._commit(message_id, receipt.device, receipt.level)

        return committed

    def taking(self, message_id: str, device: int, now_ms: int) -> Any:
        def taken(ended: Any) -> None:
            if ended is not None:
                self._commit(message_id, device, Level.ACKED)

        return taken

    def delivering(self, message: Message) -> None:
        fate = self.fates[message.id]
        fate.shown_as = self._next()
        if fate.endless:
            self._must_show += [
                (fate, plugin, plugin.connection)
                for plugin in self.plugins
                if plugin.connection is not None
                and plugin.connection.is_member
                and fate.is_for(plugin)
            ]

    def _lives(self, message_id: str) -> None:
        self.fates[message_id].live_as = self._next()

    def _commit(self, message_id: str, device: int, level: Level) -> None:
        key = message_id, device
        self._committed[key] = max(level, self._committed.get(key, level))

    def _next(self) -> int:
        self._count += 1
        return self._count

    # What is written to plugins and read by them.

    def written(self, plugin: Plugin, connection: Connection, event: Event) -> None:
        """Judge a write at its moment."""
        fate = self.fates.get(event.id)
        if fate is None:
            self.fail(f"an unknown message was written: {event}")
            return
        if event.name == "revoke":
            if connection is plugin.connection and event.id not in plugin.had:
                self.fail(f"{plugin} was told to revoke {event.id}, which it never had")
            connection.revoked.add(event.id)
            return
        self._check_times(fate, event)
        if not fate.is_for(plugin):
            self.fail(f"{event.id} was written to {plugin}, for whom it is not")
        if event.id in connection.written:
            self.fail(f"{event.id} was written twice to one connection of {plugin}")
        if event.id in connection.revoked or fate.over:
            self.fail(f"{event.id} was written to {plugin} after it was taken back")
        level = self._committed_level(plugin, fate)
        if connection is plugin.connection and level >= Level.DELIVERED:
            self.fail(f"{event.id} was written to {plugin} again, with its receipt committed")
        connection.written.add(event.id)
        if connection is plugin.connection or plugin.device is not None:
            plugin.had.add(event.id)

    def _check_times(self, fate: Fate, event: Event) -> None:
        now_ms, message = self.times.now_ms(), fate.message
        # What has become due stays due, though the clock be set back then.
        early_ms = message.deliver_at_ms - max(now_ms, fate.latest_ms)
        if early_ms > 0:
            self.fail(f"{fate.id} was written {early_ms} ms early")
        if message.expires_at_ms is None:
            if "ttl_ms" in event.argument:
                self.fail(f"{fate.id} has no end, but a ttl_ms")
        elif now_ms >= message.expires_at_ms:
            self.fail(f"{fate.id} was written {now_ms - message.expires_at_ms} ms after its end")
        elif abs(message.expires_at_ms - now_ms - event.argument["ttl_ms"]) > TTL_ERROR_MS:
            left_ms = message.expires_at_ms - now_ms
            self.fail(f"{fate.id}: ttl_ms {event.argument['ttl_ms']}, but {left_ms} ms are left")

    def heard(self, plugin: Plugin, event: Event) -> None:
        """Judge what a plugin reads."""
        fate = self.fates[event.id]
        if event.name == "revoke":
            plugin.told.setdefault(event.id, set()).add(event.argument["reason"])
            return
        assert plugin.connection is not None
        plugin.connection.read.setdefault(event.id, self.times.clock.rightNow)
        plugin.ack_ids[event.id] = event.ack_id
        if event.id not in plugin.got:
            self._check_order(plugin, fate)
            plugin.got[event.id] = len(plugin.got)
        elif fate.endless:
            self.fail(f"{event.id} has no end, and was read twice by {plugin}")

    def _check_order(self, plugin: Plugin, fate: Fate) -> None:
        if fate.endless or self.set_back or fate.live_as is None or fate.shown_as is None:
            return
        for other_id in plugin.got:
            other = self.fates[other_id]
            if (
                not other.endless
                and other.live_as is not None
                and other.shown_as is not None
                and other.live_as > fate.live_as
                and other.shown_as > fate.shown_as
            ):
                self.fail(f"{plugin} got {fate.id} after {other_id}, which is newer")

    # Restarts.

    def crashed(self) -> None:
        """What was written and not committed is unknown to the next node."""
        for plugin in self.plugins:
            for message_id in plugin.had:
                if self._committed_level(plugin, self.fates[message_id]) < Level.SENT:
                    self._unproven.add((message_id, plugin))
            plugin.acked = {
                message_id
                for message_id in plugin.acked
                if self._committed_level(plugin, self.fates[message_id]) is Level.ACKED
            }
        self._must_show.clear()

    def started(self) -> None:
        self.starts_ms.append(self.times.now_ms())

    def _committed_level(self, plugin: Plugin, fate: Fate) -> int:
        """What the store surely knows of a device's receipt."""
        device = plugin.key_id, plugin.device
        of_named = fate.levels.get((plugin.key_id, plugin.device or ""), 0)
        if plugin.device is None:
            return 0
        return max(
            [
                of_named,
                *(
                    level
                    for (message_id, number), level in self._committed.items()
                    if message_id == fate.id and self._devices.get(number) == device
                ),
            ]
        )

    # When everything has settled.

    def glance(self, fate: Fate, found: tuple[MessageRecord, Any] | None) -> None:
        """Note whether a message is over already, some time before things settle."""
        fate.long_over = found is not None and found[0].state in ENDED

    def check(
        self, fate: Fate, found: tuple[MessageRecord, list[DeviceReceipt]] | None, since_ms: int
    ) -> None:
        """Judge a message by what the store says of it; ``since_ms``: nothing has moved since then."""
        if found is None:
            if fate.state is not None:
                self.fail(f"{fate.id} was accepted, and is lost")
            return
        record, rows = found
        fate.message = record.message
        self._check_state(fate, record.state, since_ms)
        self._check_receipts(fate, record, rows)
        for plugin in self.plugins:
            if plugin.online and fate.is_for(plugin):
                self._check_plugin(fate, plugin, rows, since_ms)

    def check_endless(self) -> None:
        """What is sent only once was sent to all who were there."""
        for fate, plugin, connection in self._must_show:
            if plugin.connection is connection and plugin.online:
                if fate.id not in connection.read:
                    self.fail(f"{fate.id}, sent once, did not reach {plugin}, who was there")
        self._must_show.clear()

    def _check_state(self, fate: Fate, state: State, since_ms: int) -> None:
        message = fate.message
        before, fate.state = fate.state, state
        if before in ENDED and state is not before:
            self.fail(f"{fate.id} was {before}, and is {state} now")
        if fate.cancelled and state is not State.CANCELLED:
            self.fail(f"{fate.id} was cancelled, and is {state} now")
        now_ms = self.times.now_ms()
        if state is State.SCHEDULED and message.deliver_at_ms <= since_ms:
            self.fail(f"{fate.id} is {now_ms - message.deliver_at_ms} ms late")
        if state is State.LIVE and (message.expires_at_ms or 0) <= since_ms:
            self.fail(f"{fate.id} is over, and still live")
        if state is State.LIVE and fate.endless:
            self.fail(f"{fate.id} has no end, and is live")
        if state is State.EXPIRED and fate.endless:
            if not any(message.deliver_at_ms < at_ms for at_ms in self.starts_ms[1:]):
                self.fail(f"{fate.id} was not sent, though a node ran")
        # Without an end it is done from its claim on, a moment before it is shown.
        claimed = state is State.DONE and fate.endless and fate.shown_as is None
        fate.over = state in ENDED and not claimed

    @staticmethod
    def _may_replace(newer: Fate, older: Fate) -> bool:
        one, two = newer.message, older.message
        return (
            newer is not older
            and one.replace is not None
            and (one.replace, one.to) == (two.replace, two.to)
            and newer.state is not State.SCHEDULED
        )

    def check_slots(self) -> None:
        """Of messages that replace each other, one is live."""
        slots: dict[object, Fate] = {}
        for fate in self.fates.values():
            if fate.state is State.LIVE and fate.message.replace is not None:
                other = slots.setdefault((fate.message.replace, fate.message.to), fate)
                if other is not fate:
                    self.fail(f"{fate.id} and {other.id} are live in one place")
            if fate.state is State.CANCELLED and not fate.cancelling:
                if not any(self._may_replace(other, fate) for other in self.fates.values()):
                    self.fail(f"{fate.id} was cancelled by nobody")

    def _check_receipts(
        self, fate: Fate, record: MessageRecord, rows: Iterable[DeviceReceipt]
    ) -> None:
        receipts = record.receipts
        counts = receipts.sent, receipts.delivered, receipts.acked
        if any(now < before for now, before in zip(counts, fate.counts, strict=True)):
            self.fail(f"{fate.id}: receipts went back from {fate.counts} to {counts}")
        fate.counts = counts
        winners = [row for row in rows if row.level is Level.ACKED]
        if fate.message.once and len(winners) > 1:
            self.fail(f"{fate.id} was taken by several: {winners}")
        if fate.message.once and fate.state is State.DONE and not fate.endless and not winners:
            self.fail(f"{fate.id} was taken by nobody")
        for row in rows:
            plugins = [each for each in self.plugins if each.key_id == row.key_id]
            if row.name is not None:
                [plugin] = [each for each in plugins if each.device == row.name]
                key = row.key_id, row.name
                if row.level < fate.levels.get(key, 0):
                    self.fail(f"{fate.id}: the receipt of {plugin} went back")
                fate.levels[key] = row.level
                if row.level >= Level.DELIVERED and fate.id not in plugin.got:
                    self.fail(f"{fate.id} is {row.level!r}, but {plugin} has not read it")
                if row.level is Level.ACKED and fate.id not in plugin.ever_acked:
                    self.fail(f"{fate.id} was not acknowledged by {plugin}")

    def _check_plugin(
        self, fate: Fate, plugin: Plugin, rows: Sequence[DeviceReceipt], since_ms: int
    ) -> None:
        connection, message = plugin.connection, fate.message
        assert connection is not None
        if fate.state is State.LIVE and message.deliver_at_ms <= since_ms:
            if fate.id not in plugin.got:
                self.fail(f"{fate.id} is live, and {plugin} has not got it")
        level = next(
            (row.level for row in rows if (row.key_id, row.name) == (plugin.key_id, plugin.device)),
            0,
        )
        if plugin.device is not None:
            read_at_s = connection.read.get(fate.id, self.times.clock.rightNow)
            if self.times.clock.rightNow - read_at_s > PROOF_S and level < Level.DELIVERED:
                self.fail(f"{fate.id} was read by {plugin}, and is {level!r} only")
            if fate.id in plugin.acked and level < Level.ACKED and not message.once:
                self.fail(f"{fate.id} was acknowledged by {plugin}, and is {level!r} only")
        if message.once and fate.id in plugin.acked and fate.state is State.LIVE:
            self.fail(f"{fate.id} was acknowledged by {plugin}, and is still to be had")
        reasons = fate.reasons
        took = message.once and level == Level.ACKED and fate.id in plugin.ever_acked
        had = fate.id in plugin.had and (fate.id, plugin) not in self._unproven
        if (
            fate.long_over
            and reasons
            and had
            and not took
            and not plugin.told.get(fate.id, set()) & reasons
        ):
            if not (fate.endless and fate.state is State.DONE):
                self.fail(f"{fate.id} is {fate.state}, and {plugin} was not told")
        if plugin.told.get(fate.id, set()) - reasons:
            self.fail(f"{plugin} was told {plugin.told[fate.id]} of {fate.id}: {fate.state}")
