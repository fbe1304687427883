"""Runs a command from a deployment file as it stands there, until it is healthy, and stops it as the file says."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0


class Started:
    """The process of a node."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log_file: Path) -> None:
        self._process = process
        self.url = url
        self._log_file = log_file

    def wait_until_healthy(self) -> None:
        """Wait until it answers ``/healthcheck`` with 200."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.status("/healthcheck") != 200:
            status = self._process.poll()
            assert status is None, f"it ended with {status}:\n{self.log()}"
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)  # another process: there is nothing to wait on but its port

    def status(self, path: str) -> int | None:
        """What it answers to a GET; ``None``: nothing."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def stop(self) -> int:
        """Ask it to stop and return how it ended: a signal's number is negative."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_TIMEOUT_S)

    def log(self) -> str:
        """What it has written."""
        return self._log_file.read_text(errors="replace")

    def kill(self) -> None:
        """End it, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@contextmanager
def started(
    command: Sequence[str],
    port: int,
    folder: Path,
    variables: Mapping[str, str],
    pass_fds: Sequence[int] = (),
) -> Iterator[Started]:
    """Run ``command`` in ``folder`` with these variables beside the usual ones; it serves ``port``."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("REWARD_PUSH_")}
    log_file = folder / "log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**inherited, **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
        )
    node = Started(process, f"http://127.0.0.1:{port}", log_file)
    try:
        node.wait_until_healthy()
        yield node
    finally:
        node.kill()
