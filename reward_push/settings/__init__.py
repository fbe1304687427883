"""What a node is told: settings from options, the environment and a TOML file, checked once at the start.

Every setting is a row of :data:`.table.SETTINGS`. :func:`load` gathers what was given (:mod:`.sources`),
reads it (:mod:`.kinds`), checks the whole (:mod:`.checks`) and returns frozen :class:`Settings`. Nothing
looks at the environment later.
"""

from .errors import SettingsError
from .loading import load
from .model import ClusterSettings, HttpSettings, LogFormat, Settings, StoreSettings

__all__ = [
    "ClusterSettings",
    "HttpSettings",
    "LogFormat",
    "Settings",
    "SettingsError",
    "StoreSettings",
    "load",
]
