"""An API on in-memory ends, called through treq without a network."""

import json as jsonlib
from collections.abc import Callable, Collection
from typing import Any

import attrs
from treq.testing import StubTreq
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from zope.interface import implementer

from reward_push.access import key_cursor
from reward_push.access.interfaces import (
    Key,
    KeyKind,
    KeyPage,
    KeyUse,
    Right,
    StoreUnavailable,
)
from reward_push.api.resource import build_api
from reward_push.ops.health import Health
from reward_push.rewards.news import LocalNews
from reward_push.rewards.presence import IPresence, Present, PresentSocket
from reward_push.rewards.publisher import Publisher
from reward_push.rewards.waiting import Waiting

from ..rewards.fakes import MemoryStore, RecordingDelivery, RecordingSchedule
from .described import Described

NOW_MS = 1_795_550_400_250
NOW = "2026-11-24T20:00:00.250Z"

NODE = {
    "version": "1.2.3",
    "connections": 3,
    "since": "2026-11-24T20:00:00.250Z",
    "draining": False,
    "heard_ago_s": 0.0,
}
"""What is told of a node in a list, beyond its health."""
NAMESPACES = ("/", "/dropcodes", "/donations")

KEYS = {
    "backend": Key("b1", KeyKind.BACKEND, 0, rights=frozenset(Right)),
    "limited": Key("b2", KeyKind.BACKEND, 0, rights=frozenset(Right), namespaces=("/dropcodes",)),
    "reader": Key("b3", KeyKind.BACKEND, 0, rights=frozenset({Right.READ})),
    "publisher": Key("b4", KeyKind.BACKEND, 0, rights=frozenset({Right.PUBLISH})),
    "plugin": Key("p1", KeyKind.PLUGIN, 0, streamer="s-42"),
}

BODY = {
    "namespace": "/dropcodes",
    "event": "dropcode",
    "to": {"streamer": "s-42"},
    "data": {"code": "K7Q"},
}


@attrs.define(eq=False)
class MemoryKeys:
    """A key ring whose secrets are the names in ``KEYS``."""

    created: list[dict[str, Any]] = attrs.Factory(list)
    stored: list[Key] = attrs.Factory(list)
    """What can be listed and revoked, newest first."""
    used: dict[str, int] = attrs.Factory(dict)
    revoked: list[str] = attrs.Factory(list)
    away: bool = False
    broken: bool = False
    """Whether a lookup ends in a fault of ours."""

    def authenticate(self, presented: str) -> "Deferred[Key | None]":
        if self.away:
            return fail(StoreUnavailable("no disk"))
        if self.broken:
            raise RuntimeError("the secret of it")
        return succeed(KEYS.get(presented))

    def find(self, key_id: str) -> "Deferred[Key | None]":
        return self._answer(lambda: next((k for k in self.stored if k.key_id == key_id), None))

    def page(self, limit: int, cursor: str | None) -> "Deferred[KeyPage]":
        return self._answer(lambda: self._page(limit, cursor))

    def _page(self, limit: int, cursor: str | None) -> KeyPage:
        begin = 0
        if cursor is not None:
            ids = [each.key_id for each in self.stored]
            begin = ids.index(key_cursor.place(cursor)[1]) + 1
        some = self.stored[begin : begin + limit]
        more = len(self.stored) > begin + limit
        uses = tuple(KeyUse(each, self.used.get(each.key_id)) for each in some)
        return KeyPage(uses, key_cursor.after(some[-1]) if more else None)

    def revoke(self, key_id: str) -> "Deferred[Key | None]":
        return self._answer(lambda: self._remove(key_id))

    def _remove(self, key_id: str) -> Key | None:
        self.revoked.append(key_id)
        for key in self.stored:
            if key.key_id == key_id:
                self.stored.remove(key)
                return key
        return None

    def _answer(self, act: Callable[[], Any]) -> "Deferred[Any]":
        return fail(StoreUnavailable("no disk")) if self.away else succeed(act())

    def create(self, **fields: Any) -> "Deferred[tuple[Key, str]]":
        if self.away:
            return fail(StoreUnavailable("no disk"))
        self.created.append(fields)
        return succeed((Key(key_id="k1", created_at_ms=NOW_MS, **fields), "rpk_k1_secret"))


