"""Options of the whole suite."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """What may be left out."""
    parser.addoption(
        "--deployment",
        help="run stock clients against this deployment only: alone, sticky or spread",
    )
