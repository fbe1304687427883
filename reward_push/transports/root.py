"""Where requests of one port go: those for an Engine.IO path to its resource, all others elsewhere."""

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from .interfaces import IBodyPolicy, IUpload
from .large import Unwelcome
from .request import EdgeRequest
from .resource import EngineResource


@implementer(IBodyPolicy)
class Root(Resource):
    """Dispatches by path, with and without a trailing slash, and bounds bodies by where they go.

    ``engines`` maps paths to Engine.IO resources. Everything else is served by ``rest``, whose
    bodies ``rest_bodies`` bounds.
    """

    isLeaf = True  # noqa: N815  (twisted.web)

    def __init__(
        self, engines: Mapping[str, EngineResource], rest: IResource, rest_bodies: IBodyPolicy
    ) -> None:
        super().__init__()
        self._engines: dict[bytes, EngineResource] = {}
        for path, engine in engines.items():
            bare = path.rstrip("/").encode()
            self._engines[bare] = self._engines[bare + b"/"] = engine
        self._rest = rest
        self._rest_bodies = rest_bodies

    def render(self, request: EdgeRequest) -> int | bytes:
        """Hand ``request`` to whom it is for, whatever its method."""
        return self._engines.get(request.path, self._rest).render(request)

    def limit(self, method: bytes, uri: bytes) -> int:
        """See :class:`.interfaces.IBodyPolicy`."""
        return self._bodies(uri).limit(method, uri)

    def receiving(
        self, method: bytes, uri: bytes, headers: Headers, drop: Callable[[], None], peer: str
    ) -> IUpload | None:
        """See :class:`.interfaces.IBodyPolicy`."""
        return self._bodies(uri).receiving(method, uri, headers, drop, peer)

    def vet(self, request: EdgeRequest) -> "Deferred[Unwelcome | None] | None":
        """See :class:`.interfaces.IBodyPolicy`."""
        return self._bodies(request.channel.target).vet(request)

    def refuse(
        self, method: bytes, uri: bytes, headers: Headers
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """See :class:`.interfaces.IBodyPolicy`."""
        return self._bodies(uri).refuse(method, uri, headers)

    def _bodies(self, uri: bytes) -> IBodyPolicy:
        return self._engines.get(uri.partition(b"?")[0], self._rest_bodies)
