"""Which key, and which algorithm, a token is checked with."""

import pytest

from reward_push.access.token_keys import (
    MAX_KEYS,
    Algorithm,
    TokenKey,
    of_key_set,
    of_public_key,
    of_secret,
)

from ...token_maker import key_set, private_key, public_jwk, public_pem

S32 = "x" * 32


@pytest.mark.parametrize(
    ("secret", "asked", "algorithm"),
    [
        (S32, None, Algorithm.HS256),
        (S32, Algorithm.HS256, Algorithm.HS256),
        ("x" * 48, Algorithm.HS384, Algorithm.HS384),
        ("é" * 32, Algorithm.HS512, Algorithm.HS512),
    ],
)
def test_secret(secret: str, asked: Algorithm | None, algorithm: Algorithm) -> None:
    keys = of_secret(secret, asked)
    assert keys.find(None) == keys.find("any") == TokenKey(secret.encode(), algorithm)
    assert secret not in repr(keys)


@pytest.mark.parametrize(
    ("secret", "asked", "rule"),
    [
        ("x" * 31, None, "must have at least 32 bytes for HS256"),
        (S32, Algorithm.HS512, "must have at least 64 bytes for HS512"),
        (S32, Algorithm.RS256, "is not for RS256: a secret goes with HS256, HS384, HS512"),
    ],
)
def test_secret_that_is_no_good(secret: str, asked: Algorithm | None, rule: str) -> None:
    with pytest.raises(ValueError, match=rf"\A{rule}\Z"):
        of_secret(secret, asked)


@pytest.mark.parametrize(
    ("kind", "asked", "algorithm"),
    [
        ("RSA", None, Algorithm.RS256),
        *(("RSA", Algorithm(name), Algorithm(name)) for name in ("RS384", "RS512", "PS256")),
        ("ES256", None, Algorithm.ES256),
        ("ES384", None, Algorithm.ES384),
        ("ES512", Algorithm.ES512, Algorithm.ES512),
        ("EdDSA", None, Algorithm.EDDSA),
        ("Ed448", None, Algorithm.EDDSA),
    ],
)
def test_public_key(kind: str, asked: Algorithm | None, algorithm: Algorithm) -> None:
    found = of_public_key(public_pem(kind), asked).find("any")
    assert found is not None
    assert found.algorithm is algorithm
    assert found.key == private_key(kind).public_key()


@pytest.mark.parametrize(
    ("kind", "asked", "rule"),
    [
        ("ES256", Algorithm.HS256, "is not for HS256: this kind of key goes with ES256"),
        ("ES256", Algorithm.ES384, "is not for ES384: this kind of key goes with ES256"),
        ("RSA", Algorithm.ES256, "is not for ES256: .* RS256, RS384, RS512, PS256, PS384, PS512"),
        ("RSA1024", None, "must have at least 2048 bits"),
        ("secp256k1", None, "must be an RSA, P-256, P-384, P-521, Ed25519 or Ed448 key"),
    ],
)
def test_public_key_that_is_no_good(kind: str, asked: Algorithm | None, rule: str) -> None:
    with pytest.raises(ValueError, match=rf"\A{rule}\Z"):
        of_public_key(public_pem(kind), asked)


@pytest.mark.parametrize(
    "text", ["", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "\ud800"]
)
def test_text_that_is_no_public_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"\Amust be a public key in PEM form"):
        of_public_key(text)


