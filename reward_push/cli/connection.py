"""Which node a command talks to, and by which key: from options, the environment and files."""

import argparse
from collections.abc import Mapping

from .client import ApiClient
from .errors import CommandError
from .files import read_file

DEFAULT_URL = "http://127.0.0.1:8080"
URL_VARIABLE = "RPUSH_URL"
KEY_VARIABLE = "RPUSH_KEY"
KEY_FILE_VARIABLE = "RPUSH_KEY_FILE"
"""Not ``REWARD_PUSH_…``: a node refuses to start with a variable of this prefix that is no setting."""

TIMEOUT_S = 30.0
_MAX_TIMEOUT_S = 86_400.0
_MAX_KEY_BYTES = 4_096


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of all commands that talk to a node."""
    parser.add_argument(
        "--url", metavar="URL", help=f"the node ({URL_VARIABLE}, else {DEFAULT_URL})"
    )
    parser.add_argument(
        "--key-file",
        metavar="FILE",
        help=f"file with the backend key, - for standard input ({KEY_FILE_VARIABLE},"
        f" or the key itself in {KEY_VARIABLE}; there is no option for the key: others could see it)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=TIMEOUT_S,
        help=f"how long to wait for an answer ({TIMEOUT_S:g})",
    )


def connect(options: argparse.Namespace, environ: Mapping[str, str]) -> ApiClient:
    """Return a client for the node and with the key that were given.

    Raises :class:`.errors.CommandError`: there is no key, or something given is no good.
    """
    url = options.url or environ.get(URL_VARIABLE) or DEFAULT_URL
    return ApiClient(url, _key(options.key_file, environ), options.timeout)


def _key(file: str | None, environ: Mapping[str, str]) -> str:
    in_environ, file_in_environ = environ.get(KEY_VARIABLE), environ.get(KEY_FILE_VARIABLE)
    if file is None and in_environ and file_in_environ:
        raise CommandError(f"set {KEY_VARIABLE} or {KEY_FILE_VARIABLE}, not both")
    file = file or (None if in_environ else file_in_environ)
    if file is not None:
        key, origin = _read(file), "the key file"
    elif in_environ:
        key, origin = in_environ, KEY_VARIABLE
    else:
        raise CommandError(
            f"a backend key is needed: --key-file FILE, {KEY_FILE_VARIABLE} or {KEY_VARIABLE}"
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise CommandError(f"{origin} does not hold a key: one line of visible ASCII characters")
    return key


def _read(file: str) -> str:
    content = read_file(file, _MAX_KEY_BYTES, "key")
    try:
        key = content.decode("ascii").strip()
    except ValueError:
        raise CommandError("the key file does not hold a key: it is not ASCII") from None
    if not 0 < len(key) <= _MAX_KEY_BYTES:
        raise CommandError("the key file does not hold a key: it is empty, or too long")
    return key


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _MAX_TIMEOUT_S:
        raise argparse.ArgumentTypeError(f"not a number of seconds above 0: {text!r}")
    return value
