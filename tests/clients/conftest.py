"""What the tests with stock clients share: the clients, and what they connect to, with its defaults."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.running_node import Service

from .deployments import Deployment
from .pool import ClientPool
from .setups import Client
from .stock_client import StockClient

Lend = Callable[[Client], StockClient]


@pytest.fixture(scope="package")
def pool() -> Iterator[ClientPool]:
    """All stock clients of these tests."""
    clients = ClientPool()
    yield clients
    clients.close()


@pytest.fixture
def lend(pool: ClientPool) -> Iterator[Lend]:
    """Borrows clients for one test."""
    with ExitStack() as borrowed:
        yield lambda kind: borrowed.enter_context(pool.lend(kind))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test against one node, and those that are marked in every deployment."""
    if "deployment" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("everywhere")
        chosen = tuple(Deployment) if marked else (Deployment.ALONE,)
        only = metafunc.config.getoption("deployment")
        if only is not None:
            chosen = tuple(each for each in chosen if each == only)
        metafunc.parametrize("deployment", chosen, indirect=True, scope="package", ids=str)


@pytest.fixture(scope="package")
def deployment(request: pytest.FixtureRequest, pool: ClientPool) -> Deployment:
    """Where the test runs."""
    chosen: Deployment = request.param
    pool.with_cookies = chosen.uses_cookies
    return chosen


@pytest.fixture(scope="package")
def default_node(
    deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The deployment with default settings, for all tests that run there; at its end nobody waits for it to drain."""
    with deployment.service(tmp_path_factory.mktemp("node"), "--drain", "1") as service:
        yield service


@pytest.fixture
def node(default_node: Service) -> Iterator[Service]:
    """The deployment with default settings; a test fails for what it makes its nodes log."""
    logged = default_node.logged()
    yield default_node
    default_node.check_log(since=logged)
