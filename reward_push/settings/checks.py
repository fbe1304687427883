"""Every rule between two settings, in one place."""

from collections.abc import Mapping
from typing import Any

from .errors import SettingsError

IDLE_MARGIN_S = 10.0
"""How far the heartbeat stays under the balancer's idle timeout: a busy loop and the network are late."""
MAX_HEARTBEAT_S = 2_147_483.0
"""Clients add interval and time-out up in a timer of 31 bits of milliseconds."""

NEEDS_REDIS: Mapping[str, Any] = {"workers": 1, "emitter_compat": False}
"""Settings that mean nothing to a node on its own, and what they are then."""


def check(values: Mapping[str, Any]) -> None:
    """Raise :class:`SettingsError` for the first combination that cannot work."""
    interval, idle = values["ping_interval"], values["idle_timeout"]
    if idle and not interval + IDLE_MARGIN_S < idle:
        raise SettingsError(
            "ping_interval",
            interval,
            f"ping_interval + {IDLE_MARGIN_S:g} s must be less than idle_timeout = {idle:g}:"
            " the load balancer would cut connections between two heartbeats",
        )
    if values["redis_url"] is None:
        for name, alone in NEEDS_REDIS.items():
            if values[name] != alone:
                raise SettingsError(
                    name,
                    values[name],
                    "needs redis_url: without Redis there is one node, which is one process",
                )
    if interval + values["ping_timeout"] > MAX_HEARTBEAT_S:
        raise SettingsError(
            "ping_interval",
            interval,
            f"ping_interval + ping_timeout must be at most {MAX_HEARTBEAT_S:.0f} s:"
            " clients cannot wait longer",
        )
