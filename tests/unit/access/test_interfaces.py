"""What a key says about itself."""

import pytest

from reward_push.access.interfaces import Key, KeyKind, Right, StoredKey


def backend(**changes) -> Key:
    return Key("id", KeyKind.BACKEND, 0, **changes)


def test_key_may_what_it_has_the_right_to():
    key = backend(rights=frozenset({Right.READ}))
    assert [right for right in Right if key.may(right)] == [Right.READ]


def test_plugin_key_may_nothing():
    key = Key("id", KeyKind.PLUGIN, 0, streamer="s")
    assert not any(map(key.may, Right))


@pytest.mark.parametrize(
    ("namespaces", "namespace", "allowed"),
    [
        (None, "/dropcodes", True),
        (None, "/", True),
        (("/dropcodes",), "/dropcodes", True),
        (("/dropcodes",), "/donations", False),
        (("/dropcodes",), "/", False),
        ((), "/dropcodes", False),
    ],
)
def test_namespaces_a_key_admits(namespaces, namespace, allowed):
    assert backend(namespaces=namespaces).allows_namespace(namespace) is allowed


@pytest.mark.parametrize(
    ("expires_at_ms", "now_ms", "expired"),
    [(None, 10**15, False), (1000, 999, False), (1000, 1000, True), (1000, 1001, True)],
)
def test_key_is_over_from_its_end_on(expires_at_ms, now_ms, expired):
    assert backend(expires_at_ms=expires_at_ms).expired(now_ms) is expired


def test_stored_key_does_not_show_its_digest():
    assert "abcd" not in repr(StoredKey(backend(), b"abcd"))
