"""One request passed on to the node that has its session, and the answer passed back."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IResponse
from zope.interface import implementer

from ..engineio.errors import Refusal
from ..transports.interfaces import IUpload
from ..transports.refusals import refuse
from ..transports.request import EdgeRequest
from .body import LaterBody, read_body
from .failures import CANNOT_CONNECT, CUT_OFF, UNREACHABLE
from .forwarding import Answer, Head, write_answer
from .member import Member
from .reach import Reach
from .signature import REFUSED_HEADER

HEAD_SENT_S = 0.1
"""How long the head of a request takes, once it is written, to leave this process."""


@implementer(IUpload)
class HttpPassage:
    """A poll or a post. Its body may still be under way: then ``drop`` cuts the client's connection."""

    _log = Logger()

    def __init__(
        self,
        reach: Reach,
        node_id: str,
        head: Head,
        body: LaterBody | None,
        ended: "Callable[[HttpPassage], object]",
        *,
        whole: Callable[[], object] | None = None,
        drop: Callable[[], object] | None = None,
    ) -> None:
        """``ended`` is called once the other node is done with; ``whole`` when the body has come."""
        self.node_id = node_id
        self.instance: str | None = None
        """The instance of the node that is asked; ``None`` while it is being looked for."""
        self._reach = reach
        self._head = head
        self._body = body
        self._ended = ended
        self._whole = whole
        self._drop = drop
        self._client: EdgeRequest | None = None
        self._answer: Answer | None = None
        self._done = False
        self._asking: Deferred[Any] | None = None

    # What the client does

    def begin(self, timeout_s: float) -> None:
        """Ask the other node. It has ``timeout_s`` for its answer."""
        asking: Deferred[Any] = self._reach.begin(self.node_id, self._head, self._ask, timeout_s)
        self._asking = asking
        asking.addErrback(self._failed).addCallback(self._told)
        asking.addErrback(lambda failure: self._log.failure("a relay failed", failure))

    def serve(self, request: EdgeRequest) -> None:
        """``request`` is what all this is for: it is whole, and to be answered."""
        self._client = request
        request.notifyFinish().addErrback(lambda _: self._left())
        if self._done:
            self._write(request)
        elif self._drop is not None and self._body is not None:
            self._drop = None
            self._body.complete(request.content.read())

    def whole(self) -> None:
        """See :class:`..transports.interfaces.IUpload`."""
        if self._whole is not None:
            self._whole()

    def lost(self) -> None:
        """See :class:`..transports.interfaces.IUpload`: the other node loses its end of it, too."""
        self._drop = None
        if self._body is not None:
            # Not before it knows that there is something to lose.
            clock = self._reach.clock
            self._body.begun.addCallback(lambda _: clock.callLater(HEAD_SENT_S, self.give_up))

    def _left(self) -> None:
        self._client = None
        self.give_up()

    # What the other node does

    def give_up(self) -> None:
        """Expect no answer: the client is told that there is no such session."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self, member: Member) -> Answer | None:
        head = self._head
        url = b"http://" + member.address.encode("ascii") + head.target
        self.instance = member.instance
        try:
            response: IResponse = await self._reach.agent.request(
                head.method, url, head.headers, self._body
            )
        except CANNOT_CONNECT:
            self.instance = None
            raise
        if response.headers.hasHeader(REFUSED_HEADER):
            self._reach.refused_by(member)
        body = await read_body(response)
        if response.headers.hasHeader(REFUSED_HEADER):
            return None
        return Answer(response.code, response.phrase, response.headers, body)

    def _failed(self, failure: Failure) -> None:
        self._reach.failed(failure)
        if failure.check(*UNREACHABLE):
            return
        if not failure.check(*CUT_OFF):
            self._log.failure("a request could not be passed on", failure)
        if self._drop is not None:
            # The other node has cut a post short: it is another one's turn, or the session's end.
            drop, self._drop = self._drop, None
            drop()

    def _told(self, answer: Answer | None) -> None:
        self._answer = answer
        self._done = True
        self._ended(self)
        if self._client is not None:
            self._write(self._client)

    def _write(self, request: EdgeRequest) -> None:
        self._client = None
        if self._answer is not None:
            write_answer(request, self._answer)
        else:
            write_unknown(request)


def write_unknown(request: EdgeRequest) -> None:
    """Answer as for any session that is over."""
    request.write(refuse(request, Refusal.SESSION_UNKNOWN))
    request.finish()
