"""The seams between the HTTP edge and those who know what a request is for, and whether it may."""

from collections.abc import Callable

from twisted.web.http_headers import Headers
from twisted.web.iweb import IRequest
from zope.interface import Interface

from ..access.guard import TurnedAway
from ..engineio.session import Session


class IDoor(Interface):
    """Decides who may open a session, before anything is allocated for it."""

    def client_of(request: IRequest) -> str:
        """Return the name that limits count a request's client by: its address, whatever is in between.

        The one place where that is decided.
        """

    def knock(address: str, presented: Callable[[], str | None]) -> TurnedAway | None:
        """A handshake has come from ``address``; ``presented()`` is the key that can be seen in it.

        Returns why it is refused. If it is not, the session is opened, and :meth:`entered` follows.
        """

    def entered(session: Session) -> None:
        """A session was opened; its opening has the ``address``."""


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
        method: bytes, uri: bytes, headers: Headers, drop: Callable[[], None]
    ) -> IUpload | None:
        """A request's head is here, its body has yet to come; return who wants to know how that ends.

        Not called for a body that came along with the head. Until it is told the end, the upload
        may call ``drop()`` to cut the request's connection.
        """

    def refuse(
        method: bytes, uri: bytes, headers: Headers
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Return what goes into the 413: more headers, and its body.

        Called once for a body over the limit, with the request's headers. The answer is JSON unless
        the headers returned say something else.
        """
