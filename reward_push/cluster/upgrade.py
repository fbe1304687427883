"""A WebSocket whose session is on another node: its upgrade is passed on, then the connections are spliced."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from ..engineio.errors import CloseReason
from ..transports.request import EdgeRequest
from .failures import CUT_OFF, UNREACHABLE
from .forwarding import Answer, Head, set_answer_headers, write_answer
from .member import Member
from .owner import OWNERS, Owner
from .passage import write_unknown
from .reach import Reach
from .signature import REFUSED_HEADER
from .splice import Splice

SETTLED_S = 1.0
"""After so long the client has surely upgraded, or given it up."""


class UpgradePassage:
    """The upgrade of one client, and then its connection."""

    _log = Logger()

    def __init__(
        self,
        reach: Reach,
        node_id: str,
        head: Head,
        request: EdgeRequest,
        ended: "Callable[[UpgradePassage], object]",
    ) -> None:
        """``ended`` is called once the other node is done with."""
        self.node_id = node_id
        self.instance: str | None = None
        """The instance of the node that is asked; ``None`` while it is being looked for."""
        self._reach = reach
        self._head = head
        self._upgrade = request
        self._request: EdgeRequest | None = request
        """While it has no answer and its client is there."""
        self._ended = ended
        self._asking: Deferred[Any] | None = None
        self._splice: Splice | None = None
        self._joined_s = 0.0

    def begin(self, timeout_s: float) -> None:
        """Ask the other node. It has ``timeout_s`` for its answer."""
        self._upgrade.notifyFinish().addErrback(lambda _: self._left())
        asking: Deferred[Any] = self._reach.begin(self.node_id, self._head, self._ask, timeout_s)
        self._asking = asking
        asking.addErrback(self._failed).addCallback(self._told)
        asking.addErrback(lambda failure: self._log.failure("a relay failed", failure))

    def give_up(self) -> None:
        """Expect no more of the other node: the client's connection is closed, so that it comes back."""
        if self._splice is not None:
            self._splice.close()
        elif self._asking is not None:
            self._asking.cancel()

    @property
    def settling(self) -> bool:
        """See :class:`..node.mover.Mover`: how far the upgrade has come is not known here."""
        return self._splice is None or self._reach.clock.seconds() - self._joined_s < SETTLED_S

    def when_idle(self, call: Callable[[], object]) -> None:
        """See :class:`..node.mover.Mover`: what is on its way is not known here."""
        call()

    def evict(self, reason: CloseReason) -> None:
        """See :class:`..node.mover.Mover`."""
        self.give_up()

    def _left(self) -> None:
        self._request = None
        self.give_up()

    async def _ask(self, member: Member) -> "tuple[Owner, Answer, bytes] | None":
        owner: Any = await self._reach.connect(member, OWNERS)
        self.instance = member.instance
        try:
            answer, rest = await owner.ask(self._bytes())
        except BaseException:
            owner.transport.abortConnection()
            raise
        if answer.headers.hasHeader(REFUSED_HEADER):
            self._reach.refused_by(member)
            owner.transport.abortConnection()
            return None
        return owner, answer, rest

    def _bytes(self) -> bytes:
        """Return the request as it goes to the other node."""
        request, head = self._upgrade, self._head
        lines = [b"%s %s %s" % (head.method, head.target, request.clientproto)]
        for name, values in head.headers.getAllRawHeaders():
            lines += [name + b": " + value for value in values]
        for value in request.requestHeaders.getRawHeaders(b"connection", []):
            lines.append(b"Connection: " + value)
        body: bytes = request.content.read()
        if body:
            lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join([*lines, b"", body])

    def _failed(self, failure: Failure) -> None:
        self._reach.failed(failure)
        if not failure.check(*UNREACHABLE, *CUT_OFF):
            self._log.failure("an upgrade could not be passed on", failure)

    def _told(self, told: "tuple[Owner, Answer, bytes] | None") -> None:
        self._asking = None
        request, self._request = self._request, None
        if told is None:
            self._ended(self)
            if request is not None:
                write_unknown(request)
            return
        owner, answer, rest = told
        if request is not None and answer.status == 101:
            self._join(request, owner, answer.headers, rest)
            return
        self._ended(self)
        owner.transport.abortConnection()
        if request is not None:
            write_answer(request, answer)

    def _join(self, request: EdgeRequest, owner: "Owner", headers: Headers, rest: bytes) -> None:
        splice = self._splice = Splice(self._reach.clock, lambda: self._ended(self))
        self._joined_s = self._reach.clock.seconds()
        set_answer_headers(request.responseHeaders, headers)
        lines = [b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade"]
        for name, values in request.responseHeaders.getAllRawHeaders():
            lines += [name + b": " + value for value in values]
        transport, early = request.channel.hand_over(splice.client)
        splice.client.take(transport)
        splice.owner.take(owner.transport)
        splice.join(b"\r\n".join(lines) + b"\r\n\r\n" + rest, early)
