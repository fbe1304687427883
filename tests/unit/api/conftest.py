import pytest

from .fakes import Api


@pytest.fixture
def api() -> Api:
    """A fresh API with nothing in it."""
    return Api()
