"""From what was given to checked settings."""

import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Any

from ..access.limits import GuardLimits
from ..engineio.options import EngineOptions
from .checks import check
from .model import ClusterSettings, HttpSettings, Settings, StoreSettings
from .shares import check_shares
from .sources import Given, gather, secret_of_file
from .table import FILES, SETTINGS, Setting
from .tokens import tokens

MIN_PAYLOAD_BYTES = 1 << 16
"""A POST may carry this much in several packets: older clients put all waiting acks into one."""
BATCH_FACTOR = 16
"""How much larger than one API call a batch may be."""
NO_UPGRADE_TIMEOUT_S = 86_400.0
"""What an upgrade time-out of 0 becomes: the engine always has one."""
_ID_ALPHABET = string.ascii_letters + string.digits


def load(options: Mapping[str, str | Sequence[str]], environ: Mapping[str, str]) -> Settings:
    """Return the settings that ``options`` (by setting name), ``environ`` and a TOML file make.

    Strongest first: an option, ``REWARD_PUSH_<NAME>``, the file that ``config`` names, the default.
    Every value given is read, also one that a stronger source overrides.

    Raises:
        SettingsError: a name is unknown, a value is of a wrong type or out of range, two do not fit
            together, a file cannot be read, or this version does not support what is asked for.
    """
    settings = _settings(read(options, environ)[0])
    check_shares(settings)
    return settings


def read(
    options: Mapping[str, str | Sequence[str]], environ: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the value of every setting by its name, and of those that were given where that was.

    Raises as :func:`load` does, but for what only shows when the settings are put to use.
    """
    by_name: dict[str, list[Given]] = {}
    for source in gather(options, environ):
        for given in source:
            by_name.setdefault(given.name, []).append(given)
    values = {setting.name: _value(setting, by_name) for setting in SETTINGS}
    check(values)
    origins = {
        (FILES[name].name if name in FILES else name): given[0].origin
        for name, given in by_name.items()
    }
    return values, origins


def _value(setting: Setting, by_name: Mapping[str, Sequence[Given]]) -> Any:
    """Return the strongest value given to ``setting``, or its default."""
    found = by_name.get(setting.name, ())
    files = by_name.get(setting.file_name, ()) if setting.secret else ()
    if files:
        return _value_of_file(setting, files[0], in_plain=bool(found))
    values = [given.value(setting) for given in found]
    if not values:
        return setting.default if setting.default is None else setting.kind.of_text(setting.default)
    if not setting.supported and values[0] != setting.inert:
        raise found[0].error("not supported by this version", shows=not setting.secret)
    return values[0]


def _value_of_file(setting: Setting, given: Given, *, in_plain: bool) -> Any:
    """Return the secret in the file that ``given`` names."""
    if in_plain:
        raise given.error(f"must not be given together with {setting.name}")
    secret = secret_of_file(given)
    try:
        return setting.kind.of_text(secret)
    except ValueError as error:
        raise given.error(f"what the file holds {error}") from None


def _settings(values: Mapping[str, Any]) -> Settings:
    """Return the checked ``values`` as the rest of the node wants them."""
    packet = values["max_http_buffer_size"]
    body = values["max_api_body"]
    return Settings(
        node_id=values["node_id"] or _random_id(),
        listen=values["listen"],
        internal_listen=values["internal_listen"] or (),
        path=values["path"],
        namespaces=values["namespaces"],
        connect_timeout_s=values["connect_timeout"],
        cors_origins=values["cors_origins"],
        trusted_proxies=values["trusted_proxies"],
        engine=EngineOptions(
            ping_interval_s=values["ping_interval"],
            ping_timeout_s=values["ping_timeout"],
            upgrade_timeout_s=values["upgrade_timeout"] or NO_UPGRADE_TIMEOUT_S,
            max_packet_bytes=packet,
            max_payload_bytes=max(packet, MIN_PAYLOAD_BYTES) if packet else 0,
            max_queue_bytes=values["max_queue_bytes"],
            slow_timeout_s=values["slow_timeout"],
            transports=values["transports"],
            allow_eio3=values["allow_eio3"],
            packet_rate=values["event_rate_per_socket"],
        ),
        guard=GuardLimits(
            connections=values["max_connections"],
            connections_per_address=values["max_connections_per_ip"],
            connections_per_key=values["max_connections_per_key"],
            connect_rate_per_address=values["connect_rate_per_ip"],
            auth_failures_per_address=values["auth_failures_per_ip"],
            ban_s=values["ban"],
            api_rate_per_key=values["api_rate_per_key"],
        ),
        http=HttpSettings(
            idle_timeout_s=values["idle_timeout"],
            header_timeout_s=values["header_timeout"],
            body_timeout_s=values["body_timeout"],
            max_api_body_bytes=body,
            max_api_batch_bytes=body * BATCH_FACTOR,
        ),
        store=StoreSettings(path=values["store"], retention_s=values["retention"]),
        cluster=_cluster(values),
        workers=values["workers"],
        backend_key=values["backend_key"],
        tokens=tokens(values),
        log_format=values["log_format"],
    )


def _cluster(values: Mapping[str, Any]) -> ClusterSettings | None:
    """Return what joins the node to others; ``None``: it has none."""
    if values["redis_url"] is None:
        return None
    return ClusterSettings(
        redis_url=values["redis_url"],
        redis_prefix=values["redis_prefix"],
        listen=values["cluster_listen"],
        advertise=values["cluster_advertise"],
        secret=values["cluster_secret"],
        drain_s=values["drain"],
        emitter_compat=values["emitter_compat"],
        retention_s=values["retention"],
    )


def _random_id() -> str:
    """Return a name for a node that has none."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(6))
