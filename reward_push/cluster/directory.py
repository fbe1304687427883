"""The nodes of the cluster: each writes a record into Redis, and keeps a copy of all of them.

A record is written every two seconds and expires after six. Who is alive is judged by :mod:`.roster`. While
Redis is away the last copy stays valid, as nodes reach each other without it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.defer import TimeoutError as GaveUp
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..access.interfaces import StoreUnavailable
from ..rewards.instants import to_rfc3339
from .beat import BEAT
from .interfaces import IRedis
from .member import Load, Member, member_of
from .roster import BEAT_S, EXPIRY_S, Roster
from .secret import SharedSecret

ASK_SPACING_S = 0.1
"""How long after one question to Redis the next one may follow, however many requests want to know."""
ASK_TIMEOUT_S = 1.0
"""How long a request waits to hear whose session it is for, or which nodes there are."""
MAX_ASKING = 1_000
"""How many requests wait for that at once; those beyond are told what is known."""
MAX_MEMBERS = 1_000


class Directory:
    """The nodes of the cluster, this one among them."""

    _log = Logger()

    def __init__(
        self,
        redis: IRedis,
        prefix: str,
        me: Member,
        load: Callable[[], Load],
        secret: SharedSecret,
        clock: IReactorTime,
        now_ms: Callable[[], int],
    ) -> None:
        """``me``: this node's record as it starts; ``load`` is asked at each beat."""
        self._redis = redis
        self._prefix = prefix
        self._me = me
        self._load = load
        self._secret = secret
        self._clock: Any = clock
        self._now_ms = now_ms
        self._roster = Roster(me.node_id)
        self._loop = LoopingCall(self._beat)
        self._loop.clock = clock
        self._began_s: float | None = None
        """When Redis was last asked."""
        self._asking: list[Deferred[None]] = []
        self._next_ask: IDelayedCall | None = None
        self._away = False
        self._leaving = False
        self._doubted_s: float | None = None
        self._doubles: set[str] = set()

    # Life

    def start(self) -> "Deferred[None]":
        """Begin to beat; fires after the first beat, whether Redis has answered it or not."""
        first: Deferred[None] = Deferred()
        self._asking.append(first)
        self._loop.start(BEAT_S)
        return first

    def hurry(self) -> None:
        """Beat at once: Redis is there again, or the others should know something. Nothing before the start."""
        if self._loop.running:
            self._beat()

    def leave(self) -> "Deferred[None]":
        """Tell the others that this node has stopped. Nothing is written afterwards."""
        self._leaving = True
        if self._loop.running:
            self._loop.stop()
        if self._next_ask is not None:
            self._next_ask.cancel()
            self._next_ask = None
        self._tell(self._asking)
        self._me = attrs.evolve(self._me, beat=self._me.beat + 1, left=True)
        return self._write().addCallbacks(lambda _: None, self._failed)

    def located(self, address: str) -> None:
        """Other nodes reach this one at ``address``, ``host:port``; to be known before :meth:`start`."""
        self._me = attrs.evolve(self._me, address=address, since_ms=self._now_ms())

    def on_gone(self, callback: Callable[[Member], object]) -> None:
        """See :meth:`.roster.Roster.on_gone`."""
        self._roster.on_gone(callback)

    def trouble(self) -> str | None:
        """Return what is wrong for :class:`..ops.health.Health`."""
        if self._roster.answered_s is None:
            return "other nodes do not know this one yet"
        doubted = self._doubted_s
        if doubted is not None and self._clock.seconds() - doubted < EXPIRY_S:
            return f"another node uses the node_id {self._me.node_id}, too"
        return None

    # Questions

    def find(self, node_id: str) -> Member | None:
        """Return another node that is alive, as far as is known here."""
        return self._roster.find(node_id)

    def ask(self, node_id: str, *, anew: bool = False) -> "Deferred[Member | None]":
        """Like :meth:`find`, but ask Redis once more for a node that is not known here.

        With ``anew`` for one that is known, too: it does not answer, and may be elsewhere by now. Redis is
        not asked more often, however many want to know: those that come together are one question.
        """
        found = self.find(node_id)
        if found is not None and not anew:
            return succeed(found)
        return self._read_anew().addCallback(lambda _: self.find(node_id))

    def others(self) -> list[str]:
        """Name the other nodes that are alive, as far as is known here."""
        return self._roster.names()

    def nodes(self) -> "Deferred[Sequence[Mapping[str, Any]]]":
        """Return what ``GET /v1/nodes`` shows: this node and all others alive, by name.

        Redis is asked first, so that who has just come or gone is seen; without it, as far as is known here.
        """
        return self._read_anew().addCallback(lambda _: self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        me = attrs.evolve(self._me, **attrs.asdict(self._load()))
        rows = [(me, 0.0), *self._roster.heard(self._clock.seconds())]
        now_ms = self._now_ms()
        return [_shown(member, now_ms, ago_s) for member, ago_s in sorted(rows, key=_name_of)]

    # Beats

    def _beat(self) -> "Deferred[None]":
        self._began_s = self._clock.seconds()
        self._me = attrs.evolve(self._me, beat=self._me.beat + 1, **attrs.asdict(self._load()))
        # Who asks from now on needs an answer to a later question.
        asking, self._asking = self._asking, []
        told = maybeDeferred(self._write).addCallbacks(self._read, self._failed)
        return told.addErrback(self._broken).addCallback(lambda _: self._tell(asking))

    def _write(self) -> "Deferred[Any]":
        expiry_ms = round(EXPIRY_S * 1000)
        me = self._me
        record = me.to_json()
        return self._redis.run(
            BEAT,
            [self._prefix, me.node_id, record, expiry_ms, MAX_MEMBERS, self._secret.offer],
        )

    def _failed(self, failure: Failure) -> None:
        failure.trap(StoreUnavailable)
        if not self._away:
            self._away = True
            self._log.warn(
                "Redis does not answer: the {count} other nodes known stay known",
                count=len(self._roster),
            )

    def _broken(self, failure: Failure) -> None:
        self._log.failure("the directory of nodes failed", failure)

    def _read(self, answer: "tuple[str, str, list[str]]") -> None:
        before, secret, records = answer
        self._away = False
        self._secret.told(secret)
        self._look_for_double(before)
        members = [member for text in records if (member := member_of(text)) is not None]
        self._roster.read(members, self._clock.seconds())

    def _look_for_double(self, before: str) -> None:
        """See whether somebody else has written this node's record since its last beat.

        At the first beat that is no more than a predecessor's, whose name this node has taken over.
        """
        other = member_of(before) if before and self._me.beat > 1 else None
        if other is None or other.instance == self._me.instance or other.left:
            return
        self._doubted_s = self._clock.seconds()
        if other.instance not in self._doubles and len(self._doubles) < MAX_MEMBERS:
            self._doubles.add(other.instance)
            self._log.error(
                "another node, at {address}, uses the node_id {node}, too: requests for the sessions"
                " of one reach the other. Give each node a node_id of its own, or none",
                address=other.address,
                node=self._me.node_id,
            )

    # Questions in between

    def _read_anew(self) -> "Deferred[None]":
        """Fire once Redis has been asked for all records again, or does not answer in time."""
        if not self._loop.running or len(self._asking) >= MAX_ASKING:
            return succeed(None)
        answered: Deferred[None] = Deferred()
        self._asking.append(answered)
        self._ask_soon()
        return answered.addTimeout(ASK_TIMEOUT_S, self._clock).addErrback(_gave_up)

    def _ask_soon(self) -> None:
        if self._next_ask is None:
            since_s = ASK_SPACING_S
            if self._began_s is not None:
                since_s = self._clock.seconds() - self._began_s
            self._next_ask = self._clock.callLater(max(0.0, ASK_SPACING_S - since_s), self._ask)

    def _ask(self) -> None:
        self._next_ask = None
        if self._asking:
            self._beat()

    def _tell(self, asking: "list[Deferred[None]]") -> None:
        for each in asking:
            if not each.called:
                each.callback(None)


def _gave_up(failure: Failure) -> None:
    failure.trap(GaveUp)


def _name_of(row: tuple[Member, float]) -> str:
    return row[0].node_id


def _shown(member: Member, now_ms: int, heard_ago_s: float) -> dict[str, Any]:
    """Return one node as ``/healthcheck`` shows it, and what only others can tell."""
    return {
        "status": member.status,
        "node": member.node_id,
        "version": member.version,
        "uptime_s": round((now_ms - member.since_ms) / 1000, 3),
        "connections": member.connections,
        "since": to_rfc3339(member.since_ms),
        "draining": member.status == "draining",
        "heard_ago_s": round(heard_ago_s, 3),
    }
