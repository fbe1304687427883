"""Who is alive: every node writes a record into Redis, and keeps a copy of all of them.

A record is written every two seconds and expires after six. Whether another node is alive is judged by
its beats, on this node's own clock, and only while Redis answers: when Redis is away, or has come back
empty, nobody is taken for dead on that account. The last copy stays valid then, as nodes reach each other
without Redis.
"""

from collections.abc import Callable
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
from .interfaces import IRedis, Script
from .member import Load, Member, member_of
from .secret import SharedSecret

BEAT_S = 2.0
EXPIRY_S = 6.0
"""How long a node is believed to be alive after its last beat."""
ASK_SPACING_S = 0.1
"""How long after one question to Redis the next one may follow, however many requests want to know."""
ASK_TIMEOUT_S = 1.0
"""How long a request waits to hear whose session it is for."""
MAX_ASKING = 1_000
"""How many requests wait for that at once; those beyond are for a node that is not known."""
MAX_MEMBERS = 1_000

BEAT = Script(
    "beat",
    """
-- ARGV: prefix, node id, record, expiry in ms, most members, secret to keep if there is none ('': none)
-- Returns what the record was before, the secret kept, and all records.
local prefix, id, expiry_ms = ARGV[1], ARGV[2], tonumber(ARGV[4])
local names = prefix .. 'nodes'
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call('GET', prefix .. 'node:' .. id) or ''
redis.call('SET', prefix .. 'node:' .. id, ARGV[3], 'PX', expiry_ms)
redis.call('ZADD', names, now_ms + expiry_ms, id)
redis.call('ZREMRANGEBYSCORE', names, '-inf', now_ms)
local secret = ''
if ARGV[6] ~= '' then
    redis.call('SET', prefix .. 'secret', ARGV[6], 'NX')
    secret = redis.call('GET', prefix .. 'secret')
end
local records = {}
for _, each in ipairs(redis.call('ZREVRANGE', names, 0, ARGV[5] - 1)) do
    local record = redis.call('GET', prefix .. 'node:' .. each)
    if record then
        records[#records + 1] = record
    end
end
return {before, secret, records}
""",
)


@attrs.define
class _Known:
    """What is known of another node."""

    member: Member
    heard_s: float
    """When its last new beat was read, in the time during which Redis answered."""


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
        self._others: dict[str, _Known] = {}
        self._gone: list[Callable[[Member], object]] = []
        self._loop = LoopingCall(self._beat)
        self._loop.clock = clock
        self._began_s: float | None = None
        """When Redis was last asked."""
        self._answered_s: float | None = None
        """When Redis last answered."""
        self._attended_s = 0.0
        """For how long it has been answering, gaps left out."""
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
        """Redis is there, or there again: beat at once, not with the next beat. Nothing before the start."""
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
        """Call ``callback`` whenever a node that was alive is so no more, with its last record.

        One that was started anew is gone, too; it is found again under its name.
        """
        self._gone.append(callback)

    def trouble(self) -> str | None:
        """Return what is wrong for :class:`..ops.health.Health`."""
        if self._answered_s is None:
            return "other nodes do not know this one yet"
        doubted = self._doubted_s
        if doubted is not None and self._clock.seconds() - doubted < EXPIRY_S:
            return f"another node uses the node_id {self._me.node_id}, too"
        return None

    # Questions

    def find(self, node_id: str) -> Member | None:
        """Return another node that is alive, as far as is known here."""
        known = self._others.get(node_id)
        return None if known is None else known.member

    def ask(self, node_id: str, *, anew: bool = False) -> "Deferred[Member | None]":
        """Like :meth:`find`, but ask Redis once more for a node that is not known here.

        With ``anew`` for one that is known, too: it does not answer, and may be elsewhere by now. Redis is
        not asked more often, however many want to know: those that come together are one question.
        """
        found = self.find(node_id)
        known = found is not None and not anew
        if known or self._leaving or len(self._asking) >= MAX_ASKING:
            return succeed(found)
        answered: Deferred[None] = Deferred()
        self._asking.append(answered)
        self._ask_soon()
        return answered.addTimeout(ASK_TIMEOUT_S, self._clock).addCallbacks(
            lambda _: self.find(node_id), _gave_up
        )

    def others(self) -> list[str]:
        """Name the other nodes that are alive, as far as is known here."""
        return list(self._others)

    def nodes(self) -> list[dict[str, Any]]:
        """Return what ``GET /v1/nodes`` shows: this node and all others alive, by name."""
        me = attrs.evolve(self._me, **attrs.asdict(self._load()))
        rows = [(me, 0.0)]
        # What is not heard while Redis is away is old all the same.
        silent_s = self._clock.seconds() - (self._answered_s or 0.0)
        rows += [
            (known.member, self._attended_s - known.heard_s + silent_s)
            for known in self._others.values()
        ]
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
                count=len(self._others),
            )

    def _broken(self, failure: Failure) -> None:
        self._log.failure("the directory of nodes failed", failure)

    def _read(self, answer: "tuple[str, str, list[str]]") -> None:
        before, secret, records = answer
        self._away = False
        now_s = self._clock.seconds()
        if self._answered_s is not None:
            self._attended_s += min(now_s - self._answered_s, 1.5 * BEAT_S)
        self._answered_s = now_s
        self._secret.told(secret)
        self._look_for_double(before)
        for text in records:
            member = member_of(text)
            if member is not None and member.node_id != self._me.node_id:
                self._heard(member)
        for known in list(self._others.values()):
            if self._attended_s - known.heard_s >= EXPIRY_S:
                self._forget(known.member, "it was not heard of for {silent:g} s")

    def _heard(self, member: Member) -> None:
        known = self._others.get(member.node_id)
        if member.left:
            if known is not None:
                self._forget(known.member, "it has stopped")
            return
        if known is not None and known.member.instance != member.instance:
            self._forget(known.member, "it was started anew")
            known = None
        if known is None:
            self._log.info("node {node} is there", node=member.node_id)
            self._others[member.node_id] = _Known(member, self._attended_s)
        elif known.member.beat != member.beat:
            known.member, known.heard_s = member, self._attended_s

    def _forget(self, member: Member, why: str) -> None:
        self._log.info(f"node {{node}} is gone: {why}", node=member.node_id, silent=EXPIRY_S)
        del self._others[member.node_id]
        for callback in self._gone:
            try:
                callback(member)
            except Exception:
                self._log.failure("a node's end was not attended to")

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
