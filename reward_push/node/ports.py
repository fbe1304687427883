"""The ports that a node listens on, and what is served on which."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import attrs
from twisted.application.service import IService, MultiService
from twisted.internet.error import CannotListenError

from ..access.interfaces import IDoor
from ..api.auth import Callers
from ..api.resource import Apis
from ..settings.errors import SettingsError
from ..settings.model import HttpSettings, Settings
from ..transports.listening import listening
from ..transports.options import SiteOptions
from ..transports.resource import EngineResource
from ..transports.root import Root
from ..transports.site import EdgeSite, build_site
from .bodies import ApiBodies

OUTSIDE_BODY_BYTES = 1 << 16
"""Largest body on a port that serves no calls with bodies: as much as a client's POST may have."""


class Ports(NamedTuple):
    """Services that listen, and the sites behind them."""

    services: Sequence[IService]
    sites: Sequence[EdgeSite]


def ports(
    settings: Settings,
    options: SiteOptions,
    engine: EngineResource,
    apis: Apis,
    callers: Callers,
    door: IDoor,
    reactor: Any,
    clients_reactor: Any,
) -> Ports:
    """Make the port that clients use and, where the settings name it, the one for backends and operators.

    Nothing listens before the services start; their ``privilegedStartService`` raises
    :class:`..settings.errors.SettingsError` where a port cannot be had. The port for clients is listened on through
    ``clients_reactor``, as other processes may share it.
    """
    http = settings.http
    outside = http if apis.internal is None else _outside(http)
    root = Root({settings.path: engine}, apis.clients, ApiBodies(outside, callers))
    sites = [build_site(root, options, root, reactor, door)]
    services: list[IService] = [
        _Port("listen", each, listening(each, sites[0], clients_reactor))
        for each in settings.listen
    ]
    if apis.internal is not None:
        root = Root({}, apis.internal, ApiBodies(http, callers))
        sites.append(build_site(root, options, root, reactor))
        services += [
            _Port("internal_listen", each, listening(each, sites[1], reactor))
            for each in settings.internal_listen
        ]
    return Ports(services, sites)


class _Port(MultiService):
    """What listens as one setting says."""

    def __init__(self, setting: str, description: str, listener: IService) -> None:
        super().__init__()
        self._setting = setting
        self._description = description
        listener.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """Listen, or say which setting asks for what cannot be had."""
        try:
            super().privilegedStartService()
        except (CannotListenError, OSError, OverflowError) as error:
            raise SettingsError(self._setting, self._description, str(error)) from error


def _outside(http: HttpSettings) -> HttpSettings:
    return attrs.evolve(
        http, max_api_body_bytes=OUTSIDE_BODY_BYTES, max_api_batch_bytes=OUTSIDE_BODY_BYTES
    )
