"""What every key store promises."""

import pytest
from pytest_twisted import ensureDeferred
from zope.interface.verify import verifyObject

from reward_push.access.interfaces import (
    IKeyStore,
    Key,
    KeyExists,
    KeyKind,
    Right,
    StoredKey,
)

KEYS = [
    Key("aaaaaaaaaaaa", KeyKind.PLUGIN, 1_000, streamer="s-42"),
    Key(
        "bbbbbbbbbbbb",
        KeyKind.PLUGIN,
        1_000,
        name="OBS, living room ™",
        streamer="*",
        groups=("eu", "beta"),
        namespaces=("/dropcodes", "/"),
        expires_at_ms=1_800_000_000_000,
        max_connections=3,
    ),
    Key("cccccccccccc", KeyKind.BACKEND, 0, rights=frozenset(Right), namespaces=()),
    Key("dddddddddddd", KeyKind.BACKEND, 0, rights=frozenset({Right.READ})),
]


@ensureDeferred
async def test_provides_the_interface(store):
    assert verifyObject(IKeyStore, store)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.key_id)
@ensureDeferred
async def test_key_comes_back_as_it_was(store, key):
    stored = StoredKey(key, bytes(range(32)))
    assert await store.add_key(stored) is None
    assert await store.get_key(key.key_id) == stored


@ensureDeferred
async def test_each_id_has_its_own_key(store):
    for number, key in enumerate(KEYS):
        await store.add_key(StoredKey(key, bytes([number]) * 32))
    for number, key in enumerate(KEYS):
        assert await store.get_key(key.key_id) == StoredKey(key, bytes([number]) * 32)


@pytest.mark.parametrize("key_id", ["aaaaaaaaaaab", "", "AAAAAAAAAAAA", "' OR 1 --", "%", "\x00"])
@ensureDeferred
async def test_unknown_id_has_no_key(store, key_id):
    await store.add_key(StoredKey(KEYS[0], bytes(32)))
    assert await store.get_key(key_id) is None


@ensureDeferred
async def test_second_key_of_an_id_is_refused_and_the_first_stays(store):
    first = StoredKey(KEYS[0], b"\x01" * 32)
    await store.add_key(first)
    with pytest.raises(KeyExists):
        await store.add_key(StoredKey(KEYS[0], b"\x02" * 32))
    assert await store.get_key(KEYS[0].key_id) == first


@ensureDeferred
async def test_refused_key_takes_no_other_call_along(store):
    """All four are made at once, so that a store may do them together."""
    first = StoredKey(KEYS[0], b"\x01" * 32)
    await store.add_key(first)
    calls = [
        store.add_key(StoredKey(KEYS[1], bytes(32))),
        store.add_key(StoredKey(KEYS[0], b"\x02" * 32)),
        store.add_key(StoredKey(KEYS[2], bytes(32))),
        store.get_key(KEYS[1].key_id),
    ]
    await calls[0]
    with pytest.raises(KeyExists):
        await calls[1]
    await calls[2]
    assert await calls[3] == StoredKey(KEYS[1], bytes(32))
    assert await store.get_key(KEYS[0].key_id) == first
    assert await store.get_key(KEYS[2].key_id) == StoredKey(KEYS[2], bytes(32))


# Removing


@ensureDeferred
async def test_removed_key_comes_back_once_and_is_gone(store):
    stored, other = StoredKey(KEYS[1], b"\x01" * 32), StoredKey(KEYS[2], b"\x02" * 32)
    await store.add_key(stored)
    await store.add_key(other)
    assert await store.remove_key(stored.key.key_id) == stored
    assert await store.get_key(stored.key.key_id) is None
    assert await store.remove_key(stored.key.key_id) is None
    assert await store.get_key(other.key.key_id) == other
    assert ids_of(await store.page_keys(10, None)) == [other.key.key_id]


@ensureDeferred
async def test_of_several_who_remove_a_key_one_gets_it(store):
    stored = StoredKey(KEYS[0], bytes(32))
    await store.add_key(stored)
    calls = [store.remove_key(stored.key.key_id) for _ in range(3)]
    assert [await call for call in calls] == [stored, None, None]


@pytest.mark.parametrize("key_id", ["aaaaaaaaaaab", "", "' OR 1 --", "%", "*", "\x00"])
@ensureDeferred
async def test_removing_an_unknown_id_removes_nothing(store, key_id):
    await store.add_key(StoredKey(KEYS[0], bytes(32)))
    assert await store.remove_key(key_id) is None
    assert await store.get_key(KEYS[0].key_id) is not None


@ensureDeferred
async def test_calls_about_one_key_take_effect_in_their_order(store):
    stored = StoredKey(KEYS[0], bytes(32))
    calls = [
        store.add_key(stored),
        store.get_key(stored.key.key_id),
        store.remove_key(stored.key.key_id),
        store.get_key(stored.key.key_id),
        store.add_key(stored),
        store.get_key(stored.key.key_id),
    ]
    assert [await call for call in calls] == [None, stored, stored, None, None, stored]


# Listing


