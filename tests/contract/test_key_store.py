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
