"""What stands behind the URL that stock clients are given."""

from enum import StrEnum
from pathlib import Path

import pytest

from tests.running_cluster import Balancing, RunningCluster
from tests.running_node import ONE_ADDRESS, RunningNode, Service

everywhere = pytest.mark.everywhere
"""Runs a test in each deployment; without it a test runs against one node."""


class Deployment(StrEnum):
    """One node, or three of them behind a balancer."""

    ALONE = "alone"
    STICKY = "sticky"
    """Who keeps cookies comes back to its node, others may not."""
    SPREAD = "spread"
    """Each request goes to any node."""

    def service(self, folder: Path, *options: str) -> Service:
        """Make it, with these options for each node; it runs within ``with``."""
        if self is Deployment.ALONE:
            return RunningNode(folder, *ONE_ADDRESS, *options)
        return RunningCluster(folder, *ONE_ADDRESS, *options, balancing=Balancing(self))

    @property
    def uses_cookies(self) -> bool:
        """Whether clients that can be told to keep cookies should be."""
        return self is Deployment.STICKY
