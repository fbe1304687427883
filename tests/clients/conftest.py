"""What the tests with stock clients share: the clients, and a node with its defaults."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.running_node import ONE_ADDRESS, RunningNode

from .pool import ClientPool
from .setups import Client
from .stock_client import StockClient

Lend = Callable[[Client], StockClient]


@pytest.fixture(scope="session")
def pool() -> Iterator[ClientPool]:
    """All stock clients of this run."""
    clients = ClientPool()
    yield clients
    clients.close()


@pytest.fixture
def lend(pool: ClientPool) -> Iterator[Lend]:
    """Borrows clients for one test."""
    with ExitStack() as borrowed:
        yield lambda kind: borrowed.enter_context(pool.lend(kind))


@pytest.fixture(scope="session")
def default_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A node with default settings but for limits per address, for the whole run."""
    with RunningNode(tmp_path_factory.mktemp("node"), *ONE_ADDRESS) as node:
        yield node


@pytest.fixture
def node(default_node: RunningNode) -> Iterator[RunningNode]:
    """The node with (nearly) default settings; a test fails for what it makes that node log."""
    logged = len(default_node.log())
    yield default_node
    default_node.check_log(since=logged)
