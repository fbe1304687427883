"""The settings of a node as the rest of it sees them: checked, frozen, one class a concern."""

from enum import StrEnum

import attrs

from ..access.limits import GuardLimits
from ..access.token_keys import Algorithm, TokenKeys
from ..engineio.options import EngineOptions


class LogFormat(StrEnum):
    """How the log is written."""

    TEXT = "text"
    """Twisted's own lines."""
    JSON = "json"
    """One JSON object a line."""


@attrs.frozen
class HttpSettings:
    """Deadlines (seconds) and limits (bytes) of HTTP requests. 0 switches each of them off."""

    idle_timeout_s: float
    """The idle timeout of the load balancer in front of the node."""
    header_timeout_s: float
    """Total time for a request's head."""
    body_timeout_s: float
    """Total time for a request's body."""
    max_api_body_bytes: int
    """Largest body of an API call."""
    max_api_batch_bytes: int
    """Largest body of a batch of messages."""


@attrs.frozen
class StoreSettings:
    """The embedded store."""

    path: str
    """A file, or ``:memory:``."""
    retention_s: float
    """How long ended messages, their receipts and their ids are kept; 0: for ever."""


@attrs.frozen
class ClusterSettings:
    """Several nodes that share one Redis."""

    redis_url: str = attrs.field(repr=False)
    """``redis://``, ``rediss://`` or ``redis+sentinel://``; it may hold a password."""
    redis_prefix: str
    """First part of every key and channel."""
    listen: str
    """Twisted endpoint string for other nodes."""
    advertise: str | None
    """Host or ``host:port`` that other nodes reach this one at; ``None``: found out."""
    secret: str | None = attrs.field(repr=False)
    """Shared by the nodes; ``None``: derived."""
    drain_s: float
    """How long a stopping node takes to move its clients away; 0: at once."""
    emitter_compat: bool
    """Whether events of Socket.IO's Redis emitters are passed on."""
    retention_s: float
    """How long ended messages, their receipts and their ids are kept; 0: for ever."""


@attrs.frozen
class TokenSettings:
    """Signed tokens beside API keys."""

    keys: TokenKeys
    """What they may be signed with."""
    jwks_path: str | None
    """The file that the keys come from, to be read again when it changes; ``None``: they never change."""
    algorithm: Algorithm | None
    """The one configured; ``None``: by the key's kind."""
    leeway_s: float
    """How far the clock of who makes tokens may be off."""


@attrs.frozen
class Settings:
    """Everything a node is told."""

    node_id: str
    """1 to 32 of ``A-Z a-z 0-9 . _ -``."""
    listen: tuple[str, ...]
    """Twisted endpoint strings, at least one."""
    internal_listen: tuple[str, ...]
    """The same for backends and operators; empty: they are served where clients are."""
    path: str
    """Where Engine.IO is served; without a trailing slash."""
    namespaces: tuple[str, ...]
    """Every namespace served; ``/`` comes first."""
    connect_timeout_s: float
    """How long a client may stay without a namespace; 0: for ever."""
    cors_origins: tuple[str, ...]
    """Origins in lower case, or the single entry ``*``: every one."""
    trusted_proxies: tuple[str, ...]
    """Addresses and networks of proxies, and ``loopback``."""
    engine: EngineOptions
    guard: GuardLimits
    http: HttpSettings
    store: StoreSettings
    cluster: ClusterSettings | None
    """``None``: a node on its own, with the embedded store."""
    workers: int
    """Processes that share ``listen``."""
    backend_key: str | None = attrs.field(repr=False)
    """A backend key with every right."""
    tokens: TokenSettings | None
    """``None``: API keys only."""
    log_format: LogFormat
