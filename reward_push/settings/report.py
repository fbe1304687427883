"""The settings in effect, for people to read: as they would be written, without secrets."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from ..rate import Rate
from .errors import shown
from .loading import load, read
from .table import SETTINGS, Setting

HIDDEN = "(set, not shown)"
NONE = "(none)"
BY_DEFAULT = "default"


@attrs.frozen
class Effective:
    """One setting in effect."""

    name: str
    value: str
    origin: str
    """``--ping-interval``, ``REWARD_PUSH_PING_INTERVAL``, a file, or ``default``."""


def effective(
    options: Mapping[str, str | Sequence[str]], environ: Mapping[str, str]
) -> list[Effective]:
    """Return every supported setting, in the order of ``--help``.

    Raises ``SettingsError`` for whatever stops a node's start: see :func:`.loading.load`.
    """
    load(options, environ)
    values, origins = read(options, environ)
    return [
        Effective(
            setting.name,
            _written(setting, values[setting.name]),
            origins.get(setting.name, BY_DEFAULT),
        )
        for setting in SETTINGS
        if setting.supported
    ]


def _written(setting: Setting, value: Any) -> str:
    if value is not None:
        return HIDDEN if setting.secret else _text(value)
    if setting.default is not None:
        return "0"  # A rate without a limit.
    return f"({setting.default_words})" if setting.default_words else NONE


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.15g}"
        case Rate():
            return f"{_text(value.per_second)}/{_text(value.burst)}"
        case tuple():
            return ",".join(map(_text, value))
        case _:
            text = str(value)
            return text if text.isprintable() else shown(text)