@implementer(IPresence)
@attrs.define(eq=False)
class MemoryPresence:
    """Sockets in lists; a disconnected streamer has none left of the namespaces asked for."""

    sockets: dict[str, list[PresentSocket]] = attrs.Factory(dict)
    disconnected: list[tuple[str, Collection[str] | None]] = attrs.Factory(list)

    silent: tuple[str, ...] = ()

    def sockets_of(self, streamer: str) -> "Deferred[Present]":
        return succeed(Present(list(self.sockets.get(streamer, ())), self.silent))

    def disconnect(self, streamer: str, namespaces: Collection[str] | None) -> "Deferred[int]":
        self.disconnected.append((streamer, namespaces))
        found = self.sockets.get(streamer, [])
        left = [
            each for each in found if namespaces is not None and each.namespace not in namespaces
        ]
        self.sockets[streamer] = left
        return succeed(len(found) - len(left))


@attrs.frozen
class Got:
    """A whole answer."""

    status: int
    headers: Headers
    body: bytes

    @property
    def json(self) -> Any:
        return jsonlib.loads(self.body)

    def header(self, name: str) -> list[str]:
        return self.headers.getRawHeaders(name, [])


class Api:
    """The API's resource and the ends it stands on."""

    def __init__(self, *, internal: bool = False) -> None:
        """``internal``: whether backends have a port of their own."""
        self.store = MemoryStore()
        self.delivery = RecordingDelivery(sockets=2)
        self.keys = MemoryKeys()
        self.presence = MemoryPresence()
        self.health = Health("aB3x_9", now_s=lambda: 0.0)
        self.flushes: list[Deferred[None]] = []
        self.flushing = False
        """Whether the receipts take their time to come into the store."""
        self.observed: list[tuple[str, int, float]] = []
        self.seconds = 0.0
        apis = build_api(
            publisher=Publisher(
                self.store,
                LocalNews(Waiting(self.delivery, Clock(), lambda: NOW_MS), self.delivery),
                RecordingSchedule(),
                lambda: NOW_MS,
                NAMESPACES,
            ),
            store=self.store,
            flush=self._flush,
            presence=self.presence,
            nodes=lambda: succeed([self.health.healthcheck().body | NODE]),
            keys=self.keys,
            health=self.health,
            namespaces=NAMESPACES,
            now_ms=lambda: NOW_MS,
            version="1.2.3",
            metrics=lambda accept: succeed((b"up 1\n", f"text/plain; for={accept}")),
            internal=internal,
            observe=lambda *told: self.observed.append(told),
            seconds=lambda: self.seconds,
        )
        self.clients_resource = apis.clients
        self.resource = apis.internal or apis.clients
        self._treq = StubTreq(self.resource)
        self._described = Described(self.resource)
        self._failures: list[Failure] = []

    def _flush(self) -> "Deferred[None]":
        flushed: Deferred[None] = Deferred()
        self.flushes.append(flushed)
        if not self.flushing:
            flushed.callback(None)
        return flushed

    def start(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        body: bytes | None = None,
        key: str | None = "backend",
        headers: dict[str, Any] | None = None,
    ) -> "list[Got]":
        """Send a request; the answer is put in the list returned once it is there."""
        sent = Headers()
        if key is not None:
            sent.addRawHeader("Authorization", f"ApiKey {key}")
        for name, values in (headers or {}).items():
            sent.setRawHeaders(name, [values] if isinstance(values, str) else values)
        if json is not None:
            body = jsonlib.dumps(json).encode()
        got: list[Got] = []

        async def exchange() -> None:
            response = await self._treq.request(
                method, f"http://node.test{path}", headers=sent, data=body
            )
            answer = Got(response.code, response.headers, await self._treq.content(response))
            self._described.check(method, path, json, answer.status, answer.body)
            got.append(answer)

        Deferred.fromCoroutine(exchange()).addErrback(self._failures.append)
        self.flush()
        return got

    def flush(self) -> None:
        """Move what was written since to its client."""
        self._treq.flush()
        for failure in self._failures:
            failure.raiseException()

    def call(self, method: str, path: str, json: Any = None, **options: Any) -> Got:
        """Send a request and return its answer."""
        [got] = self.start(method, path, json, **options)
        return got
