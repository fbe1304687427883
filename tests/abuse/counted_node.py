"""A real node that tells how many objects it has: see :mod:`.counted_twistd`."""

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from ..running_node import RunningNode
from ..until import until

LAUNCHER = Path(__file__).with_name("counted_twistd.py")


class CountedNode(RunningNode):
    """A node that can be asked for its objects."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder, *options)
        self._counts = folder / "objects.json"
        self._command[:1] = [sys.executable, str(LAUNCHER), str(self._counts)]

    def objects(self) -> "Counter[str]":
        """Return how many objects there are of each type; all garbage is collected before."""
        self._counts.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR2)
        until(self._counts.exists)
        return Counter(json.loads(self._counts.read_text()))
