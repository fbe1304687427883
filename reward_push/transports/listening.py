"""Endpoint strings and the services that listen as they say."""

from typing import Any

from twisted.application.service import IService
from twisted.application.strports import service
from twisted.internet.interfaces import IProtocolFactory

from .proxied import ProxiedFactory
from .unix_lock import Unlocking

PROXIED = "haproxy:"
"""How the strings begin of ports at which proxies say who their clients are."""


def listening(description: str, site: IProtocolFactory, reactor: Any) -> IService:
    """Return the service that serves ``site`` at an endpoint.

    Its ``privilegedStartService`` raises what keeps the port from being had.
    """
    inner = description.removeprefix(PROXIED)
    factory = ProxiedFactory(site) if inner != description else site
    unlocking: Any = Unlocking(reactor)
    listener: IService = service(with_backlog(inner), factory, unlocking)
    return listener


def with_backlog(description: str) -> str:
    """Return an endpoint string with a backlog fit for a flood of connects, unless it names its own.

    Twisted's default of 50 makes a balancer answer 504 once the accept queue is full.
    """
    kind = description.partition(":")[0]
    if kind in ("tcp", "tcp6", "ssl", "unix") and "backlog=" not in description:
        return f"{description}:backlog=1024"
    return description
