"""A wall clock of a node's own, which can be set while it runs."""

from collections.abc import Mapping
from pathlib import Path

STEPPED = """
import os, time

def step(real, unit):
    path = os.environ["STEPPED_CLOCK"]
    return lambda: real() + int(open(path).read()) * unit

time.time, time.time_ns = step(time.time, 1), step(time.time_ns, 10**9)
"""
"""A ``sitecustomize`` that adds the seconds in a file to the wall clock."""


class SteppedClock:
    """The wall clock of nodes that are started with its ``environment``.

    Args:
        folder: of its own, made if need be.
        offset_s: by how much it differs from the true one, at first.
    """

    def __init__(self, folder: Path, offset_s: int = 0) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(STEPPED)
        self._file = folder / "offset"
        self.environment: Mapping[str, str] = {
            "STEPPED_CLOCK": str(self._file),
            "PYTHONPATH": str(folder),
        }
        self.step(offset_s)

    def step(self, offset_s: int) -> None:
        """Let the clock differ by ``offset_s`` from the true one, from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(str(offset_s))
        new.replace(self._file)
