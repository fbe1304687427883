"""Every setting, once: its public name, how it is read, its default, and what it means."""

from typing import Any

import attrs

from ..access.token_keys import Algorithm
from . import kinds, rules
from .kinds import Kind
from .model import LogFormat

NOTHING: Any = object()
"""A setting without a value that changes nothing: giving it at all is refused while unsupported."""


@attrs.frozen
class Setting:
    """One row."""

    name: str
    kind: Kind
    default: str | None
    """Written as an operator would write it; ``None``: there is none."""
    doc: str
    default_words: str | None = None
    """What ``--help`` says when the default is made at the start."""
    secret: bool = False
    """Never shown, and may be read from a file: ``<name>_file``."""
    supported: bool = True
    inert: Any = NOTHING
    """The one value of an unsupported setting that says what this version does anyway."""

    @property
    def file_name(self) -> str:
        """The name of the setting that holds the path of a secret's file."""
        return f"{self.name}_file"


def _later(
    name: str, kind: Kind, default: str | None, doc: str, inert: Any = NOTHING, **more: Any
) -> Setting:
    """Return a row that this version knows but does not support."""
    return Setting(name, kind, default, doc, supported=False, inert=inert, **more)


_PERIOD_S = 0.01
"""Shortest heartbeat: announced to clients in whole milliseconds, and still a load that can be borne."""
_MAX_WORKERS = 256
"""More than any host has cores for: a number with a digit too many must not start thousands of processes."""
_TEXT = kinds.text(rules.not_empty)
_ENDPOINTS = kinds.texts(
    rules.endpoint, rules.at_least_one, lone=True, unit="endpoint strings, comma-separated"
)
_PROXIES = kinds.texts(rules.proxy, tuple, lone=True)

