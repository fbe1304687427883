"""Where settings come from: options, environment variables, a TOML file. Strongest first.

Gathers what was given under which name, refuses unknown names, and reads secrets from files. What the
values mean is not looked at here.
"""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from .errors import SettingsError, shown
from .table import BY_NAME, CONFIG, ENV_PREFIX, FILES, Setting, option, variable

_MAX_CONFIG_BYTES = 1 << 20
_MAX_SECRET_BYTES = 1 << 16
_NAMES = (*BY_NAME, *FILES)


@attrs.frozen
class Given:
    """One value that one source gives to one setting."""

    name: str
    """The setting's name, or ``<name>_file`` of a secret."""
    raw: Any = attrs.field(repr=False)
    """A text, or a TOML value; of a secret, too."""
    origin: str
    """Where it was given: ``--ping-interval``, ``REWARD_PUSH_PING_INTERVAL``, or a file."""
    is_toml: bool = False

    def value(self, setting: Setting) -> Any:
        """Return the value as ``setting`` reads it, or raise :class:`SettingsError`."""
        kind = setting.kind
        try:
            return kind.of_toml(self.raw) if self.is_toml else kind.of_text(self.raw)
        except ValueError as error:
            raise self.error(str(error), shows=not setting.secret) from None

    def error(self, rule: str, *, shows: bool = True) -> SettingsError:
        """Return the refusal of this value; ``shows``: whether the line may have the value."""
        return SettingsError(self.name, self.raw if shows else None, f"{rule} (from {self.origin})")


def gather(
    options: Mapping[str, str | Sequence[str]], environ: Mapping[str, str]
) -> list[list[Given]]:
    """Return what options, environment and the TOML file give, in that order.

    Raises :class:`SettingsError` for an unknown name and for a file that cannot be read.
    """
    from_options, from_environment = _from_options(options), _from_environment(environ)
    in_options, in_environment = from_options.pop(CONFIG, None), from_environment.pop(CONFIG, None)
    config = in_options or in_environment
    from_file = _from_file(config) if config else {}
    return [list(each.values()) for each in (from_options, from_environment, from_file)]


def check_known(name: str, origin: str) -> None:
    """Raise :class:`SettingsError` when ``name`` is no setting, nor a secret's file, nor ``config``.

    Its value is never shown: it may belong to a misspelt secret.
    """
    if name in BY_NAME or name in FILES or name == CONFIG:
        return
    close = difflib.get_close_matches(name, _NAMES, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise SettingsError(name, None, f"is not a setting{hint} (from {origin})")


def secret_of_file(given: Given) -> str:
    """Return the secret in the file that ``given`` names, without the newline at its end."""
    path = _as_path(given)
    try:
        content = _read(path, _MAX_SECRET_BYTES)
        secret = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise given.error("must be a file of UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise given.error(_cannot_read(error)) from None
    if not secret:
        raise given.error("must be a file that is not empty")
    return secret


def _from_options(options: Mapping[str, str | Sequence[str]]) -> dict[str, Given]:
    given = {}
    for name, value in options.items():
        check_known(name, option(name))
        values = [value] if isinstance(value, str) else value
        setting = BY_NAME.get(name)
        if len(values) != 1 and not (setting and setting.kind.is_list):
            raise SettingsError(name, None, f"must be given once (from {option(name)})")
        given[name] = Given(name, ",".join(values), option(name))
    return given


def _from_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    given = {}
    for key, text in environ.items():
        if key.startswith(ENV_PREFIX):
            name = key.removeprefix(ENV_PREFIX).lower()
            if variable(name) != key:
                raise SettingsError(key, None, "is not a setting: variables are in capitals")
            check_known(name, key)
            given[name] = Given(name, text, key)
    return given


def _from_file(config: Given) -> dict[str, Given]:
    path = _as_path(config)
    try:
        document = tomllib.loads(_read(path, _MAX_CONFIG_BYTES).decode())
    except OSError as error:
        raise config.error(_cannot_read(error)) from None
    except UnicodeDecodeError:
        raise config.error("must be a file of UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise config.error(f"must be a TOML file: {error}") from None
    given = {}
    origin = shown(config.raw)
    for name, value in document.items():
        if name == CONFIG:
            raise SettingsError(name, None, f"cannot be set in a file (from {origin})")
        check_known(name, origin)
        given[name] = Given(name, value, origin, is_toml=True)
    return given


def _as_path(given: Given) -> Path:
    if not isinstance(given.raw, str) or not given.raw or "\0" in given.raw:
        raise given.error("must be the path of a file")
    return Path(given.raw)


def _read(path: Path, most: int) -> bytes:
    """Return the content of a file of up to ``most`` bytes; a device may have no end."""
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"larger than {most} bytes")
    return content


def _cannot_read(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return f"must be a file that can be read: {reason}"
