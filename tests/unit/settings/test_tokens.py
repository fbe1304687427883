"""The settings of signed tokens."""

from pathlib import Path

import pytest

from reward_push.access.token_keys import Algorithm
from reward_push.settings import SettingsError, load

from ...token_maker import SECRET, key_set, private_key, public_jwk, public_pem

SOURCES = "jwt_secret, jwt_public_key, jwt_jwks"


def refusal(**options: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(options, {})
    line = str(caught.value)
    assert line.isprintable()
    return line.removeprefix("reward-push: ")


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(key_set(public_jwk("ES256", kid="e"), public_jwk("RSA", kid="r")))
    return path


def test_without_any_of_them_there_are_no_tokens() -> None:
    assert load({}, {}).tokens is None
    assert load({"jwt_leeway": "1"}, {}).tokens is None


def test_secret(tmp_path: Path) -> None:
    """In plain, or in a file like all secrets. It is in no repr."""
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    for options in ({"jwt_secret": SECRET}, {"jwt_secret_file": str(path)}):
        settings = load({**options, "jwt_leeway": "2.5"}, {})
        assert settings.tokens is not None
        assert settings.tokens.keys.only is not None
        assert settings.tokens.keys.only.algorithm is Algorithm.HS256
        assert settings.tokens.keys.only.key == SECRET.encode()
        assert settings.tokens.leeway_s == 2.5
        assert SECRET not in repr(settings)


@pytest.mark.parametrize("space", ["", "\n \n"])
def test_public_key_as_a_text_or_in_a_file(tmp_path: Path, space: str) -> None:
    path = tmp_path / "key.pem"
    path.write_text(space + public_pem("RSA"))
    for value in (str(path), space + public_pem("RSA")):
        settings = load({"jwt_public_key": value, "jwt_algorithm": "PS384"}, {})
        assert settings.tokens is not None
        assert settings.tokens.keys.only is not None
        assert settings.tokens.keys.only.key == private_key("RSA").public_key()
        assert settings.tokens.keys.only.algorithm is Algorithm.PS384
        assert settings.tokens.jwks_path is None


def test_key_set(jwks: Path) -> None:
    tokens = load({"jwt_jwks": str(jwks)}, {}).tokens
    assert tokens is not None
    assert sorted(tokens.keys.by_kid or ()) == ["e", "r"]
    assert (tokens.jwks_path, tokens.algorithm, tokens.leeway_s) == (str(jwks), None, 5.0)
    tokens = load({"jwt_jwks": str(jwks), "jwt_algorithm": "RS512"}, {}).tokens
    assert tokens is not None
    assert sorted(tokens.keys.by_kid or ()) == ["r"]


def test_only_one_source_of_keys(jwks: Path) -> None:
    line = refusal(jwt_secret=SECRET, jwt_jwks=str(jwks))
    assert line == f"jwt_jwks: only one of {SOURCES} may be given"
    assert refusal(jwt_public_key="x", jwt_jwks="y").startswith("jwt_jwks: only one of ")


def test_algorithm_of_nothing() -> None:
    assert refusal(jwt_algorithm="RS256") == f"jwt_algorithm = 'RS256': needs one of {SOURCES}"


@pytest.mark.parametrize("name", ["none", "hs256", "ES256K", ""])
def test_algorithm_that_there_is_not(name: str) -> None:
    line = refusal(jwt_secret=SECRET, jwt_algorithm=name)
    assert line.startswith(f"jwt_algorithm = '{name}': must be one of: HS256, HS384, ")


def test_secret_that_is_no_good_is_not_shown() -> None:
    assert refusal(jwt_secret="s" * 31) == "jwt_secret: must have at least 32 bytes for HS256"
    line = refusal(jwt_secret=SECRET, jwt_algorithm="ES256")
    assert line == "jwt_secret: is not for ES256: a secret goes with HS256, HS384, HS512"


def test_public_key_that_is_no_good(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"\xff\x00")
    rule = "must be a public key in PEM form (-----BEGIN PUBLIC KEY-----), or a file with one"
    assert refusal(jwt_public_key=str(path)) == f"jwt_public_key = '{path}': {rule}"
    assert refusal(jwt_public_key="-----BEGIN\n") == f"jwt_public_key: {rule}"
    path.write_text(public_pem("RSA1024"))
    line = refusal(jwt_public_key=str(path))
    assert line == f"jwt_public_key = '{path}': must have at least 2048 bits"
    line = refusal(jwt_public_key=public_pem("ES256"), jwt_algorithm="HS256")
    assert line == "jwt_public_key: is not for HS256: this kind of key goes with ES256"


@pytest.mark.parametrize("name", ["jwt_public_key", "jwt_jwks"])
def test_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    for path, reason in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        line = refusal(**{name: str(path)})
        assert line.startswith(f"{name} = '{path}': must be a file that can be read: {reason}")


def test_key_set_that_is_no_good(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text("{}")
    line = refusal(jwt_jwks=str(path))
    assert line.startswith(f"jwt_jwks = '{path}': must be a JSON object ")
