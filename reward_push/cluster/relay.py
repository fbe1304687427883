"""Any node takes any request: those for a session of another node are passed on to it.

A sid names the node that has opened it. Polls and posts go over HTTP connections that are kept open; a
WebSocket gets a connection of its own, joined to the client's. A node that cannot be reached or is gone
has no sessions any more: the client is told so at once, and begins anew.
"""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ..engineio.registry import node_tag_of
from ..transports.handshake import wants_websocket
from ..transports.interfaces import IForeignSessions, IUpload
from ..transports.refusals import come_again
from ..transports.request import peer_of
from .body import LaterBody, whole_body
from .forwarding import head_of
from .member import Member
from .passage import HttpPassage
from .reach import Reach
from .upgrade import UpgradePassage

MAX_PASSAGES = 20_000
"""How many requests are passed on at once, WebSockets among them: each takes two sockets here."""
UPGRADE_TIMEOUT_S = 10.0
"""How long another node may take to answer an upgrade."""

Passage = HttpPassage | UpgradePassage


@attrs.define
class RelayCounts:
    """What a relay has done, for metrics."""

    requests: int = 0
    """Polls and posts passed on."""
    upgrades: int = 0
    """WebSockets passed on."""
    full: int = 0
    """Requests that were refused because too many were on their way."""
    cut_off: int = 0
    """Requests that were on their way when their node was given up."""


@implementer(IForeignSessions)
class Relay:
    """Passes on what is for other nodes."""

    def __init__(
        self,
        node_id: str,
        reach: Reach,
        *,
        answer_timeout_s: float,
        limit: int = MAX_PASSAGES,
    ) -> None:
        """``answer_timeout_s``: longer than any poll is held. ``limit``: of requests on their way."""
        self._node_id = node_id
        self._reach = reach
        self._answer_timeout_s = answer_timeout_s
        self._limit = limit
        self._passages: dict[str, set[Passage]] = {}
        self._whole: dict[int, HttpPassage] = {}
        """Posts whose bodies are complete, and that are rendered next, by their headers' identity."""
        self._count = 0
        self.counts = RelayCounts()
        self._stopped = False

    # What is asked

    def relay(self, request: Any, sid: str) -> int | None:
        """See :class:`..transports.interfaces.IForeignSessions`."""
        headers = request.requestHeaders
        passage = self._whole.pop(id(headers), None)
        if passage is not None:
            passage.serve(request)
            return NOT_DONE_YET
        node_id = self._owner_of(sid)
        if node_id is None:
            return None
        if not self._has_room():
            request.write(come_again(request))
            request.finish()
            return NOT_DONE_YET
        head = head_of(request.method, request.uri, headers, peer_of(request))
        if request.method == b"GET" and wants_websocket(headers):
            self.counts.upgrades += 1
            upgrade = UpgradePassage(self._reach, node_id, head, request, self._ended)
            self._begin(upgrade, UPGRADE_TIMEOUT_S)
        else:
            self.counts.requests += 1
            body = whole_body(request.content.read())
            passage = HttpPassage(self._reach, node_id, head, body, self._ended)
            passage.serve(request)
            self._begin(passage, self._answer_timeout_s)
        return NOT_DONE_YET

    def receiving(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers,
        drop: Callable[[], None],
        peer: str,
        sid: str,
    ) -> IUpload | None:
        """See :class:`..transports.interfaces.IForeignSessions`."""
        node_id = self._owner_of(sid)
        if node_id is None or not self._has_room():
            return None
        self.counts.requests += 1
        passage = HttpPassage(
            self._reach,
            node_id,
            head_of(method, uri, headers, peer),
            LaterBody(_declared_length(headers)),
            self._ended,
            whole=lambda: self._whole.update({id(headers): passage}),
            drop=drop,
        )
        self._begin(passage, self._answer_timeout_s)
        return passage

    def too_large(self, method: bytes, uri: bytes, headers: Headers, sid: str) -> None:
        """See :class:`..transports.interfaces.IForeignSessions`.

        The other node gets the same head, and draws the same conclusion.
        """
        node_id, length = self._owner_of(sid), _declared_length(headers)
        if node_id is not None and length is not UNKNOWN_LENGTH and self._has_room():
            head = head_of(method, uri, headers, "")
            passage = HttpPassage(self._reach, node_id, head, LaterBody(length), self._ended)
            self._begin(passage, self._answer_timeout_s)

    # How it ends

    def owner_gone(self, member: Member) -> None:
        """A node is not alive any more: nothing is expected of it."""
        for passage in list(self._passages.get(member.node_id, ())):
            if passage.instance == member.instance:
                self.counts.cut_off += 1
                passage.give_up()

    def stop(self) -> "Deferred[None]":
        """Pass nothing on any more, and end what is on its way."""
        self._stopped = True
        for passage in self:
            passage.give_up()
        return self._reach.close()

    def __len__(self) -> int:
        """Return how many requests are on their way, WebSockets among them."""
        return self._count

    def upgrades(self) -> list[UpgradePassage]:
        """List those that are WebSockets: they last as long as their clients, unless they are evicted."""
        return [each for each in self if isinstance(each, UpgradePassage)]

    def __iter__(self) -> Iterator[Passage]:
        """Iterate over a snapshot of them; each may be given up, and its client comes back elsewhere."""
        return iter([each for passages in self._passages.values() for each in passages])

    def _owner_of(self, sid: str) -> str | None:
        node_id = node_tag_of(sid)
        # A sid of this node's own that is not known here is known nowhere.
        return None if self._stopped or node_id in ("", self._node_id) else node_id

    def _has_room(self) -> bool:
        if self._count < self._limit:
            return True
        self.counts.full += 1
        return False

    def _begin(self, passage: Passage, timeout_s: float) -> None:
        self._passages.setdefault(passage.node_id, set()).add(passage)
        self._count += 1
        passage.begin(timeout_s)

    def _ended(self, passage: Passage) -> None:
        self._count -= 1
        passages = self._passages[passage.node_id]
        passages.discard(passage)
        if not passages:
            del self._passages[passage.node_id]


def _declared_length(headers: Headers) -> Any:
    """Return the length of a body yet to come; its head is known to be right."""
    values = headers.getRawHeaders(b"content-length")
    return int(values[0]) if values else UNKNOWN_LENGTH
