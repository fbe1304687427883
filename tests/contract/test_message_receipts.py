"""What every message store promises: devices, their receipts, and the revokes they are owed."""

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import gatherResults

from reward_push.rewards.interfaces import (
    Device,
    DeviceReceipt,
    Latecomer,
    Level,
    OwedRevoke,
    Reason,
    Receipt,
)
from reward_push.rewards.message import Receipts, State

from .posted import DUE, END, device, kept, note, record, scheduled


async def receipts(store, message_id="m"):
    """Level and time of each device's receipt, in the order in which the devices came."""
    _, found = await store.get(message_id)
    return [(each.level, each.at_ms) for each in found]


# Devices


@ensureDeferred
async def test_named_device_is_the_same_again(store):
    first = await store.open_device("key-1", "s-42", "obs", 1_000)
    assert first == Device(first.number, "key-1", "s-42", "obs")
    assert await store.open_device("key-1", "s-42", "obs", 9_000_000) == first


@ensureDeferred
async def test_device_that_named_none_is_always_new(store):
    opened = await gatherResults([store.open_device("key-1", "s-42", None, n) for n in range(50)])
    opened += [await store.open_device("key-1", "s-42", None, 99) for _ in range(50)]
    assert len({each.number for each in opened}) == 100
    assert {(each.key_id, each.streamer, each.name) for each in opened} == {("key-1", "s-42", None)}


@ensureDeferred
async def test_devices_differ_by_key_streamer_and_name(store):
    whose = [
        (key, streamer, name) for key in "kl" for streamer in "st" for name in ("a", "b", None)
    ]
    opened = await gatherResults([store.open_device(*each, 1_000) for each in whose])
    assert len({each.number for each in opened}) == len(whose)
    assert [(each.key_id, each.streamer, each.name) for each in opened] == whose


@ensureDeferred
async def test_two_that_come_at_once_under_a_new_name_are_one_device(store):
    one, two = await gatherResults([store.open_device("k", "s", "obs", n) for n in (1, 2)])
    assert one == two


@ensureDeferred
async def test_only_the_last_20_used_devices_of_a_key_and_streamer_are_remembered(store):
    first = [await device(store, f"d{n}") for n in range(20)]
    other = await device(store, "d0", key_id="key-2")
    assert await device(store, "d0") == first[0]
    twenty_first = await device(store, "d20")
    # d1 was not used for longest: it is new, and so d2 is forgotten.
    again = await device(store, "d1")
    assert again not in first
    assert [await device(store, name) for name in ("d0", "d20")] == [first[0], twenty_first]
    assert await device(store, "d2") not in first
    assert await device(store, "d0", key_id="key-2") == other


@ensureDeferred
async def test_order_of_use_holds_when_the_clock_goes_back(store):
    numbers = [
        (await store.open_device("k", "s", f"d{n}", 9_000_000 - n)).number for n in range(21)
    ]
    assert (await store.open_device("k", "s", "d1", 0)).number == numbers[1]
    assert (await store.open_device("k", "s", "d0", 0)).number not in numbers


@ensureDeferred
async def test_30_names_at_once_leave_the_last_20(store):
    opened = await gatherResults([store.open_device("k", "s", f"d{n}", n) for n in range(30)])
    numbers = [each.number for each in opened]
    assert len(set(numbers)) == 30
    again = [(await store.open_device("k", "s", f"d{n}", 100)).number for n in range(10, 30)]
    assert again == numbers[10:]


@ensureDeferred
async def test_receipts_of_a_forgotten_device_can_still_be_asked_for(store):
    await store.accept([record("m")])
    number = await device(store, "old")
    await note(store, "m", Level.SENT, number)
    await store.cancel("m", 1_600)
    for n in range(20):
        await device(store, f"d{n}")
    _, [receipt] = await store.get("m")
    assert (receipt.key_id, receipt.streamer, receipt.level) == ("key-1", "s-42", Level.SENT)
    assert await store.owed(number, "/dropcodes") == []


# Receipts