def test_private_key_is_not_taken_for_a_public_one() -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = private_key("ES256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match=r"\Amust be a public key in PEM form"):
        of_public_key(pem.decode())


# Key sets


def test_key_set_is_searched_by_kid() -> None:
    keys = of_key_set(
        key_set(
            public_jwk("RSA", kid="r"),
            public_jwk("ES256", kid="e", alg="ES256", use="sig"),
            public_jwk("RSA", 1, kid="p", alg="PS512"),
            public_jwk("EdDSA", kid="d"),
        )
    )
    found = {kid: keys.find(kid) for kid in "repd"}
    assert {kid: each and each.algorithm for kid, each in found.items()} == {
        "r": Algorithm.RS256,
        "e": Algorithm.ES256,
        "p": Algorithm.PS512,
        "d": Algorithm.EDDSA,
    }
    for wrong in (None, "", "R", 7, ["r"], {"r": 1}):
        assert keys.find(wrong) is None


@pytest.mark.parametrize("named", [{}, {"kid": "k"}])
def test_only_key_needs_no_kid(named: dict[str, str]) -> None:
    keys = of_key_set(key_set(public_jwk("ES256", **named)))
    assert keys.find(None) is not None
    assert (keys.find("k") is not None) is bool(named)
    assert keys.find("other") is None


def test_keys_for_something_else_are_left_out() -> None:
    """For encryption, of an algorithm that signs nothing, or another than the configured one."""
    text = key_set(
        public_jwk("RSA", kid="a", use="enc"),
        public_jwk("RSA", kid="b", alg="RSA-OAEP"),
        public_jwk("RSA", kid="c", alg="RS256"),
        public_jwk("RSA", kid="d"),
        public_jwk("ES256", kid="e"),
    )
    by_default = of_key_set(text)
    assert [kid for kid in "abcde" if by_default.find(kid)] == ["c", "d", "e"]
    configured = of_key_set(text, Algorithm.PS256)
    assert [kid for kid in "abcde" if configured.find(kid)] == ["d"]
    assert configured.find("d").algorithm is Algorithm.PS256  # type: ignore[union-attr]


FORM = r'must be a JSON object \{"keys": \[…\]\} of 1 to 64 keys'


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", FORM),
        ("{", FORM),
        ("[]", FORM),
        ("{}", FORM),
        ('{"keys": {}}', FORM),
        ('{"keys": []}', FORM),
        ('{"keys": ["x"]}', FORM),
        (key_set(*[{"kty": "RSA"}] * (MAX_KEYS + 1)), FORM),
        ('{"keys": [{}]}', "key 1: is no key that can be read"),
        ('{"keys": [{"kty": "RSA", "n": 1, "e": []}]}', "key 1: is no key that can be read"),
        ('{"keys": [{"kty": "EC", "crv": "P-256"}]}', "key 1: is no key that can be read"),
        ('{"keys": [{"kty": ["RSA"]}]}', "key 1: is no key that can be read"),
        (
            key_set(public_jwk("ES256", kid="k"), {"kty": "oct", "k": "c2VjcmV0", "kid": "s"}),
            "key 2: must be a public key",
        ),
        (key_set({**public_jwk("ES256"), "d": "AAAA"}), "key 1: must be a public key"),
        (key_set(public_jwk("RSA1024")), "key 1: must have at least 2048 bits"),
        (
            key_set(public_jwk("ES256", alg="RS256")),
            "key 1: is no key that can be read|key 1: is not for RS256: .*",
        ),
        (key_set(public_jwk("ES256", kid=7)), "key 1: kid must be a string"),
        (
            key_set(public_jwk("ES256", kid="k"), public_jwk("ES256", 1, kid="k")),
            "key 2: another key has its kid, or has none either",
        ),
        (
            key_set(public_jwk("ES256", kid="k"), public_jwk("ES256", 1)),
            "must give each of its keys a kid",
        ),
        (key_set(public_jwk("RSA", use="enc")), "must hold a key to check signatures with"),
    ],
)
def test_key_set_that_is_no_good(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rf"\A(?:{rule})\Z"):
        of_key_set(text)


def test_key_set_without_a_key_for_the_configured_algorithm() -> None:
    with pytest.raises(ValueError, match=r"\Amust hold a key to check signatures with by ES384\Z"):
        of_key_set(key_set(public_jwk("ES256")), Algorithm.ES384)
