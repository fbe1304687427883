"""Runs a scenario for many setups at once, where waiting for each alone would take too long."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from .deployments import Deployment
from .setups import Setup

AT_ONCE = 4
"""Threads: enough to overlap waiting, few enough not to start all processes in one moment."""

_OUTCOMES = (Exception, pytest.skip.Exception, pytest.fail.Exception)


class Together:
    """Steps of one scenario. A setup that fails a step is left out of the next ones.

    Each test then calls :meth:`verdict` for its own setup, so that one failure does not blur another.
    """

    def __init__(self, setups: Sequence[Setup]) -> None:
        self.setups = tuple(setups)
        self._failures: dict[Setup, BaseException] = {}
        self._lock = threading.Lock()

    def each(self, step: Callable[[Setup], None]) -> None:
        """Run ``step`` for every setup that has not failed; return when all are through."""

        def run(setup: Setup) -> None:
            try:
                step(setup)
            except _OUTCOMES as error:
                with self._lock:
                    self._failures[setup] = error

        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(run, [s for s in self.setups if s not in self._failures]))

    def verdict(self, setup: Setup) -> None:
        """Raise what ended this setup's scenario, if anything did."""
        if setup in self._failures:
            raise self._failures[setup]


def selected_setups(request: pytest.FixtureRequest, deployment: Deployment) -> list[Setup]:
    """The setups of the selected tests that share the requesting fixture (with its parameter) there."""
    found: dict[Setup, None] = {}
    for item in request.session.items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        same = params.get(str(request.fixturename)) == getattr(request, "param", None)
        same = same and params.get("deployment") == deployment
        if item.path == request.path and "setup" in params and same:
            found[params["setup"]] = None
    return list(found)
