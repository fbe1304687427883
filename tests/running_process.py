"""A real program as a process of its own: started, paused, killed, and waited for."""

import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from .until import PATIENCE_S, until


class RunningProcess(ABC):
    """A program that can be started again and again. It does not outlive its ``with``.

    Args:
        title: what to call it where something went wrong.
        command: the program and its arguments.
        log_file: where it writes, of all its starts; its folder is the one it is started in.
        pass_fds: descriptors that it inherits.
    """

    def __init__(
        self, title: str, command: Sequence[str], log_file: Path, pass_fds: Sequence[int] = ()
    ) -> None:
        self.title = title
        self.log_file = log_file
        self._command = list(command)
        self._pass_fds = tuple(pass_fds)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @abstractmethod
    def answers(self) -> bool:
        """Whether it is there for whoever needs it."""

    def environment(self) -> Mapping[str, str] | None:
        """Its variables; ``None``: ours."""
        return None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.launch()
        self.wait_started()

    def launch(self) -> None:
        """Start it; :meth:`wait_started` is to follow."""
        assert self._process is None, f"{self.title} runs"
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.log_file.parent,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=self._pass_fds,
            )

    def wait_started(self) -> None:
        """Wait until it answers."""
        process = self._there()
        try:
            until(lambda: self.answers() or process.poll() is not None)
            assert process.poll() is None, f"it ended with {process.poll()}"
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{self.title} did not start: {error}\n{self.log()}") from None

    @property
    def runs(self) -> bool:
        """Whether there is a process, paused or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process."""
        return self._there().pid

    def pause(self) -> None:
        """Freeze it (SIGSTOP): its connections stay, and nothing is answered from now on."""
        self._signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.pid}/stat")
        until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash does (SIGKILL), paused or not. Again is no harm."""
        if self._process is not None:
            self._process.kill()
            self.wait_gone()

    def stop(self) -> int | None:
        """Ask it to stop (SIGTERM) and wait until it has. Again is no harm.

        Returns:
            how it ended: a signal's number is negative; ``None``: it did not run.
        """
        if self._process is not None:
            self.terminate()
        return self.wait_gone()

    def terminate(self) -> None:
        """Ask it to stop (SIGTERM), and do not wait for it."""
        self._signal(signal.SIGTERM)

    def wait_gone(self) -> int | None:
        """Wait until it has stopped, after :meth:`terminate`; return what :meth:`stop` does. Again is no harm."""
        process, self._process = self._process, None
        if process is None:
            return None
        try:
            return process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(
                f"{self.title} was not gone in {PATIENCE_S:g} s:\n{self.log()}"
            ) from None

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def log(self) -> str:
        """What it has written since its first start."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def _signal(self, number: signal.Signals) -> None:
        self._there().send_signal(number)

    def _there(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"{self.title} does not run"
        return self._process
