"""The command line of a node: ``--name value`` for every setting."""

from collections.abc import Sequence

from ..errors import StartError
from .errors import SettingsError
from .sources import check_known
from .table import option


def parse_arguments(arguments: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of ``--name value`` and ``--name=value`` by setting name.

    Raises:
        StartError: an argument that is no option; as a SettingsError an unknown one, or one without a
            value. The line has no value: a misplaced one may be a secret.
    """
    given: dict[str, list[str]] = {}
    rest = iter(arguments)
    for position, argument in enumerate(rest, 1):
        if not argument.startswith("--") or argument == "--":
            raise StartError(f"argument {position} is not an option: settings are --name value")
        written, has_value, value = argument[2:].partition("=")
        name = written.replace("-", "_")
        check_known(name, option(name))
        if not has_value:
            value = next(rest, "--")
            # A public key begins with more dashes: it is no option.
            if value.startswith("--") and not value.startswith("---"):
                raise SettingsError(name, None, f"must have a value (from {option(name)})")
        given.setdefault(name, []).append(value)
    return given
