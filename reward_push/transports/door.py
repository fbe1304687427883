"""A door that is always open: for applications that leave who comes in to somebody else."""

from collections.abc import Callable

from twisted.internet.interfaces import IAddress
from twisted.web.iweb import IRequest
from zope.interface import implementer

from ..access.addresses import Proxies
from ..access.interfaces import IDoor, TurnedAway
from ..engineio.session import Session


@implementer(IDoor)
class OpenDoor:
    """Lets everybody in. No proxy is trusted: a client is who has connected."""

    def __init__(self) -> None:
        self._proxies = Proxies(())

    def arrive(self, peer: IAddress | None) -> bool:
        """See :class:`..access.interfaces.IDoor`."""
        return True

    def depart(self, peer: IAddress | None) -> None:
        """See :class:`..access.interfaces.IDoor`."""

    def client_of(self, request: IRequest) -> str:
        """See :class:`..access.interfaces.IDoor`."""
        return self._proxies.client_of(request)

    def knock(self, address: str, presented: Callable[[], str | None]) -> TurnedAway | None:
        """See :class:`..access.interfaces.IDoor`."""
        return None

    def entered(self, session: Session) -> None:
        """See :class:`..access.interfaces.IDoor`."""
