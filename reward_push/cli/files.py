"""Files that a command reads; ``-`` is standard input."""

import sys
from pathlib import Path

from .errors import CommandError


def read_file(file: str, most: int, what: str) -> bytes:
    """Return the beginning of a file: ``most`` bytes, and one more if it is longer. ``what`` names it.

    Raises :class:`.errors.CommandError`.
    """
    try:
        if file == "-":
            return sys.stdin.buffer.read(most + 1)
        with Path(file).open("rb") as opened:
            return opened.read(most + 1)
    except OSError as error:
        raise CommandError(f"the {what} file cannot be read: {error.strerror}") from None
