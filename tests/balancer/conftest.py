"""What the tests behind a balancer share: the stock clients."""

from collections.abc import Iterator

import pytest

from tests.clients.pool import ClientPool


@pytest.fixture(scope="module")
def pool() -> Iterator[ClientPool]:
    """Stock clients for one module."""
    clients = ClientPool()
    yield clients
    clients.close()
