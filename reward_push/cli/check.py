"""``reward-push check``: would a node start with this configuration, and what would it be told?"""

import argparse
from collections.abc import Mapping
from typing import Any

from ..errors import StartError
from ..settings.arguments import parse_arguments
from ..settings.report import effective
from .errors import CommandError
from .output import show_json, show_table

_MAX_SHOWN_CHARS = 60


def add_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``check``."""
    check = commands.add_parser(
        "check",
        parents=[common],
        allow_abbrev=False,
        help="check a configuration and show the settings in effect",
        usage="reward-push check [--json] [options of twistd reward-push]",
        description="Reads the configuration as twistd reward-push does: its options, REWARD_PUSH_*"
        " variables, and the TOML file of --config. Starts nothing and opens no store.",
    )
    check.set_defaults(run=_check, takes_rest=True)


def _check(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    try:
        settings = effective(parse_arguments(options.rest), environ)
    except StartError as error:
        raise CommandError(str(error).removeprefix("reward-push: ")) from None
    if options.json:
        show_json({each.name: {"value": each.value, "from": each.origin} for each in settings})
    else:
        rows = [(each.name, _cut(each.value), each.origin) for each in settings]
        show_table(("SETTING", "VALUE", "FROM"), rows)


def _cut(text: str) -> str:
    """Return a value fit for a column."""
    return text if len(text) <= _MAX_SHOWN_CHARS else text[: _MAX_SHOWN_CHARS - 1] + "…"
