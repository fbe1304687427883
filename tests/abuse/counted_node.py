"""A real node that tells how many objects it has: see :mod:`.counted_twistd`."""

import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from ..running_node import RunningNode

LAUNCHER = Path(__file__).with_name("counted_twistd.py")
PATIENCE_S = 30.0


class CountedNode(RunningNode):
    """A node that can be asked for its objects."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder, *options)
        self._counts = folder / "objects.json"
        self._command[:1] = [sys.executable, str(LAUNCHER), str(self._counts)]

    def objects(self) -> "Counter[str]":
        """Return how many objects there are of each type; all garbage is collected before."""
        self._counts.unlink(missing_ok=True)
        self._signal(signal.SIGUSR2)
        deadline = time.monotonic() + PATIENCE_S
        while not self._counts.exists():
            assert time.monotonic() < deadline, "the node does not count"
            time.sleep(0.01)  # another process: there is nothing to wait on but its file
        return Counter(json.loads(self._counts.read_text()))
