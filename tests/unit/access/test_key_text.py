"""Making, reading and comparing keys."""

import hashlib

import pytest

from reward_push.access.interfaces import Key, KeyKind, Right, StoredKey
from reward_push.access.key_text import digest, new_key, parse, proves, without_secrets


def test_new_plugin_key_has_what_was_asked_for():
    stored, _ = new_key(
        KeyKind.PLUGIN,
        1_000,
        name="OBS",
        streamer="s-42",
        groups=["eu"],
        namespaces=["/dropcodes"],
        expires_at_ms=2_000,
    )
    assert stored.key == Key(
        stored.key.key_id,
        KeyKind.PLUGIN,
        1_000,
        "OBS",
        "s-42",
        ("eu",),
        ("/dropcodes",),
        frozenset(),
        2_000,
    )


def test_new_backend_key_has_what_was_asked_for():
    stored, _ = new_key(KeyKind.BACKEND, 1_000, rights=[Right.READ, Right.READ])
    assert stored.key == Key(
        stored.key.key_id, KeyKind.BACKEND, 1_000, rights=frozenset({Right.READ})
    )


def test_text_holds_the_id_and_a_secret_of_256_bits_kept_as_its_sha256():
    stored, text = new_key(KeyKind.PLUGIN, 0, streamer="s")
    prefix, key_id, secret = text.split("_", 2)
    assert prefix == "rpk"
    assert key_id == stored.key.key_id
    assert len(secret) == 43
    assert stored.secret_sha256 == hashlib.sha256(secret.encode()).digest()
    assert secret not in repr(stored)


def test_every_new_key_can_be_read_back_and_none_is_like_another():
    """Enough of them that ``_`` and ``-`` come up in secrets, at their ends too."""
    made = [new_key(KeyKind.PLUGIN, 0, streamer="s") for _ in range(500)]
    for stored, text in made:
        key_id, secret = parse(text)
        assert key_id == stored.key.key_id
        assert proves(secret, stored)
    assert len({stored.key.key_id for stored, _ in made}) == 500
    assert len({text for _, text in made}) == 500


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (KeyKind.PLUGIN, {}),
        (KeyKind.PLUGIN, {"streamer": ""}),
        (KeyKind.PLUGIN, {"streamer": "s", "rights": [Right.READ]}),
        (KeyKind.BACKEND, {"streamer": "s"}),
        (KeyKind.BACKEND, {"groups": ["eu"]}),
    ],
)
def test_what_fits_only_the_other_kind_is_refused(kind, spec):
    with pytest.raises(ValueError, match=f"a {kind} key has"):
        new_key(kind, 0, **spec)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("rpk_abcdefghij27_s", ("abcdefghij27", "s")),
        ("rpk_abcdefghij27__a-_", ("abcdefghij27", "_a-_")),
        ("rpk_abcdefghij27_", None),
        ("rpk_abcdefghij27", None),
        ("rpk_abcdefghij2_s", None),
        ("rpk_abcdefghij277_s", None),
        ("rpk_Abcdefghij27_s", None),
        ("rpk_abcdefghij01_s", None),
        ("RPK_abcdefghij27_s", None),
        ("rpk_abcdefghij27_s ", None),
        (" rpk_abcdefghij27_s", None),
        ("rpk_abcdefghij27_s\n", None),
        ("rpk_abcdefghij27_é", None),
        ("rpk_abcdefghij27_\ud800", None),
        ("rpk_abcdefghij２7_s", None),
        ("", None),
        ("rpk", None),
        ("eyJhbGciOi.eyJzdWIi.c2ln", None),
    ],
)
def test_parts_of_a_key(text, parts):
    assert parse(text) == parts


def test_only_the_right_secret_proves_a_key():
    stored = StoredKey(Key("id", KeyKind.BACKEND, 0), digest("right"))
    assert proves("right", stored)
    assert not proves("wrong", stored)
    assert not proves("", stored)


@pytest.mark.parametrize("secret", ["", "anything"])
def test_nothing_proves_no_key(secret):
    """Not even what hashes to the stand-in it is compared with."""
    assert not proves(secret, None)


@pytest.mark.parametrize("secret", ["é", "\ud800", "\x00", "\U0001f381"])
def test_any_text_can_be_a_secret(secret):
    assert proves(secret, StoredKey(Key("id", KeyKind.BACKEND, 0), digest(secret)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/v1/keys/rpk_abcdefghijkl_SecretSecret-_1", "/v1/keys/rpk_abcdefghijkl…"),
        ("/v1/keys/rpk_abcdefghijkl_S", "/v1/keys/rpk_abcdefghijkl…"),
        ("rpk_a_b/rpk_c_d x", "rpk_a…/rpk_c… x"),
        ("/v1/keys/abcdefghijkl", "/v1/keys/abcdefghijkl"),
        ("/x/eyJhbGciOi.eyJzdWIi.c2ln", "/x/(token)"),
        ("/x/eyJhbGciOi.eyJzd", "/x/(token)"),
    ],
)
def test_lines_of_the_log_keep_no_secrets(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_a_new_key_is_not_left_in_a_line() -> None:
    for _ in range(50):
        _, text = new_key(KeyKind.BACKEND, 0)
        line = without_secrets(f"DELETE /v1/keys/{text} failed")
        assert text.split("_", 2)[2] not in line
