"""What a worker is started with. It goes through a pipe: arguments and variables can be seen by others."""

import os
import pickle
from collections.abc import Callable

import attrs

from ..settings.model import Settings

TASK, STDOUT, STDERR, READY, LOG = range(5)
"""A worker's descriptors. It reads its task from the first, whose end means that its parent is gone; the
second is its parent's, for what a node shows its operator; the third is for last words. It writes a line to
the fourth once it serves, and its log to the fifth."""
REFUSED = 78
"""The exit status of a worker that cannot start with its settings (sysexits' EX_CONFIG)."""
LENGTH_BYTES = 8
_MAX_BYTES = 1 << 24


@attrs.frozen
class Task:
    """One worker's work."""

    number: int
    settings: Settings
    ports: tuple[int, ...]
    """The numbers of the ports it shares, in the order of ``settings.listen``."""

    def to_bytes(self) -> bytes:
        """Return it as the worker reads it."""
        data = pickle.dumps(self)
        return len(data).to_bytes(LENGTH_BYTES, "big") + data


def read_task(descriptor: int) -> Task:
    """Read a task from a pipe, and nothing that follows it. Blocks.

    Raises ``EOFError``: who was to write it is gone.
    """
    size = int.from_bytes(_exactly(descriptor, LENGTH_BYTES), "big")
    if size > _MAX_BYTES:
        raise EOFError("not a task")
    # From the process that has started this one, with the same program.
    task: Task = pickle.loads(_exactly(descriptor, size))  # noqa: S301
    return task


def _exactly(descriptor: int, size: int, read: Callable[[int, int], bytes] = os.read) -> bytes:
    data = b""
    while len(data) < size:
        piece = read(descriptor, size - len(data))
        if not piece:
            raise EOFError("the pipe has ended")
        data += piece
    return data
