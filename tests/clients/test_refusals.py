"""What a stock client is told when it may not in, and that it then stops asking."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import attrs
import pytest

from tests.running_node import Service

from .conftest import Lend
from .deployments import Deployment
from .pool import ClientPool
from .proxy import Proxy
from .setups import SETUPS, Place, Setup, each_setup, key_options, places, usual_key_options
from .stock_client import StockClient
from .together import Together, selected_setups

WATCH_S = 1.0
"""Ten times the clients' first reconnection delay."""


def _refusal(client: StockClient) -> Any:
    """The first argument of the error event of the client's version, once it has come.

    Clients of revision 4 may hear it for ``/`` instead of their namespace.
    """
    name = "error" if client.kind.is_js and client.kind.eio == 3 else "connect_error"
    return client.wait_event(name).args[0]


def _unauthorized(setup: Setup) -> Any:
    if setup.client.eio == 3:
        return "unauthorized"
    return {"message": "unauthorized", "data": {"code": "unauthorized"}}


@attrs.frozen
class Group:
    """What is tried at once: few enough refusals in a row for a node that counts them."""

    place: Place
    transports: tuple[str, ...]

    def __str__(self) -> str:
        return str(self.place)


def _refused() -> Iterator[tuple[Group, Setup]]:
    for place in Place:
        for setup in SETUPS:
            if place is Place.NOWHERE or place in places(setup):
                yield Group(place, setup.transports), setup


REFUSED = list(_refused())
Verdict = Callable[[Group, Setup], None]


def _try_in_vain(group: Group, setups: Sequence[Setup], pool: ClientPool, port: int) -> Together:
    """Each asks with a wrong key, or with none, and all are watched afterwards."""
    together = Together(setups)
    with ExitStack() as stack:
        running: dict[Setup, tuple[StockClient, Proxy]] = {}

        def ask(setup: Setup) -> None:
            proxy = stack.enter_context(Proxy(port))
            client = stack.enter_context(pool.lend(setup.client))
            running[setup] = client, proxy
            key = key_options(group.place, "no-such-key")
            client.connect(proxy.url, transports=setup.transports, **key)
            assert _refusal(client) == _unauthorized(setup)

        def watch(setup: Setup) -> None:
            client, proxy = running[setup]
            client.stays_without(["reconnect_attempt"], until)
            assert len(proxy.handshakes()) == 1, proxy.handshakes()
            assert "/dropcodes" not in [event.namespace for event in client.events("connect")]

        together.each(ask)
        until = time.monotonic() + WATCH_S
        together.each(watch)
    return together


@pytest.fixture(scope="module")
def verdict(
    request: pytest.FixtureRequest,
    pool: ClientPool,
    deployment: Deployment,
    default_node: Service,
) -> Iterator[Verdict]:
    """What came of a setup in its group; a group is tried when the first of it is asked for."""
    selected = set(selected_setups(request, deployment))
    tried: dict[Group, Together] = {}

    def of(group: Group, setup: Setup) -> None:
        if group not in tried:
            setups = [s for g, s in REFUSED if g == group and s in selected]
            tried[group] = _try_in_vain(group, setups, pool, default_node.port)
        tried[group].verdict(setup)

    logged = default_node.logged()
    yield of
    default_node.check_log(since=logged)


@pytest.mark.parametrize(("group", "setup"), REFUSED, ids=[f"{s}-{g}" for g, s in REFUSED])
def test_unauthorized_and_no_second_try(verdict: Verdict, group: Group, setup: Setup) -> None:
    """The client's error event says ``unauthorized``, and it makes no second handshake."""
    verdict(group, setup)


@each_setup()
def test_unknown_namespace(node: Service, lend: Lend, setup: Setup) -> None:
    """A namespace that is not in the settings is refused as every Socket.IO server does."""
    key = node.plugin_key()
    client = lend(setup.client)
    options = usual_key_options(setup, key.key)
    client.connect(node.url, transports=setup.transports, namespaces=["/nowhere"], **options)

    text = "Invalid namespace"
    assert _refusal(client) == (text if setup.client.eio == 3 else {"message": text})


@each_setup()
def test_forbidden_namespace(node: Service, lend: Lend, setup: Setup) -> None:
    """A valid key that is limited to other namespaces gets ``forbidden``."""
    key = node.plugin_key(namespaces=["/donations"])
    client = lend(setup.client)
    options = usual_key_options(setup, key.key)
    client.connect(node.url, transports=setup.transports, **options)

    refusal = _refusal(client)
    assert (refusal if setup.client.eio == 3 else refusal["message"]) == "forbidden"