@ensureDeferred
async def test_receipts_are_one_a_device_with_its_highest_level(store):
    await store.accept([record("m")])
    named, nameless = await device(store, "obs"), await device(store, streamer="s-43")
    await note(store, "m", Level.SENT, named, nameless, at_ms=1_500)
    await note(store, "m", Level.DELIVERED, named, at_ms=1_600)
    record_now, found = await store.get("m")
    assert sorted(found) == [
        DeviceReceipt("key-1", "s-42", "obs", Level.DELIVERED, 1_600),
        DeviceReceipt("key-1", "s-43", None, Level.SENT, 1_500),
    ]
    assert record_now.receipts == Receipts(sent=2, delivered=1)


@pytest.mark.parametrize("first", list(Level))
@pytest.mark.parametrize("second", list(Level))
@pytest.mark.parametrize("together", [True, False])
@ensureDeferred
async def test_level_never_goes_back(store, first, second, together):
    await store.accept([record("m")])
    number = await device(store)
    steps = [Receipt(number, first, 1_500), Receipt(number, second, 1_600)]
    if together:
        await store.note({"m": steps})
    else:
        await gatherResults([store.note({"m": [step]}) for step in steps])
    expected = (second, 1_600) if second > first else (first, 1_500)
    assert await receipts(store) == [expected]
    highest = max(first, second)
    counts = Receipts(*(int(highest >= level) for level in Level))
    assert (await kept(store, "m"))[0].receipts == counts


@ensureDeferred
async def test_receipts_of_many_messages_and_devices_at_once(store):
    await store.accept([record(f"m{n}") for n in range(30)])
    numbers = [await device(store) for _ in range(40)]
    levels = {
        f"m{m}": [Level(1 + (m + d) % 3) for d in range(40) if (m * d) % 7] for m in range(30)
    }
    await gatherResults(
        [
            store.note(
                {
                    f"m{m}": [
                        Receipt(numbers[d], Level(1 + (m + d) % 3), m * 100 + d)
                        for d in range(40)
                        if (m * d) % 7
                    ]
                    for m in range(part, 30, 3)
                }
            )
            for part in range(3)
        ]
    )
    for name, expected in levels.items():
        record_now, found = await store.get(name)
        assert [each.level for each in found] == expected
        counts = [sum(level >= least for level in expected) for least in Level]
        assert record_now.receipts == Receipts(*counts)


@ensureDeferred
async def test_receipts_of_unknown_messages_are_ignored(store):
    await store.accept([record("m")])
    number = await device(store)
    await store.note(
        {"ghost": [Receipt(number, Level.SENT, 1)], "m": [Receipt(number, Level.SENT, 2)]}
    )
    assert await receipts(store) == [(Level.SENT, 2)]
    assert await store.get("ghost") is None


@ensureDeferred
async def test_receipts_follow_the_end_of_a_message(store):
    await store.accept([record("m")])
    number = await device(store)
    await note(store, "m", Level.SENT, number)
    await store.expire(END, 10)
    await note(store, "m", Level.DELIVERED, number, at_ms=5_001)
    assert await receipts(store) == [(Level.DELIVERED, 5_001)]


# Who is told that a message was taken back


async def _expired(store):
    [ended] = await store.expire(END, 10)
    return ended


async def _cancelled(store):
    return (await store.cancel("m", 1_600))[1]


async def _replaced(store):
    [kept_now] = await store.accept([record("new", replace="code")])
    return kept_now.superseded[0]


async def _replaced_when_due(store):
    await store.accept([scheduled("new", replace="code")])
    [due] = await store.claim(DUE, DUE, 0, 10)
    return due.superseded[0]


WAYS = {
    Reason.EXPIRED: _expired,
    Reason.CANCELLED: _cancelled,
    Reason.REPLACED: _replaced,
    "replaced when due": _replaced_when_due,
}


@pytest.mark.parametrize("way", WAYS)
@ensureDeferred
async def test_devices_that_had_it_are_told_and_the_named_ones_owed(store, way):
    await store.accept([record("m", replace="code")])
    named, nameless, acked = await device(store, "a"), await device(store), await device(store, "b")
    untouched = await device(store, "c")
    assert list(await note(store, "m", Level.SENT, named, nameless)) == []
    assert list(await note(store, "m", Level.ACKED, acked)) == []
    ended = await WAYS[way](store)
    reason = Reason.REPLACED if way == "replaced when due" else way
    assert ended.reason is reason
    assert sorted(ended.devices) == sorted([named, nameless, acked])
    for number in (named, acked):
        assert await store.owed(number, "/dropcodes") == [OwedRevoke("m", reason)]
        assert await store.owed(number, "/") == []
    for number in (nameless, untouched):
        assert await store.owed(number, "/dropcodes") == []


