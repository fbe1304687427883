"""What is posted and what fails, and when: all of it drawn from one seed."""

import random
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

import attrs

from tests.running_node import Json, message

from .cast import Cast

LONG_MS = 600_000
"""The life of most messages: longer than any run, so that each device comes online before it ends."""
FIRST_FAULT_S, LAST_FAULT_S = 2.0, 8.0
"""Free of faults: so long at the beginning, and so long before the last message."""


@attrs.frozen
class Posting:
    """A message, and when it is to be posted, from the run's beginning."""

    at_s: float
    body: Json
    devices: tuple[str, ...]
    """Whom it is for."""

    @property
    def id(self) -> str:
        """Its name."""
        return str(self.body["id"])

    @property
    def once(self) -> bool:
        """Whether only one device may have it."""
        return bool(self.body.get("once"))


def postings(cast: Cast, count: int, duration_s: float, choose: random.Random) -> list[Posting]:
    """Draw ``count`` messages over ``duration_s``, in order."""
    moments = sorted(choose.uniform(0, duration_s) for _ in range(count))
    return [_posting(number, at_s, cast, choose) for number, at_s in enumerate(moments)]


def _posting(number: int, at_s: float, cast: Cast, choose: random.Random) -> Posting:
    fields: dict[str, Any] = {"id": f"m{number}", "ttl_ms": LONG_MS}
    [kind] = choose.choices(["now", "later", "short", "once", "once later"], [40, 22, 14, 14, 10])
    if "later" in kind:
        fields["delay_ms"] = choose.randrange(100, 8_000)
    if kind == "short":
        fields["ttl_ms"] = choose.randrange(200, 4_000)
        fields["delay_ms"] = choose.choice([0, choose.randrange(3_000)])
    if "once" in kind:
        fields["once"] = True
    fields["to"] = _to(cast, choose, "once" in kind)
    body = message("", {"n": number}, **fields)
    return Posting(at_s, body, cast.audience(fields["to"]))


def _to(cast: Cast, choose: random.Random, once: bool) -> object:
    [kind] = choose.choices(["one", "two", "group", "all"], [940, 30, 26, 4])
    if kind == "all" and not once:
        return "all"
    if kind == "group":
        return {"group": choose.choice(cast.plugins).group}
    if kind == "two":
        return {"streamers": choose.sample(cast.streamers, 2)}
    return {"streamer": choose.choice(cast.streamers)}


class Kind(StrEnum):
    """What fails."""

    KILLED = "node killed (SIGKILL)"
    PAUSED = "node paused (SIGSTOP)"
    DRAINED = "node drained (SIGTERM)"
    REDIS_RESTARTED = "Redis restarted"
    LINK_CUT = "link to Redis cut"
    LINK_STALLED = "link to Redis stalled"
    DOOR_CUT = "node unreachable for others"


ON_ONE_NODE = (Kind.KILLED, Kind.PAUSED, Kind.DRAINED, Kind.LINK_CUT, Kind.LINK_STALLED)
RECOVERY_S = 3.0
"""For so long after a fault its node has no other one."""


@attrs.frozen
class Fault:
    """Something that fails, from a moment of the run, for a while."""

    at_s: float
    kind: Kind
    node: int | None
    """The index of the node; ``None``: it is everybody's."""
    lasts_s: float

    def __str__(self) -> str:
        where = "" if self.node is None else f" n{self.node + 1}"
        return f"{self.at_s:5.1f} s: {self.kind}{where}, {self.lasts_s:.1f} s"


_LASTS_S = {
    Kind.KILLED: (0.2, 2.5),
    Kind.PAUSED: (0.5, 12.0),
    Kind.DRAINED: (0.1, 1.0),
    Kind.REDIS_RESTARTED: (0.0, 2.0),
    Kind.LINK_CUT: (0.1, 4.0),
    Kind.LINK_STALLED: (0.5, 9.0),
    Kind.DOOR_CUT: (0.5, 4.0),
}
_WEIGHTS = {
    Kind.KILLED: 4,
    Kind.PAUSED: 4,
    Kind.DRAINED: 4,
    Kind.REDIS_RESTARTED: 2,
    Kind.LINK_CUT: 3,
    Kind.LINK_STALLED: 2,
    Kind.DOOR_CUT: 1,
}


def faults(nodes: int, duration_s: float, choose: random.Random) -> list[Fault]:
    """Draw faults for ``duration_s``, in order. Each kind comes first once; one node always has none."""
    return list(_faults(nodes, duration_s, choose))


def _faults(nodes: int, duration_s: float, choose: random.Random) -> Iterator[Fault]:
    due = choose.sample(list(Kind), len(Kind))
    free_at_s = [0.0] * nodes
    at_s = FIRST_FAULT_S
    while due or at_s < duration_s - LAST_FAULT_S:
        kind = due.pop() if due else choose.choices(*_weighted())[0]
        lasts_s = min(choose.uniform(*_LASTS_S[kind]), duration_s / 6)
        free = [node for node in range(nodes) if free_at_s[node] <= at_s]
        node: int | None = None
        if kind is not Kind.REDIS_RESTARTED:
            if len(free) < 2:
                due.append(kind)
                at_s += 0.5
                continue
            node = choose.choice(free)
            free_at_s[node] = at_s + lasts_s + RECOVERY_S
        yield Fault(at_s, kind, node, lasts_s)
        at_s += choose.uniform(0.5, 2.5)


def _weighted() -> tuple[Sequence[Kind], Sequence[int]]:
    return list(_WEIGHTS), list(_WEIGHTS.values())
