"""What each worker is told: the settings of all, and what it must have for itself."""

import re

import attrs

from .errors import SettingsError
from .model import Settings

MAX_NODE_ID = 32
_MAX_PORT = 65535
_TCP = re.compile(r"((?:haproxy:)?(?:tcp6?|ssl|tls):)(.*)", re.DOTALL)
_NUMBER = re.compile(r"((?:port=)?)([0-9]+)", re.ASCII)


def check_shares(settings: Settings) -> None:
    """Raise :class:`.errors.SettingsError` for what several workers cannot have."""
    if settings.workers == 1:
        return
    for description in settings.listen:
        if _TCP.fullmatch(description) is None:
            kind = description.partition(":")[0]
            raise SettingsError(
                "listen",
                description,
                f"workers cannot share a {kind}: endpoint, only tcp:, tcp6: and ssl:,"
                " with or without haproxy: before them",
            )
    # What the last one can have all can.
    share_of(settings, settings.workers)


def share_of(settings: Settings, number: int) -> Settings:
    """Return the settings of worker ``number``, which counts from 1.

    Each is a node with a name of its own (``-1``, ``-2``, … behind the common one). Ports that must be its
    own are counted up from the one that is given: what other nodes and what scrapers connect to. Raises
    :class:`.errors.SettingsError`.
    """
    node_id = f"{settings.node_id}-{number}"
    if len(node_id) > MAX_NODE_ID:
        most = MAX_NODE_ID - len(f"-{number}")
        rule = f"with that many workers it may have {most} characters at most"
        raise SettingsError("node_id", settings.node_id, rule)
    above = number - 1
    cluster = settings.cluster
    if cluster is not None:
        cluster = attrs.evolve(
            cluster,
            listen=counted_up("cluster_listen", cluster.listen, above),
            advertise=cluster.advertise and _advertised(cluster.advertise, above),
        )
    return attrs.evolve(
        settings,
        node_id=node_id,
        workers=1,
        internal_listen=tuple(
            counted_up("internal_listen", each, above) for each in settings.internal_listen
        ),
        cluster=cluster,
    )


def counted_up(name: str, description: str, by: int) -> str:
    """Return an endpoint string whose port is larger by ``by``; port 0, any free one, stays.

    Raises :class:`.errors.SettingsError` for what has no port.
    """
    kind = _TCP.fullmatch(description)
    if kind is None:
        rule = (
            "each worker needs one of its own, so it must be a TCP port, from which is counted up"
        )
        raise SettingsError(name, description, rule)
    parts = re.split(r"(?<!\\):", kind[2])
    at = next((at for at, part in enumerate(parts) if _NUMBER.fullmatch(part)), None)
    if at is not None:
        keyword, port = _NUMBER.fullmatch(parts[at]).groups()  # type: ignore[union-attr]
        parts[at] = f"{keyword}{_above(name, int(port), by)}"
    elif by:
        raise SettingsError(name, description, "its port must be given, to be counted up from")
    return kind[1] + ":".join(parts)


def _advertised(advertise: str, by: int) -> str:
    host, colon, port = advertise.rpartition(":")
    if not colon or not port.isdigit():
        return advertise
    return f"{host}:{_above('cluster_advertise', int(port), by)}"


def _above(name: str, port: int, by: int) -> int:
    if not port:
        return 0
    if port + by > _MAX_PORT:
        raise SettingsError(name, port, "there are not enough ports above it for all workers")
    return port + by
