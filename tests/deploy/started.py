"""Runs a command from a deployment file as it stands there, until it is healthy, and stops it as the file says."""

import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.running_process import RunningProcess


class Started(RunningProcess):
    """A node.

    Args:
        command: runs it.
        port: what it serves.
        folder: where it runs.
        variables: beside the usual ones.
        pass_fds: descriptors that it inherits.
    """

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        folder: Path,
        variables: Mapping[str, str],
        pass_fds: Sequence[int] = (),
    ) -> None:
        super().__init__("the node", command, folder / "log", pass_fds)
        self.url = f"http://127.0.0.1:{port}"
        self._variables = variables

    def environment(self) -> Mapping[str, str]:
        """See :class:`tests.running_process.RunningProcess`."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("REWARD_PUSH_")}
        return {**inherited, **self._variables}

    def answers(self) -> bool:
        """Whether ``/healthcheck`` says 200."""
        return self.status("/healthcheck") == 200

    def status(self, path: str) -> int | None:
        """What it answers to a GET; ``None``: nothing."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None
