"""A file with the public keys of who signs tokens, read again when it changes."""

import os
from pathlib import Path

from twisted.logger import Logger

from .token_keys import Algorithm, TokenKeys, of_key_set
from .tokens import Tokens

MAX_BYTES = 1 << 18
CHECK_S = 10.0
"""How often it is looked at."""

Stamp = tuple[int, ...]
_NEVER: Stamp = ()


def read_key_set(path: str, algorithm: Algorithm | None) -> TokenKeys:
    """Return the keys in the file. Raises ValueError with the rule, and OSError."""
    with Path(path).open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"must not have more than {MAX_BYTES} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError("must be UTF-8 text") from None
    return of_key_set(text, algorithm)


class KeySetFile:
    """Gives ``tokens`` the keys of a file, each time that it has changed.

    A file that is gone or wrong changes nothing: the keys stay as they were, and the log says why, once.
    No request makes it be read, however many strange key ids they name.
    """

    _log = Logger()

    def __init__(
        self, path: str, algorithm: Algorithm | None, keys: TokenKeys, tokens: Tokens
    ) -> None:
        """``keys`` are those that were read from ``path`` at the start, and that ``tokens`` uses."""
        self._path = os.path.abspath(path)
        self._algorithm = algorithm
        self._keys = keys
        self._tokens = tokens
        self._seen: Stamp | None = _NEVER

    def check(self) -> None:
        """Read the file if it has changed; to be called every :data:`CHECK_S`. Never raises."""
        stamp = _stamp(self._path)
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            keys = read_key_set(self._path, self._algorithm)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._log.error(
                "jwt_jwks: {path} is not used, the keys stay as they were: {reason}",
                path=self._path,
                reason=reason,
            )
            return
        if keys == self._keys:
            return
        self._keys = keys
        self._tokens.replace_keys(keys)
        self._log.info("jwt_jwks: the keys in {path} are in use", path=self._path)


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
