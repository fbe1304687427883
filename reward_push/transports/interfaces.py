"""The seam between the HTTP edge and those who know what a request is for."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from zope.interface import Interface

from .large import Unwelcome


class IUpload(Interface):
    """A request's body under way. Told, once, how it ends."""

    def whole() -> None:
        """All of it is here: the request is rendered next."""

    def lost() -> None:
        """It will never be complete: the client left, was too slow, or sent what it may not."""


class IBodyPolicy(Interface):
    """Decides about a request's body, before anything of it is kept."""

    def limit(method: bytes, uri: bytes) -> int:
        """Return the largest body accepted, in bytes; 0: no limit. ``uri`` has its query."""

    def receiving(
        method: bytes, uri: bytes, headers: Headers, drop: Callable[[], None], peer: str
    ) -> IUpload | None:
        """A request's head is here, its body has yet to come; return who wants to know how that ends.

        ``peer`` is the address at the connection's other end, empty where there is none. Not called for a
        body that came along with the head. Until it is told the end, the upload may call ``drop()`` to cut
        the request's connection.
        """

    def vet(request: Any) -> "Deferred[Unwelcome | None] | None":
        """A large body has yet to come, or, of one whose size is not said, to go on: is it wanted?

        ``None``: it is. Else what is returned fires with ``None`` for yes, or with why not; meanwhile the body
        comes. Of bodies that are asked about there are only so many at a time (:mod:`.large`).
        """

    def refuse(
        method: bytes, uri: bytes, headers: Headers
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Return what goes into the 413: more headers, and its body.

        Called once for a body over the limit, with the request's headers. The answer is JSON unless
        the headers returned say something else.
        """


class IForeignSessions(Interface):
    """What becomes of requests whose session is not on this node. Each is asked before all else.

    ``sid`` is unknown here; what a request would be allowed to do is decided where it is known.
    """

    def relay(request: Any, sid: str) -> int | None:
        """Answer ``request`` in the name of the node that has the session, and return ``NOT_DONE_YET``.

        ``None``: the sid names no other node.
        """

    def receiving(
        method: bytes,
        uri: bytes,
        headers: Headers,
        drop: Callable[[], None],
        peer: str,
        sid: str,
    ) -> IUpload | None:
        """A request's body has yet to come: see :meth:`IBodyPolicy.receiving`.

        Its end is told before :meth:`relay` is called for the request with the same ``headers``.
        """

    def too_large(method: bytes, uri: bytes, headers: Headers, sid: str) -> None:
        """A request has been refused: its client sends more than it may."""
