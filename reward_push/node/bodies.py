"""What bodies API calls may have, decided before they come."""

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.http_headers import Headers
from twisted.web.server import Request
from zope.interface import implementer

from ..api.answers import error_answer
from ..api.auth import Callers, vet
from ..api.errors import INTERNAL, as_refusal, too_large_body
from ..settings.model import HttpSettings
from ..transports.interfaces import IBodyPolicy, IUpload
from ..transports.large import Unwelcome

BATCH = b"/v1/messages/batch"


@implementer(IBodyPolicy)
@attrs.frozen
class ApiBodies:
    """Large ones are for holders of a backend key: nobody else makes the node keep megabytes."""

    settings: HttpSettings
    callers: Callers

    _log = Logger()

    def limit(self, method: bytes, uri: bytes) -> int:
        """See :class:`..transports.interfaces.IBodyPolicy`."""
        if uri.partition(b"?")[0] == BATCH:
            return self.settings.max_api_batch_bytes
        return self.settings.max_api_body_bytes

    def receiving(
        self, method: bytes, uri: bytes, headers: Headers, drop: Callable[[], None], peer: str
    ) -> IUpload | None:
        """See :class:`..transports.interfaces.IBodyPolicy`: nobody waits for one that is not complete."""
        return None

    def vet(self, request: Request) -> "Deferred[Unwelcome | None]":
        """See :class:`..transports.interfaces.IBodyPolicy`."""
        return Deferred.fromCoroutine(self._vet(request))

    async def _vet(self, request: Request) -> Unwelcome | None:
        try:
            await vet(request, self.callers)
        except Exception as error:
            refused = as_refusal(error)
            if refused is None:
                self._log.failure("it could not be told whether a large body is wanted")
                refused = INTERNAL
            answer = error_answer(refused)
            headers = [
                (name.encode("ascii"), value.encode("ascii"))
                for name, values in answer.headers.items()
                for value in values
            ]
            return Unwelcome(answer.status, tuple(headers), answer.body or b"")
        return None

    def refuse(
        self, method: bytes, uri: bytes, headers: Headers
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """See :class:`..transports.interfaces.IBodyPolicy`."""
        return [(b"Content-Type", b"application/json")], too_large_body()
