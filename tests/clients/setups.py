"""The stock clients and the ways each is run: what the tests are parametrised with."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import attrs
import pytest


class Runtime(StrEnum):
    """What a client runs in."""

    NODE = "node"
    PAGE = "page"
    PYTHON = "python"
    ASYNCIO = "asyncio"


@attrs.frozen
class Client:
    """A stock client of one version."""

    name: str
    runtime: Runtime
    eio: int
    """The Engine.IO revision it speaks: 3 (with Socket.IO's 4) or 4 (with 5)."""
    package: str
    """Its alias in ``package.json``, or the stem of its requirements file."""

    @property
    def is_js(self) -> bool:
        """Whether it is a socket.io-client."""
        return self.runtime in (Runtime.NODE, Runtime.PAGE)


JS_1 = Client("js-1.7.4", Runtime.NODE, 3, "socket.io-client-1")
JS_2 = Client("js-2.5.0", Runtime.NODE, 3, "socket.io-client-2")
JS_3 = Client("js-3.1.3", Runtime.NODE, 4, "socket.io-client-3")
JS_4 = Client("js-4.8", Runtime.NODE, 4, "socket.io-client-4")
CHROMIUM_2 = Client("chromium-2.5.0", Runtime.PAGE, 3, "socket.io-client-2")
CHROMIUM_4 = Client("chromium-4.8", Runtime.PAGE, 4, "socket.io-client-4")
PYTHON_4 = Client("python-4.6", Runtime.PYTHON, 3, "python-socketio-4")
ASYNCIO_4 = Client("asyncio-4.6", Runtime.ASYNCIO, 3, "python-socketio-4")
PYTHON_5 = Client("python-5", Runtime.PYTHON, 4, "python-socketio-5")
ASYNCIO_5 = Client("asyncio-5", Runtime.ASYNCIO, 4, "python-socketio-5")

CLIENTS = (
    *(JS_1, JS_2, JS_3, JS_4, CHROMIUM_2, CHROMIUM_4),
    *(PYTHON_4, ASYNCIO_4, PYTHON_5, ASYNCIO_5),
)

POLLING = ("polling",)
WEBSOCKET = ("websocket",)
UPGRADE = ("polling", "websocket")


@attrs.frozen
class Setup:
    """A client and the transports it may use."""

    client: Client
    transports: tuple[str, ...]

    def __str__(self) -> str:
        way = "upgrade" if self.transports == UPGRADE else self.transports[0]
        return f"{self.client.name}-{way}"

    @property
    def final_transport(self) -> str:
        """The transport it ends up with."""
        return self.transports[-1]

    @property
    def sees_upgrade(self) -> bool:
        """Whether it joins its namespace before it upgrades: python-engineio upgrades first."""
        return self.transports == UPGRADE and self.client.is_js


SETUPS = tuple(
    Setup(client, transports) for client in CLIENTS for transports in (POLLING, WEBSOCKET, UPGRADE)
)


class Place(StrEnum):
    """Where a client puts its key."""

    HEADER = "header"
    AUTH = "auth"
    QUERY = "query"
    NOWHERE = "no-key"


def places(setup: Setup) -> list[Place]:
    """The places where this client can put a key."""
    found = [Place.QUERY]
    if not (setup.client.runtime is Runtime.PAGE and setup.transports == WEBSOCKET):
        found.append(Place.HEADER)  # browsers cannot set headers on a WebSocket
    if setup.client.eio == 4:
        found.append(Place.AUTH)
    return found


def key_options(place: Place, key: str) -> dict[str, Any]:
    """The options of ``StockClient.connect`` that put ``key`` there."""
    if place is Place.HEADER:
        return {"headers": {"authorization": f"ApiKey {key}"}}
    return {} if place is Place.NOWHERE else {place.value: {"apiKey": key}}


def usual_key_options(setup: Setup, key: str) -> dict[str, Any]:
    """As :func:`key_options`, where the client's own documentation would put it."""
    return key_options(Place.AUTH if setup.client.eio == 4 else Place.QUERY, key)


def each_setup(setups: Iterable[Setup] = SETUPS) -> pytest.MarkDecorator:
    """Run a test once a setup."""
    return pytest.mark.parametrize("setup", setups, ids=str)
