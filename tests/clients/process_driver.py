"""A driver in a process of its own: JSON lines on its standard input and output."""

import json
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from .stock_client import StockClient

END_TIMEOUT_S = 5.0


class ProcessDriver:
    """Starts ``command`` and joins it to ``client``."""

    def __init__(self, command: Sequence[str], client: StockClient) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the driver
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        self._reader = threading.Thread(target=self._read, args=(client,), daemon=True)
        client.attach(self)
        self._reader.start()

    def send(self, command: Mapping[str, object]) -> None:
        """Pass a command on; a broken pipe shows as the end of its output."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """Close its input, which ends it, and kill it if that is not enough."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._errors.close()

    def last_words(self) -> str:
        """The end of its standard error."""
        self._errors.seek(0)
        return self._errors.read()[-4000:].decode(errors="replace")

    def _read(self, client: StockClient) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                client.reported(line)
        client.ended()
