"""What a single text must look like: each function returns it as it is used or raises ``ValueError``."""

import re
from ipaddress import ip_network

from ..access.addresses import LOOPBACK
from ..cluster.address import RedisAddress

_NODE_ID = re.compile(r"[A-Za-z0-9._-]{1,32}", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+", re.ASCII)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#,@]*", re.ASCII)
MIN_KEY_CHARS = 16
"""Of a secret that is compared or signs: fewer could be found by trying."""
MAX_KEY_CHARS = 256
_KEY = re.compile(rf"[!-~]{{{MIN_KEY_CHARS},{MAX_KEY_CHARS}}}", re.ASCII)
_PORT = re.compile(r"(?:haproxy:)?(?:tcp6?|ssl|tls):(?:port=)?([0-9]+)(?::|$)", re.ASCII)
_PREFIX = re.compile(r"[A-Za-z0-9._:-]{1,32}", re.ASCII)
_HOST_AND_PORT = re.compile(
    r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII
)
_MAX_PATH = 128
_MAX_NAMESPACE = 64
_TRANSPORTS = ("polling", "websocket")
RESERVED_PATHS = ("v1", "healthcheck", "readyz", "metrics", "console", "overlay")
"""First segments of paths that the node answers itself."""
ANY_ORIGIN = "*"
ROOT = "/"


def not_empty(value: str) -> str:
    """Any text but an empty one, without NUL."""
    if not value or "\0" in value:
        raise ValueError("must not be empty")
    return value


def node_id(value: str) -> str:
    """The name of a node."""
    if not _NODE_ID.fullmatch(value):
        raise ValueError("must be 1 to 32 of A-Z a-z 0-9 . _ -")
    return value


def engine_path(value: str) -> str:
    """The path of Engine.IO; the trailing slash is dropped."""
    path = value.removesuffix("/")
    if not _PATH.fullmatch(path) or len(path) > _MAX_PATH or {".", ".."} & set(path.split("/")):
        raise ValueError(
            f"must be a path such as /websockets, up to {_MAX_PATH} of A-Z a-z 0-9 . _ ~ - /"
        )
    if path.split("/")[1] in RESERVED_PATHS:
        raise ValueError(f"must not begin with /{path.split('/')[1]}, which the node serves itself")
    return path


def namespace(value: str) -> str:
    """The name of a Socket.IO namespace."""
    # A comma ends a namespace on the wire, "?" starts its query, "#" is a fragment in a client's URL.
    allowed = value.isprintable() and not set(" ,?#") & set(value)
    if not value.startswith("/") or not allowed or len(value) > _MAX_NAMESPACE:
        raise ValueError(
            f"must begin with / and have at most {_MAX_NAMESPACE} characters, no space , ? #"
        )
    return value


def with_root(namespaces: tuple[str, ...]) -> tuple[str, ...]:
    """The namespaces given and, always and first, ``/``."""
    return (ROOT, *(each for each in namespaces if each != ROOT))


def transport(value: str) -> str:
    """The name of a transport."""
    if value not in _TRANSPORTS:
        raise ValueError("must be polling, websocket or both")
    return value


def at_least_one(values: tuple[str, ...]) -> tuple[str, ...]:
    """Any list but an empty one."""
    if not values:
        raise ValueError("must not be empty")
    return values


def origin(value: str) -> str:
    """An origin as browsers send it, or ``*`` or ``null``."""
    lowered = value.lower()
    if lowered not in (ANY_ORIGIN, "null") and not _ORIGIN.fullmatch(lowered):
        raise ValueError(
            "must be * or origins such as https://example.com, without a path or slash"
        )
    return lowered


def origins(values: tuple[str, ...]) -> tuple[str, ...]:
    """Origins, or the one entry ``*``."""
    if ANY_ORIGIN in values and len(values) > 1:
        raise ValueError("must be * alone or origins without *")
    return values


def proxy(value: str) -> str:
    """A proxy: its address, a network of them, or the word for this machine."""
    if value == LOOPBACK:
        return value
    try:
        return str(ip_network(value))
    except ValueError:
        raise ValueError(
            f"must be addresses, networks such as 10.0.0.0/8 (without bits below the mask), or {LOOPBACK}"
        ) from None


def key(value: str) -> str:
    """A key or a secret between nodes: hard to guess, and it has to fit into an HTTP header."""
    if not _KEY.fullmatch(value):
        raise ValueError(
            f"must be {MIN_KEY_CHARS} to {MAX_KEY_CHARS} visible ASCII characters without spaces"
        )
    return value


def redis_url(value: str) -> str:
    """Where Redis is, as :class:`..cluster.address.RedisAddress` reads it."""
    RedisAddress.parse(value)
    return value


def redis_prefix(value: str) -> str:
    """The first part of every key and channel in Redis."""
    if not _PREFIX.fullmatch(value):
        raise ValueError("must be 1 to 32 of A-Z a-z 0-9 . _ : -")
    return value


def host_and_port(value: str) -> str:
    """A host, or a host and a port: ``10.0.0.7``, ``node-1:9000``, ``[::1]:9000``."""
    match = _HOST_AND_PORT.fullmatch(value)
    if not match or (match[1] and not 0 < int(match[1]) <= 65535):
        raise ValueError("must be a host, or host:port; an IPv6 address in brackets")
    return value


def node_endpoint(value: str) -> str:
    """The description of a server endpoint that other nodes can connect to."""
    if not value.startswith(("tcp:", "tcp6:")):
        raise ValueError("must be tcp: or tcp6:, which other nodes can connect to")
    return endpoint(value)


def endpoint(value: str) -> str:
    """The description of a Twisted server endpoint."""
    # Imported here: ``twistd reward-push --help`` does not need it.
    from twisted.internet.endpoints import serverFromString

    port = _PORT.match(value)
    if port and int(port[1][:9]) > 65535:
        raise ValueError("must be an endpoint with a port up to 65535")
    try:
        # Parsing only: the reactor is used when the endpoint listens.
        serverFromString(None, value)
    except Exception as error:
        # Parsers come from plugins too, and each has its own way to fail.
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"must be a Twisted endpoint string such as tcp:8080 ({reason})") from None
    return value