def made(number: int, at_ms: int) -> StoredKey:
    """A key whose id sorts by ``number``."""
    key_id = "abcdefghij"[number // 10] * 6 + "abcdefghij"[number % 10] * 6
    return StoredKey(Key(key_id, KeyKind.PLUGIN, at_ms, streamer=f"s-{number}"), bytes(32))


def ids_of(page) -> list[str]:
    return [each.key.key_id for each in page.keys]


async def all_pages(store, limit: int) -> list[list[str]]:
    """Every page's ids, from the first to the last."""
    pages, cursor = [], None
    while True:
        page = await store.page_keys(limit, cursor)
        pages.append(ids_of(page))
        cursor = page.cursor
        if cursor is None:
            return pages
        assert len(pages) < 100, "the list has no end"


@ensureDeferred
async def test_empty_list_is_one_page(store):
    page = await store.page_keys(10, None)
    assert (page.keys, page.cursor) == ((), None)


@ensureDeferred
async def test_listed_key_is_whole(store):
    """Of kinds that differ in every field."""
    for key in KEYS:
        await store.add_key(StoredKey(key, bytes(32)))
    listed = {each.key.key_id: each for each in (await store.page_keys(10, None)).keys}
    assert {key_id: each.key for key_id, each in listed.items()} == {
        key.key_id: key for key in KEYS
    }
    assert {each.last_used_at_ms for each in listed.values()} == {None}


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 25, 26, 200])
@ensureDeferred
async def test_newest_first_then_the_greatest_id_whatever_the_pages(store, limit):
    """Ten of the keys are made in the same millisecond."""
    keys = [made(number, 1_000 if 5 <= number < 15 else 900 + number) for number in range(25)]
    for stored in sorted(keys, key=lambda each: each.key.key_id[::-1]):
        await store.add_key(stored)
    order = sorted(keys, key=lambda each: (each.key.created_at_ms, each.key.key_id), reverse=True)
    pages = await all_pages(store, limit)
    assert [key_id for page in pages for key_id in page] == [each.key.key_id for each in order]
    assert all(len(page) == limit for page in pages[:-1])
    assert len(pages[-1]) <= limit


@ensureDeferred
async def test_list_is_not_shifted_by_what_is_made_or_removed_meanwhile(store):
    """Not even when the key that the cursor stands at is removed."""
    for number in range(6):
        await store.add_key(made(number, 1_000 + number))
    first = await store.page_keys(2, None)
    assert ids_of(first) == [made(number, 0).key.key_id for number in (5, 4)]
    await store.remove_key(made(4, 0).key.key_id)
    await store.remove_key(made(3, 0).key.key_id)
    await store.add_key(made(9, 2_000))
    second = await store.page_keys(2, first.cursor)
    assert ids_of(second) == [made(number, 0).key.key_id for number in (2, 1)]
    third = await store.page_keys(2, second.cursor)
    assert (ids_of(third), third.cursor) == ([made(0, 0).key.key_id], None)


@ensureDeferred
async def test_cursor_of_a_list_that_has_lost_its_rest_leads_to_an_empty_page(store):
    for number in range(3):
        await store.add_key(made(number, 1_000))
    first = await store.page_keys(2, None)
    await store.remove_key(made(0, 0).key.key_id)
    last = await store.page_keys(2, first.cursor)
    assert (last.keys, last.cursor) == ((), None)


# Last used


async def last_used(store) -> dict[str, int | None]:
    page = await store.page_keys(100, None)
    return {each.key.key_id: each.last_used_at_ms for each in page.keys}


@ensureDeferred
async def test_use_is_noted_for_each_key(store):
    for number in range(3):
        await store.add_key(made(number, 1_000))
    [first, second, third] = [made(number, 0).key.key_id for number in range(3)]
    assert await store.note_used({first: 5_000, second: 6_000}) is None
    assert await last_used(store) == {first: 5_000, second: 6_000, third: None}
    assert await store.get_key(first) == made(0, 1_000)


@ensureDeferred
async def test_use_never_goes_back(store):
    await store.add_key(made(0, 1_000))
    key_id = made(0, 0).key.key_id
    calls = [store.note_used({key_id: at_ms}) for at_ms in (7_000, 5_000, 6_000)]
    for call in calls:
        await call
    assert await last_used(store) == {key_id: 7_000}
    await store.note_used({key_id: 6_999})
    await store.note_used({key_id: 1_800_000_000_000})
    await store.note_used({key_id: 0})
    assert await last_used(store) == {key_id: 1_800_000_000_000}


@ensureDeferred
async def test_first_use_at_the_epoch_counts(store):
    await store.add_key(made(0, 0))
    await store.note_used({made(0, 0).key.key_id: 0})
    assert await last_used(store) == {made(0, 0).key.key_id: 0}


@ensureDeferred
async def test_use_of_unknown_and_removed_keys_is_ignored(store):
    await store.add_key(made(0, 1_000))
    key_id = made(0, 0).key.key_id
    await store.note_used({"zzzzzzzzzzzz": 5_000, "": 5_000, key_id: 5_000})
    assert await last_used(store) == {key_id: 5_000}
    await store.remove_key(key_id)
    await store.note_used({key_id: 6_000})
    assert await last_used(store) == {}
    await store.add_key(made(0, 1_000))
    assert await last_used(store) == {key_id: None}


@ensureDeferred
async def test_nothing_and_very_much_can_be_noted(store):
    await store.note_used({})
    await store.add_key(made(0, 1_000))
    many = {f"unknown{number}": 1 for number in range(2_000)}
    await store.note_used({**many, made(0, 0).key.key_id: 9_000})
    assert await last_used(store) == {made(0, 0).key.key_id: 9_000}