@ensureDeferred
async def test_who_took_it_is_owed_nothing(store):
    await store.accept([record("m", once=True)])
    winner, other, late = [await device(store, name) for name in "abc"]
    await note(store, "m", Level.DELIVERED, winner, other)
    ended = await store.take("m", winner, 1_600)
    assert ended.devices == (other,)
    assert list(await note(store, "m", Level.DELIVERED, winner, late)) == [
        Latecomer("m", "/dropcodes", late, Reason.TAKEN)
    ]
    assert await store.owed(winner, "/dropcodes") == []
    assert await store.owed(other, "/dropcodes") == [OwedRevoke("m", Reason.TAKEN)]
    assert await store.owed(late, "/dropcodes") == [OwedRevoke("m", Reason.TAKEN)]


@ensureDeferred
async def test_message_without_an_end_is_owed_to_nobody_unless_it_is_taken(store):
    await store.accept([record("m", State.DONE), record("n", State.DONE, once=True)])
    one, two = [await device(store, name) for name in "ab"]
    for name in "mn":
        await note(store, name, Level.SENT, one, two)
    assert await store.owed(one, "/dropcodes") == []
    await store.take("n", two, 1_600)
    assert await store.owed(one, "/dropcodes") == [OwedRevoke("n", Reason.TAKEN)]


@ensureDeferred
async def test_receipt_that_is_noted_after_the_end_is_owed_the_revoke(store):
    """It was sent before, but the receipt came to the store too late for the device to be told."""
    await store.accept([record("m")])
    named, nameless = await device(store, "a"), await device(store)
    _, ended = await store.cancel("m", 1_600)
    assert ended.devices == ()
    late = await note(store, "m", Level.SENT, named, nameless)
    assert sorted(late) == sorted(
        Latecomer("m", "/dropcodes", each, Reason.CANCELLED) for each in (named, nameless)
    )
    assert await store.owed(named, "/dropcodes") == [OwedRevoke("m", Reason.CANCELLED)]
    await store.told("m", [named])
    assert list(await note(store, "m", Level.DELIVERED, named, nameless)) == []
    assert await store.owed(named, "/dropcodes") == []
    assert await store.owed(nameless, "/dropcodes") == []


@ensureDeferred
async def test_what_was_told_is_owed_no_more(store):
    names = [f"m{n}" for n in range(5)]
    await store.accept([record(name) for name in names])
    one, two = [await device(store, name) for name in "ab"]
    for name in names:
        await note(store, name, Level.SENT, one, two)
        await store.cancel(name, 1_600)
    await gatherResults(
        [
            *(store.told("m1", [one]), store.told("ghost", [one]), store.told("m3", [one, two])),
            *(store.told("m1", [one]), store.told("m4", [])),
        ]
    )
    assert [each.message_id for each in await store.owed(one, "/dropcodes")] == ["m0", "m2", "m4"]
    owed = await store.owed(two, "/dropcodes")
    assert [each.message_id for each in owed] == ["m0", "m1", "m2", "m4"]


@ensureDeferred
async def test_what_is_told_before_it_is_taken_back_is_owed_then(store):
    await store.accept([record("m")])
    number = await device(store, "a")
    await note(store, "m", Level.DELIVERED, number)
    await store.told("m", [number])
    await store.cancel("m", 1_600)
    assert await store.owed(number, "/dropcodes") == [OwedRevoke("m", Reason.CANCELLED)]


@ensureDeferred
async def test_acknowledging_a_message_for_one_is_no_more_than_its_delivery(store):
    await store.accept([record("m", once=True)])
    await note(store, "m", Level.ACKED, await device(store))
    assert await receipts(store) == [(Level.DELIVERED, 1_500)]
