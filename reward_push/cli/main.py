"""The entry point: from a command line to a command, and from what goes wrong to one line and a status."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata

from . import check, keys, publish
from .errors import CommandError
from .output import printable

_EPILOG = """\
The node is named by --url or RPUSH_URL, the backend key is read from --key-file, RPUSH_KEY_FILE or RPUSH_KEY.
Exit status: 0 done, 1 not done (one line on standard error says why), 2 the command line is wrong.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and not getattr(options, "takes_rest", False):
        parser.error(_unknown(rest))
    options.rest = rest
    try:
        options.run(options, os.environ)
        sys.stdout.flush()
    except CommandError as error:
        print(f"reward-push: {printable(error)}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Who reads it has had enough; nothing more may be written at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _unknown(rest: Sequence[str]) -> str:
    """Tell what is wrong, without values: one of them may be a key."""
    names = [each.partition("=")[0] for each in rest if each.startswith("--")]
    if "--key" in names:
        return (
            "there is no --key, which others could see: use --key-file, RPUSH_KEY_FILE or RPUSH_KEY"
        )
    return f"unknown option {names[0]}" if names else "there are too many arguments"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reward-push",
        description="Checks a configuration, and talks to a running node.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"reward-push {metadata.version('reward-push')}"
    )
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    common.add_argument("--json", action="store_true", help="print JSON, one object a line")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    check.add_command(commands, common)
    keys.add_commands(commands, common)
    publish.add_command(commands, common)
    return parser


if __name__ == "__main__":
    sys.exit(main())
