"""Messages to keep, and how they come to each state."""

import attrs

from reward_push.rewards.interfaces import Level, Receipt
from reward_push.rewards.message import Audience, AudienceKind, Message, MessageRecord, State
from reward_push.rewards.rooms import EVERYBODY, streamer_room

DUE, END = 2_000, 5_000
"""When samples that were scheduled are due, and when they are over."""

ROOMS = (streamer_room("s-42"), EVERYBODY)
"""Where a device of the samples' streamer is."""


def record(
    message_id: str, state: State = State.LIVE, digest: bytes = b"\x01" * 32, **changes
) -> MessageRecord:
    """A message to one streamer, accepted at 1,000 ms. Live ones end at ``END``."""
    message = Message(
        id=message_id,
        namespace="/dropcodes",
        event="dropcode",
        to=Audience(AudienceKind.STREAMER, ("s-42",)),
        data={"code": "K7Q-PLX"},
        created_at_ms=1_000,
        deliver_at_ms=1_000,
        expires_at_ms=END if state is State.LIVE else None,
    )
    ended_at_ms = 1_000 if state is State.DONE else None
    return MessageRecord(attrs.evolve(message, **changes), digest, state, ended_at_ms=ended_at_ms)


def scheduled(message_id: str, **changes) -> MessageRecord:
    """A message that is due at ``DUE`` and ends at ``END``, unless said otherwise."""
    times = {"deliver_at_ms": DUE, "expires_at_ms": END}
    return record(message_id, State.SCHEDULED, **{**times, **changes})


async def kept(store, *ids: str) -> list[MessageRecord]:
    """What the store has under ``ids``, which it must know."""
    found = [await store.get(each) for each in ids]
    assert None not in found
    return [each for each, _ in found]


async def device(store, name=None, key_id="key-1", streamer="s-42") -> int:
    """The number of a device that connects."""
    return (await store.open_device(key_id, streamer, name, 1_000)).number


async def note(store, message_id: str, level: Level, *devices: int, at_ms: int = 1_500):
    """Commit one receipt for each of ``devices``; return who came too late."""
    return await store.note({message_id: [Receipt(each, level, at_ms) for each in devices]})


async def missed(store, number: int, now_ms: int = 1_500, **changes) -> list[str]:
    """The ids of one page of a replay."""
    return [each.id for each in (await page_of(store, number, now_ms, **changes)).messages]


async def page_of(
    store,
    number,
    now_ms=1_500,
    *,
    namespace="/dropcodes",
    rooms=ROOMS,
    cursor=None,
    limit=100,
    since_ms=None,
):
    """One page of a replay."""
    return await store.missed(number, namespace, rooms, now_ms, cursor, limit, since_ms)
