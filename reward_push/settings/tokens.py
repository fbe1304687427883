"""The settings of signed tokens, from what was given to keys that are known to be good."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..access.key_set_file import read_key_set
from ..access.token_keys import Algorithm, TokenKeys, of_public_key, of_secret
from .errors import SettingsError
from .model import TokenSettings

SOURCES = ("jwt_secret", "jwt_public_key", "jwt_jwks")
_PEM_BEGINS = "-----BEGIN"
_MAX_PEM_BYTES = 1 << 16


def tokens(values: Mapping[str, Any]) -> TokenSettings | None:
    """Return how tokens are checked; ``None``: none are accepted.

    Raises :class:`.errors.SettingsError`: more than one source of keys, an algorithm without any, or a
    key that is no good.
    """
    algorithm: Algorithm | None = values["jwt_algorithm"]
    given = [name for name in SOURCES if values[name] is not None]
    if len(given) > 1:
        raise SettingsError(given[1], None, f"only one of {', '.join(SOURCES)} may be given")
    if not given:
        if algorithm is not None:
            raise SettingsError(
                "jwt_algorithm", algorithm.value, f"needs one of {', '.join(SOURCES)}"
            )
        return None
    [name] = given
    return TokenSettings(
        keys=_READERS[name](name, values[name], algorithm),
        jwks_path=values["jwt_jwks"],
        algorithm=algorithm,
        leeway_s=values["jwt_leeway"],
    )


def _of_secret(name: str, secret: str, algorithm: Algorithm | None) -> TokenKeys:
    try:
        return of_secret(secret, algorithm)
    except ValueError as error:
        raise SettingsError(name, None, str(error)) from None


def _of_public_key(name: str, value: str, algorithm: Algorithm | None) -> TokenKeys:
    shown = None
    try:
        if not value.lstrip().startswith(_PEM_BEGINS):
            shown = value
            with Path(value).open("rb") as file:
                value = file.read(_MAX_PEM_BYTES).decode("ascii", "replace")
        return of_public_key(value, algorithm)
    except OSError as error:
        raise SettingsError(name, shown, f"{_CANNOT_READ}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(name, shown, str(error)) from None


def _of_key_set(name: str, path: str, algorithm: Algorithm | None) -> TokenKeys:
    try:
        return read_key_set(path, algorithm)
    except OSError as error:
        raise SettingsError(name, path, f"{_CANNOT_READ}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(name, path, str(error)) from None


_CANNOT_READ = "must be a file that can be read"

_READERS: dict[str, Callable[[str, Any, Algorithm | None], TokenKeys]] = {
    "jwt_secret": _of_secret,
    "jwt_public_key": _of_public_key,
    "jwt_jwks": _of_key_set,
}
