"""Options of the whole suite."""

import signal

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile(
    "reward-push", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("reward-push")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the tests in the background makes them ignore it, and all nodes that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What may be left out."""
    parser.addoption(
        "--deployment",
        help="run stock clients against this deployment only: alone, sticky or spread",
    )
