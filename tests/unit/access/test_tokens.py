"""Tokens that are signed rightly, and all that is not."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_push.access.token_keys import Algorithm, of_key_set, of_public_key, of_secret
from reward_push.access.tokens import MAX_TOKEN_CHARS, Tokens, looks_like_token

from ...token_maker import SECRET, handmade, key_set, part, private_key, public_jwk, public_pem
from ...token_maker import token as made

NOW_MS = 1_800_000_000_000
CLAIMS: dict[str, Any] = {"sub": "s-42", "exp": NOW_MS // 1000 + 60}
HS256 = {"alg": "HS256", "typ": "JWT"}


class Clock:
    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


class Counting(Tokens):
    """Counts the signatures it has checked."""

    checked = 0

    def _verify(self, presented: str) -> Any:
        self.checked += 1
        return super()._verify(presented)


def of(keys: Any, clock: Clock | None = None, **options: Any) -> Counting:
    return Counting(keys, clock or Clock(), leeway_s=0, **options)


SHARED = of(of_secret(SECRET))


def test_good_token_grants_what_it_says() -> None:
    token = SHARED.verify(made({**CLAIMS, "groups": ["eu"]}))
    assert token is not None
    assert (token.streamer, token.groups) == ("s-42", ("eu",))


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        *(("RSA", name) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        *((name, name) for name in ("ES256", "ES384", "ES512", "EdDSA")),
        ("Ed448", "EdDSA"),
    ],
)
def test_every_algorithm_with_public_keys(kind: str, algorithm: str) -> None:
    """By PEM and by key set; another key of the kind does not do."""
    text = made(CLAIMS, private_key(kind), algorithm, kid="k")
    other = made(CLAIMS, private_key(kind, 1), algorithm, kid="k")
    chosen = Algorithm(algorithm)
    for keys in (
        of_public_key(public_pem(kind), chosen),
        of_key_set(key_set(public_jwk(kind, kid="k")), chosen),
    ):
        assert of(keys).verify(text) is not None
        assert of(keys).verify(other) is None


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_every_algorithm_with_a_secret(algorithm: str) -> None:
    secret = SECRET * 2
    tokens = of(of_secret(secret, Algorithm(algorithm)))
    assert tokens.verify(made(CLAIMS, secret, algorithm)) is not None
    assert tokens.verify(made(CLAIMS, secret + "x", algorithm)) is None


def test_only_the_configured_algorithm_counts() -> None:
    secret = SECRET * 2
    tokens = of(of_secret(secret, Algorithm.HS512))
    for algorithm in ("HS256", "HS384"):
        assert tokens.verify(made(CLAIMS, secret, algorithm)) is None


# Attacks


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", ""])
def test_unsigned_token(name: str) -> None:
    for keys in (of_secret(SECRET), of_public_key(public_pem("RSA"))):
        tokens = of(keys)
        for text in (
            handmade({"alg": name}, CLAIMS, None),
            handmade({"alg": name}, CLAIMS),
            handmade({"alg": name}, CLAIMS, None) + "AAAA",
        ):
            assert tokens.verify(text) is None


@pytest.mark.parametrize("kind", ["RSA", "ES256", "EdDSA"])
def test_public_key_used_as_a_secret(kind: str) -> None:
    """Algorithm confusion: everybody knows the public key."""
    pem = public_pem(kind)
    tokens = of(of_public_key(pem))
    sets = of(of_key_set(key_set(public_jwk(kind, kid="k"))))
    for secret in (pem, pem.strip(), pem.replace("\n", "")):
        for header in (HS256, {**HS256, "kid": "k"}):
            text = handmade(header, CLAIMS, secret.encode())
            assert tokens.verify(text) is None
            assert sets.verify(text) is None


def test_key_that_the_token_brings_along() -> None:
    """RFC 7515 § 4.1: ``jwk``, ``jku``, ``x5u`` and ``x5c`` are not looked at."""
    own = public_jwk("ES256", 1)
    text = made(CLAIMS, private_key("ES256", 1), "ES256", jwk=own, jku="https://evil.example/k")
    assert of(of_public_key(public_pem("ES256"))).verify(text) is None


@pytest.mark.parametrize("kid", ["other", "", "../../dev/null", "' OR 1", 7, None, ["k"], {}])
def test_wrong_kid(kid: object) -> None:
    keys = of_key_set(key_set(public_jwk("ES256", kid="k"), public_jwk("RSA", kid="r")))
    good = made(CLAIMS, private_key("ES256"), "ES256", kid="k")
    _, payload, signature = good.split(".")
    assert of(keys).verify(good) is not None
    assert of(keys).verify(f"{part({'alg': 'ES256', 'kid': kid})}.{payload}.{signature}") is None
    if isinstance(kid, str):
        assert of(keys).verify(made(CLAIMS, private_key("ES256"), "ES256", kid=kid)) is None


def test_kid_of_another_key_in_the_set() -> None:
    keys = of_key_set(key_set(public_jwk("ES256", kid="k"), public_jwk("RSA", kid="r")))
    assert of(keys).verify(made(CLAIMS, private_key("ES256"), "ES256", kid="r")) is None


@pytest.mark.parametrize(
    "more", [{"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"b64": True}]
)
def test_extensions_are_not_ignored(more: dict[str, Any]) -> None:
    assert SHARED.verify(handmade({**HS256, **more}, CLAIMS)) is None


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[]",
        b'"HS256"',
        b'{"alg":"HS256"',
        b'{"alg":"HS256","alg":"HS256"}',
        b'{"alg":["HS256"]}',
        b'{"alg":7}',
        b"{}",
        b"\xff",
        b'{"alg":"HS256","x":' + b"[" * 900 + b"]" * 900 + b"}",
        b"[" * 700,
    ],
)
def test_header_that_is_no_good(header: bytes) -> None:
    assert SHARED.verify(handmade(header, CLAIMS)) is None


def test_long_header() -> None:
    assert SHARED.verify(handmade({**HS256, "kid": "k" * 600}, CLAIMS)) is not None
    assert SHARED.verify(handmade({**HS256, "kid": "k" * 800}, CLAIMS)) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        json.dumps(CLAIMS).encode() + b" x",
        b'{"sub":"s","exp":1e400}',
        b'{"sub":"s","exp":NaN}',
        b'{"sub":"a","sub":"s-42","exp":1800000060}',
        b'{"sub":"s-42","exp":1800000060,"x":' + b"[" * 1000 + b"]" * 1000 + b"}",
    ],
)
def test_payload_that_is_no_good_though_it_is_signed(payload: bytes) -> None:
    assert SHARED.verify(handmade(HS256, payload)) is None


def test_changed_token() -> None:
    """Each character counts: any other in its place is a wrong token."""
    text = made(CLAIMS)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place, each in enumerate(text):
        other = alphabet[(alphabet.index(each) + 1) % 64] if each in alphabet else "A"
        assert SHARED.verify(text[:place] + other + text[place + 1 :]) is None, place


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "=",
        lambda text: text + ".",
        lambda text: "." + text,
        lambda text: text.replace(".", ".."),
        lambda text: text.rpartition(".")[0],
        lambda text: text.rpartition(".")[0] + ".",
        lambda text: " " + text,
        lambda text: text + "\n",
        lambda text: text + "é",
        lambda text: "\ud800" + text,
        lambda text: text.replace(".", "\u3002"),
    ],
)
def test_mangled_token(change: Any) -> None:
    assert SHARED.verify(change(made(CLAIMS))) is None


def test_long_token() -> None:
    """Refused unread, however well it is signed."""
    fill = MAX_TOKEN_CHARS
    while len(text := made({**CLAIMS, "x": "x" * fill})) > MAX_TOKEN_CHARS:
        fill -= 1
    tokens = of(of_secret(SECRET))
    assert tokens.verify(text) is not None
    assert tokens.verify(made({**CLAIMS, "x": "x" * (fill + 3)})) is None
    assert tokens.checked == 1


@given(st.text() | st.text("abcXYZ019-_.=+/ ", max_size=200))
def test_any_text_is_refused(text: str) -> None:
    assert SHARED.verify(text) is None


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=40))
def test_any_three_parts_are_refused(header: bytes, payload: bytes, signature: bytes) -> None:
    text = ".".join(
        base64.urlsafe_b64encode(each).decode() for each in (header, payload, signature)
    )
    assert SHARED.verify(text) is None


def test_form() -> None:
    assert looks_like_token(made(CLAIMS))
    for text in ("", "rpk_aaaaaaaaaaaa_x", "a.b", "a.b.c.d"):
        assert not looks_like_token(text)


# Memory


def test_token_is_verified_once() -> None:
    tokens = of(of_secret(SECRET))
    text = made(CLAIMS)
    assert tokens.verify(text) is tokens.verify(text)
    assert tokens.checked == 1
    assert tokens.verify(made({**CLAIMS, "sub": "other"})) is not None
    assert tokens.checked == 2


def test_remembered_token_ends_all_the_same() -> None:
    clock = Clock()
    tokens = of(of_secret(SECRET), clock)
    text = made(CLAIMS)
    assert tokens.verify(text) is not None
    clock.now_ms += 59_999
    assert tokens.verify(text) is not None
    clock.now_ms += 1
    assert tokens.verify(text) is None
    assert tokens.verify(text) is None


def test_what_is_remembered_can_be_had_without_verifying() -> None:
    clock = Clock()
    tokens = of(of_secret(SECRET), clock)
    text = made(CLAIMS)
    assert tokens.recall(text) is None
    token = tokens.verify(text)
    assert tokens.recall(text) is token is not None
    assert tokens.recall("x" * 5_000) is None
    clock.now_ms += 60_000
    assert tokens.recall(text) is None
    assert tokens.checked == 1


def test_memory_is_bounded() -> None:
    tokens = of(of_secret(SECRET), cache_size=2)
    texts = [made({**CLAIMS, "n": number}) for number in range(3)]
    for text in (*texts, texts[2], texts[1], texts[0]):
        assert tokens.verify(text) is not None
    assert tokens.checked == 4


def test_wrong_tokens_displace_none_that_is_right() -> None:
    tokens = of(of_secret(SECRET), cache_size=1)
    text = made(CLAIMS)
    tokens.verify(text)
    for number in range(5):
        assert tokens.verify(made({**CLAIMS, "n": number}, SECRET + "x")) is None
    tokens.verify(text)
    assert tokens.checked == 6


def test_replaced_keys_count_for_tokens_seen_before() -> None:
    tokens = of(of_secret(SECRET))
    old, new = made(CLAIMS), made(CLAIMS, SECRET + "new")
    assert tokens.verify(old) is not None
    tokens.replace_keys(of_secret(SECRET + "new"))
    assert tokens.verify(old) is None
    assert tokens.verify(new) is not None


def test_tokens_are_in_no_repr() -> None:
    tokens = of(of_secret(SECRET))
    text = made(CLAIMS)
    assert text not in repr(tokens.verify(text)) + repr(vars(tokens))
