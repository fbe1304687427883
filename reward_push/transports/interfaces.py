"""The seam between the HTTP edge and those who know what a request is for."""

from twisted.web.http_headers import Headers
from zope.interface import Interface


class IBodyPolicy(Interface):
    """Decides how large a request's body may be, before anything of it is kept."""

    def limit(method: bytes, uri: bytes) -> int:
        """Return the largest body accepted, in bytes; 0: no limit. ``uri`` has its query."""

    def refuse(
        method: bytes, uri: bytes, headers: Headers
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Return what goes into the 413: more headers, and its body.

        Called once for a body over the limit, with the request's headers. The answer is JSON unless
        the headers returned say something else.
        """
