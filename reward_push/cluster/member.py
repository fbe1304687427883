"""One node as the others know it: the record it keeps in Redis."""

import json
from typing import Any

import attrs

_TEXTS = ("node_id", "instance", "address", "version", "status")
_NUMBERS = ("beat", "since_ms", "connections")


@attrs.frozen
class Load:
    """What a node says about itself at every beat."""

    connections: int
    """Clients connected to it."""
    status: str
    """As in its ``/healthcheck``: ``ok``, ``degraded``, ``starting``, ``draining``."""


@attrs.frozen
class Member:
    """A node's record. What it was at its last beat."""

    node_id: str
    instance: str
    """Random, another one at each start: tells a node from another that uses its name."""
    beat: int
    """Counts its beats."""
    address: str
    """Where its listener for other nodes is, ``host:port``. Not for the outside."""
    version: str
    since_ms: int
    """When it started, epoch milliseconds of the cluster's clock."""
    connections: int
    status: str
    left: bool = False
    """Its last words: it has stopped."""

    def to_json(self) -> str:
        """Return the record."""
        return json.dumps(attrs.asdict(self), separators=(",", ":"))


def member_of(text: str) -> Member | None:
    """Read a record; ``None`` for what is none. Members that a newer version writes are passed over."""
    try:
        fields: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    texts = {name: fields.get(name) for name in _TEXTS}
    numbers = {name: fields.get(name) for name in _NUMBERS}
    if not all(type(value) is str for value in texts.values()):
        return None
    if not all(type(value) is int for value in numbers.values()):
        return None
    values: dict[str, Any] = {**texts, **numbers, "left": fields.get("left") is True}
    return Member(**values)
