"""Where Redis is, and how to be let in: the setting ``redis_url``, read.

========================================================================  =====================================
``redis://[[user]:password@]host[:6379][/database]``                      Redis itself
``rediss://…[?ca=/path.pem]``                                             the same over TLS, verified
``redis+sentinel://[[user]:password@]host[:26379],…/service[/database]``  the master that Sentinels name
========================================================================  =====================================

The user and password before ``@`` are those of Redis. For Sentinels the query may add ``sentinel_user`` and
``sentinel_password`` (theirs), and ``tls=true`` with ``ca`` (TLS to them and to Redis). What is special in a
URL is written in percent-encoding: ``p%40ss`` is ``p@ss``.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Self
from urllib.parse import unquote

import attrs

REDIS_PORT = 6379
SENTINEL_PORT = 26379
MAX_SENTINELS = 16

_SCHEMES = ("redis", "rediss", "redis+sentinel")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# A host's name, an IPv4 address, or an IPv6 address in brackets; then perhaps a port.
_HOST_AND_PORT = re.compile(
    rf"(?P<host>{_LABEL}(\.{_LABEL})*\.?|\[(?P<six>[0-9A-Fa-f:.]{{2,45}})\])"
    r"(:(?P<port>[0-9]{1,5}))?"
)
_SERVICE = re.compile(r"[A-Za-z0-9._-]{1,128}")
_DATABASE = re.compile(r"[0-9]{1,6}")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODE = "in user and password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25"


@attrs.frozen
class HostPort:
    """A host and a TCP port."""

    host: str
    """A name or an address; IPv6 without brackets."""
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@attrs.frozen
class Credentials:
    """What ``AUTH`` is told."""

    user: str | None
    """An ACL user; ``None``: the default one."""
    password: str = attrs.field(repr=False)


@attrs.frozen
class Tls:
    """TLS: the certificate must be from a known root and name the host."""

    ca: str | None
    """A file of PEM certificates to trust and no others; ``None``: those of the system."""


@attrs.frozen
class RedisAddress:
    """Where Redis is. No text made of it holds a password."""

    hosts: tuple[HostPort, ...]
    """Redis itself, or the Sentinels that know where it is."""
    service: str | None = None
    """The Sentinels' name for it; ``None``: there are no Sentinels."""
    credentials: Credentials | None = None
    """For Redis."""
    sentinel_credentials: Credentials | None = None
    """For the Sentinels."""
    tls: Tls | None = None
    database: int = 0

    def __str__(self) -> str:
        hosts = ",".join(map(str, self.hosts))
        return hosts if self.service is None else f"{self.service} of the Sentinels {hosts}"

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read ``url``. Raises ``ValueError``: one line that says what is wrong, but shows nothing of it."""
        if not url.isprintable() or " " in url:
            raise ValueError(f"must be without spaces and control characters; {_ENCODE}")
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in _SCHEMES:
            raise ValueError(f"must begin with {', '.join(f'{each}://' for each in _SCHEMES)}")
        if "#" in rest:
            raise ValueError(f"must have no #; {_ENCODE}")
        rest, _, query = rest.partition("?")
        authority, _, path = rest.partition("/")
        login, _, hosts = authority.rpartition("@")
        credentials = _credentials(login) if "@" in authority else None
        if scheme == "redis+sentinel":
            return cls._of_sentinels(hosts, path, credentials, query)
        options = _options(query, {"ca"} if scheme == "rediss" else ())
        return cls(
            hosts=(_host_and_port(hosts, REDIS_PORT),),
            credentials=credentials,
            tls=Tls(options.get("ca")) if scheme == "rediss" else None,
            database=_database(path),
        )

    @classmethod
    def _of_sentinels(
        cls, hosts: str, path: str, credentials: Credentials | None, query: str
    ) -> Self:
        options = _options(query, {"tls", "ca", "sentinel_user", "sentinel_password"})
        service, _, database = path.partition("/")
        if not _SERVICE.fullmatch(service):
            raise ValueError(
                "must name the service that the Sentinels watch: "
                "redis+sentinel://host:port,host:port/service, of A-Z a-z 0-9 . _ -"
            )
        sentinels = tuple(_host_and_port(each, SENTINEL_PORT) for each in hosts.split(","))
        if len(sentinels) > MAX_SENTINELS:
            raise ValueError(f"must name at most {MAX_SENTINELS} Sentinels")
        return cls(
            hosts=sentinels,
            service=service,
            credentials=credentials,
            sentinel_credentials=_sentinel_credentials(options),
            tls=_sentinel_tls(options),
            database=_database(database),
        )


def _credentials(login: str) -> Credentials:
    user, colon, password = login.partition(":")
    if not colon:
        raise ValueError("has a user without a password: write user:password@, or :password@")
    if not user and not password:
        raise ValueError("has an empty user and password before the @")
    return Credentials(_decoded(user) or None, _decoded(password))


def _sentinel_credentials(options: Mapping[str, str]) -> Credentials | None:
    user, password = options.get("sentinel_user"), options.get("sentinel_password")
    if password is None:
        if user is not None:
            raise ValueError("has sentinel_user without sentinel_password")
        return None
    return Credentials(user, password)


def _sentinel_tls(options: Mapping[str, str]) -> Tls | None:
    wanted = options.get("tls", "false")
    if wanted not in ("true", "false"):
        raise ValueError("must have tls=true or tls=false")
    if wanted == "true":
        return Tls(options.get("ca"))
    if "ca" in options:
        raise ValueError("has ca without tls=true")
    return None


def _host_and_port(text: str, default_port: int) -> HostPort:
    match = _HOST_AND_PORT.fullmatch(text)
    port = int(match["port"] or default_port) if match else 0
    if match is None or not 0 < port <= 65535:
        raise ValueError(
            "must have a host (A-Z a-z 0-9 - and dots), or host:port with a port from 1 to 65535, "
            f"an IPv6 address in brackets; {_ENCODE}"
        )
    return HostPort(match["six"] or match["host"], port)


def _database(text: str) -> int:
    if text and not _DATABASE.fullmatch(text):
        raise ValueError(f"must end in the number of a database, or nothing; {_ENCODE}")
    return int(text or 0)


def _options(query: str, known: Collection[str]) -> Mapping[str, str]:
    options: dict[str, str] = {}
    for name, value in _pairs(query):
        if name not in known:
            # What stands there may be the rest of a password with a "?" in it.
            knows = f"knows only {', '.join(sorted(known))}" if known else "has no options"
            raise ValueError(f"has an option after ? that is unknown: this form {knows}; {_ENCODE}")
        if name in options:
            raise ValueError(f"has {name} twice")
        if not value:
            raise ValueError(f"has an empty {name}")
        options[name] = _decoded(value)
    return options


def _pairs(query: str) -> Iterable[tuple[str, str]]:
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        yield name, value


def _decoded(text: str) -> str:
    if _STRAY_PERCENT.search(text):
        raise ValueError(f"has a % that begins no percent-encoding; {_ENCODE}")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has percent-encoding that is not UTF-8") from None
    if "\0" in decoded:
        raise ValueError("must have no %00")
    return decoded