SETTINGS: tuple[Setting, ...] = (
    Setting("listen", _ENDPOINTS, "tcp:8080", "where clients connect: tcp:, ssl:, unix:, systemd:, haproxy:tcp:; may be given several times"),
    Setting("internal_listen", _ENDPOINTS, None, "where /v1, /metrics and /console are served instead of listen; /metrics needs no key there"),
    Setting("path", kinds.text(rules.engine_path), "/websockets", "Engine.IO path, with and without the trailing slash"),
    Setting("node_id", kinds.text(rules.node_id), None, "name of this node in logs, /healthcheck and X-Node-Id", "random, 6 characters"),
    Setting("namespaces", kinds.texts(rules.namespace, rules.with_root), "/dropcodes,/donations,/notifications", "Socket.IO namespaces served beside /"),
    Setting("transports", kinds.texts(rules.transport, rules.at_least_one), "polling,websocket", "transports offered"),
    Setting("allow_eio3", kinds.boolean(), "true", "serve Engine.IO 3, the clients before Socket.IO 3"),
    Setting("ping_interval", kinds.seconds(_PERIOD_S), "25", "time between two heartbeats; no poll is held longer"),
    Setting("ping_timeout", kinds.seconds(_PERIOD_S), "20", "how long a heartbeat may stay unanswered"),
    Setting("upgrade_timeout", kinds.seconds(), "10", "how long an upgrade to WebSocket may take"),
    Setting("connect_timeout", kinds.seconds(), "45", "how long a client may stay without a namespace"),
    Setting("max_http_buffer_size", kinds.size(), "1024", "largest single packet accepted from a client"),
    Setting("cors_origins", kinds.texts(rules.origin, rules.origins, lone=True), "*", "origins allowed, or * for all; checked on WebSocket too"),
    Setting("idle_timeout", kinds.seconds(), "120", "the load balancer's idle timeout; must be more than ping_interval + 10 s"),
    Setting("trusted_proxies", _PROXIES, "loopback", "addresses and networks that may set X-Forwarded-For, or loopback"),
    Setting("redis_url", kinds.text(rules.redis_url), None, "the Redis that nodes share: redis://, rediss:// (TLS) or redis+sentinel://", secret=True),
    Setting("redis_prefix", kinds.text(rules.redis_prefix), "rp:", "first part of every Redis key"),
    Setting("cluster_listen", kinds.text(rules.node_endpoint), "tcp:0", "where other nodes connect"),
    Setting("cluster_advertise", kinds.text(rules.host_and_port), None, "host or host:port that other nodes reach this one at", "found out"),
    Setting("cluster_secret", kinds.text(rules.key), None, "the secret that nodes share, at least 16 characters", "derived from redis_url's password, or kept in Redis", secret=True),
    Setting("store", _TEXT, "reward-push.sqlite3", "file of the embedded store, or :memory: for none; not used with redis_url"),
    Setting("retention", kinds.seconds(), "86400", "how long ended messages, receipts and ids are kept"),
    Setting("max_connections", kinds.count(), "100000", "connections of this node"),
    Setting("max_connections_per_ip", kinds.count(), "100", "connections of one address, in IPv6 of a /64"),
    Setting("max_connections_per_key", kinds.count(), "20", "connections of one key; a gateway key has no limit"),
    Setting("connect_rate_per_ip", kinds.rate(), "20/40", "handshakes of one address"),
    Setting("event_rate_per_socket", kinds.rate(), "20/50", "packets from one client; answers to ours do not count"),
    Setting("api_rate_per_key", kinds.rate(), "0", "API calls of one key"),
    Setting("max_api_body", kinds.size(), "1MiB", "largest body of an API call; a batch may have 16 times as much"),
    Setting("max_queue_bytes", kinds.size(), "1MiB", "a client is slow when more than this waits for it"),
    Setting("slow_timeout", kinds.seconds(), "10", "how long a slow client may take nothing before it is closed"),
    Setting("header_timeout", kinds.seconds(), "10", "total time for the head of a request"),
    Setting("body_timeout", kinds.seconds(), "20", "total time for the body of a request"),
    Setting("auth_failures_per_ip", kinds.rate(), "10/30", "wrong keys of one address before it is banned"),
    Setting("ban", kinds.seconds(), "60", "how long a banned address is refused"),
    Setting("drain", kinds.seconds(), "20", "time to move clients to other nodes at a stop; without redis_url there are none"),
    Setting("backend_key", kinds.text(rules.key), None, "a backend key with every right, at least 16 characters; with it no demo keys are made", secret=True),
    Setting("jwt_secret", _TEXT, None, "accept signed tokens (JWT) beside keys: the secret shared with who makes them, at least 32 bytes", secret=True),
    Setting("jwt_public_key", _TEXT, None, "the same: the public key of who makes them, in PEM form, or a file with it"),
    Setting("jwt_jwks", _TEXT, None, "the same: a file with the public keys of who makes them (JWK Set), read again when it changes"),
    Setting("jwt_algorithm", kinds.choice(Algorithm), None, "the one algorithm of signed tokens", "by the key's kind: HS256, RS256, ES256 to ES512, EdDSA"),
    Setting("jwt_leeway", kinds.seconds(), "5", "how far the clock of who makes tokens may be off"),
    Setting("workers", kinds.count(1, _MAX_WORKERS), "1", "processes sharing listen; more than one needs redis_url"),
    Setting("emitter_compat", kinds.boolean(), "false", "pass events of Socket.IO's Redis emitters on to clients; needs redis_url"),
    _later("admin_ui", kinds.boolean(), "false", "serve Socket.IO's admin UI", False),
    Setting("log_format", kinds.choice(LogFormat), "text", "text, or json: one object a line"),
)  # fmt: skip

BY_NAME: dict[str, Setting] = {setting.name: setting for setting in SETTINGS}
FILES: dict[str, Setting] = {each.file_name: each for each in SETTINGS if each.secret}
"""Settings that may be read from a file, by the name of the setting with the path."""
CONFIG = "config"
"""The name of the TOML file: an option or a variable, never a key of the file itself."""
ENV_PREFIX = "REWARD_PUSH_"


def help_line(setting: Setting) -> str:
    """Return what ``--help`` says about ``setting``: meaning, unit and default."""
    facts = [setting.kind.unit] if setting.kind.unit else []
    facts.append(f"default: {setting.default_words or setting.default or 'none'}")
    if not setting.supported:
        facts.append("not supported by this version")
    return f"{setting.doc} ({'; '.join(facts)})"


def variable(name: str) -> str:
    """Return the environment variable of the setting ``name``."""
    return ENV_PREFIX + name.upper()


def option(name: str) -> str:
    """Return the command line's option of the setting ``name``."""
    return "--" + name.replace("_", "-")
