"""The command as an operator runs it: the installed script, against a real node."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from ..running_node import RunningNode

TIMEOUT_S = 60.0


@attrs.frozen
class Ran:
    """What a command said, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on standard error."""
        assert self.out == ""
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1, self.err
        return self.err.removesuffix("\n")


class Command:
    """Runs ``reward-push`` with an environment of its own."""

    def __init__(self, folder: Path, **environ: str) -> None:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("REWARD_PUSH_", "RPUSH_"))
        }
        self._environ = {**clean, **environ}
        self._folder = folder

    def __call__(self, *arguments: str, stdin: str = "", **environ: str) -> Ran:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("reward-push")), *arguments],
            input=stdin.encode(),
            capture_output=True,
            env={**self._environ, **environ},
            cwd=self._folder,
            timeout=TIMEOUT_S,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in out + err, err
        return Ran(done.returncode, out, err)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    with RunningNode(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture
def bare(tmp_path: Path) -> Command:
    """The command with nothing in its environment."""
    return Command(tmp_path)


@pytest.fixture
def run(node: RunningNode, tmp_path: Path) -> Command:
    """The command with the node and its backend key in its environment."""
    return Command(tmp_path, RPUSH_URL=node.url, RPUSH_KEY=node.backend_key)
